# SPDX-License-Identifier: Apache-2.0
"""What Intel says of one platform in its PCK certificate: the extension 1.2.840.113741.1.13.1.

Intel SGX PCK Certificate and CRL Profile Specification, section 1.3.5.
"""

from __future__ import annotations

import re

import msgspec

from enarx.codec import der
from enarx.errors import Malformed, Reason

EXTENSION = "1.2.840.113741.1.13.1"
SGX_TYPES = ("standard", "scalable", "scalable-with-integrity")
"""How the memory is protected: with integrity tree, without, with a MAC (SGXType 0, 1, 2)."""

_ARC = bytes.fromhex("2a864886f84d010d01")
_WHAT = "SGX extension"
_BOOLEANS = {b"\0": False, b"\xff": True}


class Platform(msgspec.Struct, frozen=True):
    """One platform as its PCK certificate describes it.

    ppid 16, cpusvn 16, pceid 2, fmspc 6 bytes; components: the 16 SGX TCB component SVNs, a
    byte each; piid 16 bytes and the configuration only for multi-package platforms (None else)
    """

    ppid: bytes
    components: bytes
    pcesvn: int
    cpusvn: bytes
    pceid: bytes
    fmspc: bytes
    sgx_type: str
    piid: bytes | None = None
    dynamic_platform: bool | None = None
    cached_keys: bool | None = None
    smt: bool | None = None


def parse(extension: bytes) -> Platform:
    """The extension's value, strict DER; a missing, unknown or repeated entry is `Malformed`."""
    found = _entries(_whole(extension), _ARC)
    if missing := {1, 2, 3, 4, 5} - found.keys() or found.keys() - {1, 2, 3, 4, 5, 6, 7}:
        raise Malformed(Reason.INCONSISTENT, f"{_WHAT}: entry {min(missing)}")
    components, pcesvn, cpusvn = _tcb(_typed(found[2], der.SEQUENCE, "TCB"))
    sgx_type = der.unsigned(_typed(found[5], der.ENUMERATED, "SGX type"), f"{_WHAT}: SGX type")
    if sgx_type >= len(SGX_TYPES):
        raise Malformed(Reason.UNKNOWN_VALUE, f"{_WHAT}: SGX type {sgx_type}")
    dynamic, cached, smt = _configuration(found[7]) if 7 in found else (None, None, None)
    return Platform(
        _octets(found[1], 16, "PPID"),
        components,
        pcesvn,
        cpusvn,
        _octets(found[3], 2, "PCE-ID"),
        _octets(found[4], 6, "FMSPC"),
        SGX_TYPES[sgx_type],
        _octets(found[6], 16, "platform instance id") if 6 in found else None,
        dynamic,
        cached,
        smt,
    )


def _tcb(raw: bytes) -> tuple[bytes, int, bytes]:
    found = _TCB.fullmatch(raw)
    if found is None:
        raise Malformed(Reason.INCONSISTENT, f"{_WHAT}: TCB is not 16 component SVNs, PCESVN and CPUSVN in DER")
    *svns, pcesvn, cpusvn = (part for part in found.groups() if part is not None)
    return b"".join(svns), int.from_bytes(pcesvn, "big"), cpusvn


def _integer(last: int, *contents: bytes) -> bytes:
    """A pattern of the entry SEQUENCE {OID below the TCB's, INTEGER} with one of these contents, by their size."""
    oid = re.escape(bytes((der.OID, len(_ARC) + 2)) + _ARC + bytes((2, last)))
    forms = (
        b"0" + re.escape(bytes((len(_ARC) + 6 + size,))) + oid + re.escape(bytes((der.INTEGER, size))) + content
        for size, content in enumerate(contents, 1)
    )
    return b"(?:" + b"|".join(forms) + b")"


# DER of a fixed shape is a regular language: minimal integers below 256 (below 65536 for PCESVN), lengths that
# follow from them, entries 1 to 18 in the profile's order, each once. One match reads it all.
_TCB = re.compile(
    b"".join(_integer(n, rb"([\x00-\x7f])", rb"\x00([\x80-\xff])") for n in range(1, 17))
    + _integer(17, rb"([\x00-\x7f])", rb"(\x00[\x80-\xff]|[\x01-\x7f].)", rb"(\x00[\x80-\xff].)")
    + re.escape(bytes((der.SEQUENCE, 31, der.OID, len(_ARC) + 2)) + _ARC + bytes((2, 18, der.OCTET_STRING, 16)))
    + rb"(.{16})",
    re.DOTALL,
)


def _configuration(entry: tuple[int, bytes]) -> tuple[bool | None, bool | None, bool | None]:
    found = _entries(_typed(entry, der.SEQUENCE, "configuration"), _ARC + b"\x07")
    if unknown := found.keys() - {1, 2, 3}:
        raise Malformed(Reason.UNKNOWN_KEY, f"{_WHAT}: configuration entry {min(unknown)}")
    said = {n: _BOOLEANS.get(_typed(value, der.BOOLEAN, "configuration")) for n, value in found.items()}
    if None in said.values():
        raise Malformed(Reason.NOT_CANONICAL, f"{_WHAT}: configuration")
    return said.get(1), said.get(2), said.get(3)


def _typed(entry: tuple[int, bytes], tag: int, field: str) -> bytes:
    if entry[0] != tag:
        raise Malformed(Reason.WRONG_TYPE, f"{_WHAT}: {field} has tag {entry[0]:#04x}")
    return entry[1]


def _octets(entry: tuple[int, bytes], size: int, field: str) -> bytes:
    value = _typed(entry, der.OCTET_STRING, field)
    if len(value) != size:
        raise Malformed(Reason.WRONG_LENGTH, f"{_WHAT}: {field} of {len(value)} bytes")
    return value


def _whole(raw: bytes) -> bytes:
    outer = der.Der(raw, _WHAT)
    contents = outer.element(der.SEQUENCE, "SEQUENCE")
    outer.done()
    return contents


def _entries(raw: bytes, arc: bytes) -> dict[int, tuple[int, bytes]]:
    """SEQUENCE OF SEQUENCE {OID below `arc`, value}: tag and contents of each value by last arc."""
    found: dict[int, tuple[int, bytes]] = {}
    oid = bytes((der.OID, len(arc) + 1)) + arc
    at, end = 0, len(raw)
    while at < end:
        tag, entry, after = _element(raw, at)
        if tag != der.SEQUENCE or not entry.startswith(oid) or len(entry) <= len(oid):
            raise Malformed(Reason.UNKNOWN_KEY, f"{_WHAT}: entry at {at}")
        kind, value, stop = _element(entry, len(oid) + 1)
        if stop != len(entry):
            raise Malformed(Reason.TRAILING_BYTES, f"{_WHAT}: entry at {at}")
        if entry[len(oid)] in found:
            raise Malformed(Reason.DUPLICATE, f"{_WHAT}: entry at {at}")
        found[entry[len(oid)]] = (kind, value)
        at = after
    return found


def _element(raw: bytes, at: int) -> tuple[int, bytes, int]:
    """Tag, contents and end of the element at `at`: minimal lengths below 64 KiB.

    `codec.der.Der` reads the same, ten times slower; a PCK certificate has some fifty elements.
    """
    start = at + 2
    if start > len(raw) or raw[at] & 0x1F == 0x1F:
        raise Malformed(Reason.TRUNCATED, f"{_WHAT}: element at {at}")
    size = raw[at + 1]
    if size >= 0x80:
        octets = size & 0x7F
        size, start = int.from_bytes(raw[start : start + octets], "big"), start + octets
        if octets not in {1, 2} or size < (0x80 if octets == 1 else 0x100):
            raise Malformed(Reason.NOT_CANONICAL, f"{_WHAT}: length at {at}")
    stop = start + size
    if stop > len(raw):
        raise Malformed(Reason.TRUNCATED, f"{_WHAT}: element at {at}")
    return raw[at], raw[start:stop], stop
