# SPDX-License-Identifier: Apache-2.0
"""What a wasm binary says of itself before it runs: imports, exports, memory.

Reads the header and the sections that name things, to the last byte of each; code and data are
skipped, the engine validates those. Source: WebAssembly core specification 2.0, chapter 5.
"""

from __future__ import annotations

from enum import IntEnum

import msgspec

from enarx.errors import Malformed, Reason

MAGIC = b"\0asm"
CORE = b"\x01\0\0\0"
LAYER_COMPONENT = b"\x01\0"
WHAT = "module"
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

    A component keeps both tuples empty: its own layer has another grammar.
    """

    component: bool
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
        return Module(component=True)
    raise Malformed(Reason.UNKNOWN_VERSION, f"wasm version {raw[4:8].hex() or 'missing'}")


def _core(raw: bytes) -> Module:
    outline = _Reader(raw, 8, len(raw))
    imports: tuple[Import, ...] = ()
    exports: tuple[Export, ...] = ()
    while outline.at < outline.end:
        section = outline.byte()
        size = outline.number()
        inside = outline.inside(size)
        if section == 2:
            imports = tuple(_import(inside) for _ in range(inside.count()))
            inside.done()
        elif section == 7:
            exports = tuple(_export(inside) for _ in range(inside.count()))
            inside.done()
    return Module(False, imports, exports)


def _import(reader: _Reader) -> Import:
    module, name, kind = reader.name(), reader.name(), reader.kind()
    match kind:
        case Kind.FUNCTION:
            reader.number()
        case Kind.TABLE:
            reader.value_type()
            reader.limits()
        case Kind.MEMORY:
            reader.limits()
        case Kind.GLOBAL:
            reader.value_type()
            reader.byte()
        case Kind.TAG:
            reader.byte()
            reader.number()
    return Import(module, name, kind)


def _export(reader: _Reader) -> Export:
    name, kind = reader.name(), reader.kind()
    reader.number()
    return Export(name, kind)


class _Reader:
    """The grammar's primitives over a part of the binary."""

    def __init__(self, raw: bytes, at: int, end: int) -> None:
        self._raw = raw
        self.at = at
        self.end = end

    def byte(self) -> int:
        if self.at >= self.end:
            raise Malformed(Reason.TRUNCATED, WHAT)
        self.at += 1
        return self._raw[self.at - 1]

    def number(self, bits: int = 32) -> int:
        """Unsigned LEB128 of at most `bits` bits (section 5.2.2)."""
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
            if shift >= bits:
                raise Malformed(Reason.TOO_LARGE, f"{WHAT}: a number of more than {bits} bits")
        if value >> bits:
            raise Malformed(Reason.TOO_LARGE, f"{WHAT}: a number of more than {bits} bits")
        return value

    def count(self) -> int:
        """A vector's length, which cannot exceed the bytes that are left."""
        count = self.number()
        if count > self.end - self.at:
            raise Malformed(Reason.TRUNCATED, WHAT)
        return count

    def inside(self, size: int) -> _Reader:
        """A reader for the next `size` bytes, which this one skips."""
        if size > self.end - self.at:
            raise Malformed(Reason.TRUNCATED, f"{WHAT}: a section of {size} bytes")
        self.at += size
        return _Reader(self._raw, self.at - size, self.at)

    def name(self) -> str:
        """A vector of bytes that is UTF-8 (section 5.2.4)."""
        size = self.count()
        self.at += size
        try:
            return self._raw[self.at - size : self.at].decode()
        except UnicodeDecodeError:
            raise Malformed(Reason.SYNTAX, f"{WHAT}: a name is not UTF-8") from None

    def kind(self) -> Kind:
        kind = self.byte()
        if kind > Kind.TAG:
            raise Malformed(Reason.UNKNOWN_VALUE, f"{WHAT}: external kind {kind}")
        return Kind(kind)

    def value_type(self) -> None:
        """A value type; a reference to a defined type carries its heap type."""
        if self.byte() in (0x63, 0x64):
            self.number(33)

    def limits(self) -> None:
        """Flags (maximum, shared, 64 bits, custom page size), then the numbers."""
        flags = self.byte()
        bits = 64 if flags & 4 else 32
        self.number(bits)
        if flags & 1:
            self.number(bits)
        if flags & 8:
            self.number()

    def done(self) -> None:
        if self.at != self.end:
            raise Malformed(Reason.TRAILING_BYTES, f"{WHAT}: {self.end - self.at} bytes in a section")
