# SPDX-License-Identifier: Apache-2.0
"""Which interfaces a Keep has, and where each is: loaded when a component asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from enarx.runtime.component.interface import Interface, unversioned
from enarx.runtime.component.launch import Launch

if TYPE_CHECKING:
    from enarx.workload.component import Component

WHERE = {
    "wasi:cli": "wasi.cli",
    "wasi:clocks": "wasi.clocks",
    "wasi:filesystem": "wasi.filesystem",
    "wasi:http": "wasi.http",
    "wasi:io": "wasi.io",
    "wasi:random": "wasi.random",
    "wasi:sockets": "wasi.sockets",
}
"""The module below `enarx.runtime.component` in which a package's interfaces are."""


def interface(name: str) -> type[Interface] | None:
    """The interface of a versioned name ("wasi:io/streams@0.2.3"), or None when no Keep has it."""
    plain = unversioned(name)
    where = WHERE.get(plain.partition("/")[0]) if plain else None
    if where is None:
        return None
    return next((one for one in members(where) if one.name == plain), None)


def members(where: str) -> list[type[Interface]]:
    """The interfaces in one of the modules of `WHERE`."""
    found = vars(import_module(f"enarx.runtime.component.{where}")).values()
    return [one for one in found if isinstance(one, type) and issubclass(one, Interface) and hasattr(one, "name")]


def interfaces(names: Iterable[str], launch: Launch) -> Mapping[str, Callable[[], Interface]]:
    """How the named interfaces are made for one guest, by their names without version."""
    found = (interface(name) for name in names)
    return {one.name: partial(one, launch) for one in found if one is not None}


def missing(component: Component) -> list[str]:
    """What a component imports and no Keep has: interfaces, and functions of those that it has."""
    found: list[str] = []
    for wanted in component.imports:
        kind = interface(wanted.name)
        if kind is None:
            found.append(wanted.name)
            continue
        known = {function.name for function, _ in kind.functions()}
        found += [f"{wanted.name}.{name}" for name in wanted.functions if name not in known]
    return found
