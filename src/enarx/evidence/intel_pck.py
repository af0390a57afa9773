# SPDX-License-Identifier: Apache-2.0
"""What Intel says of one platform in its PCK certificate: the extension 1.2.840.113741.1.13.1.

Intel SGX PCK Certificate and CRL Profile Specification, section 1.3.5.
"""

from __future__ import annotations

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
    found = _entries(raw, _ARC + b"\x02")
    if found.keys() != set(range(1, 19)):
        raise Malformed(Reason.INCONSISTENT, f"{_WHAT}: TCB has {len(found)} entries, expected 1 to 18")
    svns = [der.unsigned(_typed(found[n], der.INTEGER, "TCB"), f"{_WHAT}: TCB") for n in range(1, 18)]
    if max(svns[:16]) > 0xFF or svns[16] > 0xFFFF:
        raise Malformed(Reason.TOO_LARGE, f"{_WHAT}: TCB component")
    return bytes(svns[:16]), svns[16], _octets(found[18], 16, "CPUSVN")


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
    at, end = 0, len(raw)
    while at < end:
        tag, entry, at = _element(raw, at)
        oid_tag, oid, middle = _element(entry, 0)
        kind, value, stop = _element(entry, middle)
        if tag != der.SEQUENCE or oid_tag != der.OID or stop != len(entry):
            raise Malformed(Reason.WRONG_TYPE, f"{_WHAT}: entry at {at}")
        if oid[:-1] != arc or oid[-1] in found:
            raise Malformed(Reason.UNKNOWN_KEY if oid[:-1] != arc else Reason.DUPLICATE, f"{_WHAT}: entry at {at}")
        found[oid[-1]] = (kind, value)
    return found


def _element(raw: bytes, at: int) -> tuple[int, bytes, int]:
    """Tag, contents and end of the element at `at`: minimal lengths below 64 KiB.

    `codec.der.Der` reads the same, ten times slower; a PCK certificate has some eighty elements.
    """
    head = raw[at : at + 4]
    if len(head) < 2 or head[0] & 0x1F == 0x1F:
        raise Malformed(Reason.TRUNCATED, f"{_WHAT}: element at {at}")
    size, start = head[1], at + 2
    if size >= 0x80:
        octets = size & 0x7F
        size, start = int.from_bytes(head[2 : 2 + octets], "big"), start + octets
        if octets not in {1, 2} or size < (0x80 if octets == 1 else 0x100):
            raise Malformed(Reason.NOT_CANONICAL, f"{_WHAT}: length at {at}")
    stop = start + size
    if stop > len(raw):
        raise Malformed(Reason.TRUNCATED, f"{_WHAT}: element at {at}")
    return head[0], raw[start:stop], stop
