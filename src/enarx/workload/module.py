# SPDX-License-Identifier: Apache-2.0
"""What a wasm binary says of itself before it runs: imports, exports, memory.

Reads the header and the sections that name things, to the last byte of each; code and data are
skipped, the engine validates those. Source: WebAssembly core specification 2.0, chapter 5.
"""

from __future__ import annotations

from enum import IntEnum

import msgspec

from enarx.errors import Malformed, Reason
from enarx.workload import component, wasm
from enarx.workload.component import Component
from enarx.workload.wasm import WHAT, Reader

MAGIC = b"\0asm"
CORE = b"\x01\0\0\0"
LAYER_COMPONENT = b"\x01\0"
ENTRY_POINTS = ("_start", "")
"""In this order: a command's entry point, then upstream's default export of the empty name."""
REACTOR = "_initialize"


class Kind(IntEnum):
    """External kinds (section 5.5.5 and 5.5.10; tags from exception handling)."""

    FUNCTION = 0
    TABLE = 1
    MEMORY = 2
    GLOBAL = 3
    TAG = 4


class Import(msgspec.Struct, frozen=True):
    """One thing that a module asks for."""

    module: str
    name: str
    kind: Kind


class Export(msgspec.Struct, frozen=True):
    """One thing that a module offers."""

    name: str
    kind: Kind


class Module(msgspec.Struct, frozen=True):
    """A wasm binary as far as it must be known before it is compiled.

    memories   how many linear memories it defines; of a component all of its modules together
    component  what a component imports and exports, both tuples then being empty; None for a module
    """

    component: Component | None = None
    memories: int = 0
    imports: tuple[Import, ...] = ()
    exports: tuple[Export, ...] = ()

    @property
    def entry(self) -> str | None:
        """The export to call, or None."""
        names = {export.name for export in self.exports if export.kind is Kind.FUNCTION}
        return next((name for name in ENTRY_POINTS if name in names), None)

    @property
    def reactor(self) -> bool:
        """Whether the module is to be initialised before its first call."""
        return Export(REACTOR, Kind.FUNCTION) in self.exports


def parse(raw: bytes) -> Module:
    """The outline of a module or component; `Malformed` otherwise."""
    if raw[:4] != MAGIC:
        raise Malformed(Reason.NOT_WASM, "the file does not begin with the wasm magic number")
    if raw[4:8] == CORE:
        return _core(raw)
    if raw[6:8] == LAYER_COMPONENT:
        found = component.parse(raw)
        return Module(found, found.memories)
    raise Malformed(Reason.UNKNOWN_VERSION, f"wasm version {raw[4:8].hex() or 'missing'}")


def _core(raw: bytes) -> Module:
    outline = Reader(raw, 8, len(raw))
    imports: tuple[Import, ...] = ()
    exports: tuple[Export, ...] = ()
    memories = 0
    while outline.at < outline.end:
        section = outline.byte()
        size = outline.number()
        inside = outline.inside(size)
        if section == 2:
            imports = tuple(_import(inside) for _ in range(inside.count()))
            inside.done()
        elif section == wasm.MEMORY:
            memories += inside.count()
        elif section == 7:
            exports = tuple(_export(inside) for _ in range(inside.count()))
            inside.done()
    return Module(None, memories, imports, exports)


def _import(reader: Reader) -> Import:
    module, name, kind = reader.name(), reader.name(), _kind(reader)
    match kind:
        case Kind.FUNCTION:
            reader.number()
        case Kind.TABLE:
            _value_type(reader)
            _limits(reader)
        case Kind.MEMORY:
            _limits(reader)
        case Kind.GLOBAL:
            _value_type(reader)
            reader.byte()
        case Kind.TAG:
            reader.byte()
            reader.number()
    return Import(module, name, kind)


def _export(reader: Reader) -> Export:
    name, kind = reader.name(), _kind(reader)
    reader.number()
    return Export(name, kind)


def _kind(reader: Reader) -> Kind:
    kind = reader.byte()
    if kind > Kind.TAG:
        raise Malformed(Reason.UNKNOWN_VALUE, f"{WHAT}: external kind {kind}")
    return Kind(kind)


def _value_type(reader: Reader) -> None:
    """A value type; a reference to a defined type carries its heap type."""
    if reader.byte() in (0x63, 0x64):
        reader.number(33)


def _limits(reader: Reader) -> None:
    """Flags (maximum, shared, 64 bits, custom page size), then the numbers."""
    flags = reader.byte()
    bits = 64 if flags & 4 else 32
    reader.number(bits)
    if flags & 1:
        reader.number(bits)
    if flags & 8:
        reader.number()
