# SPDX-License-Identifier: Apache-2.0
"""Whether a module or component can be run, and where it starts."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from enarx.errors import Reason, Unacceptable
from enarx.runtime.wasi.signature import MODULE, PARAMETERS
from enarx.workload import module as outline
from enarx.workload.component import COMMAND, HANDLER, Component


class Wanted(NamedTuple):
    """What running a module or component takes.

    calls    the exports to call, in order
    imports  the names of what it imports
    memories how many linear memories it defines
    """

    component: bool
    calls: tuple[str, ...]
    imports: tuple[str, ...]
    memories: int

    @property
    def serves(self) -> bool:
        """Whether it answers HTTP requests."""
        return self.component and self.calls[0].startswith(f"{HANDLER}@")


@lru_cache(2)
def wanted(raw: bytes) -> Wanted:
    """Look at a module once, however often it is started; raises for what cannot be run."""
    module = outline.parse(raw)
    imports = module.component.imports if module.component else module.imports
    names = tuple(sorted({one.name for one in imports}))
    return Wanted(module.component is not None, entry(module), names, module.memories)


def entry(module: outline.Module) -> tuple[str, ...]:
    """The exports to call, in order; raises for what cannot be run."""
    if module.component:
        return (component_entry(module.component),)
    for wanted in module.imports:
        known = wanted.module == MODULE and wanted.name in PARAMETERS
        if not known or wanted.kind is not outline.Kind.FUNCTION:
            hint = f"a Keep provides the functions of {MODULE} and nothing else"
            raise Unacceptable(Reason.IMPORT_UNKNOWN, f"{wanted.module}.{wanted.name}", hint=hint)
    if module.entry is None:
        hint = "export a function named '_start' (a command) or ''"
        raise Unacceptable(Reason.NO_ENTRY_POINT, "the module exports no function to start with", hint=hint)
    return (outline.REACTOR, module.entry) if module.reactor else (module.entry,)


def component_entry(component: Component) -> str:
    """The interface whose function is to be called; raises for a component that cannot be run."""
    from enarx.runtime.component.world import missing

    for name in missing(component):
        raise Unacceptable(Reason.IMPORT_UNKNOWN, name, hint="a Keep provides WASI 0.2 and nothing else")
    found = component.exported(HANDLER) or component.exported(COMMAND)
    if found is None:
        hint = f"export {COMMAND}@0.2 (a command) or {HANDLER}@0.2 (a server)"
        raise Unacceptable(Reason.NO_ENTRY_POINT, "the component exports nothing to start with", hint=hint)
    return found
