# SPDX-License-Identifier: Apache-2.0
"""SPDM 1.1 (DMTF DSP0274) GET_MEASUREMENTS and its answer, back to back, as NVIDIA devices hand them out.

The signature covers the request and the response up to it, so both are evidence.
"""

from __future__ import annotations

import msgspec

from enarx.codec.cursor import Cursor
from enarx.errors import Malformed, Reason

WHAT = "SPDM measurements"
REQUEST_SIZE = 37
NONCE_SIZE = 32
SIGNATURE_SIZE = 96
"""ECDSA P-384, r ‖ s, big endian."""
MAX_BYTES = 8192
"""NVML's NVML_CC_GPU_ATTESTATION_REPORT_SIZE: the buffer from which reports are copied."""

_VERSION = 0x11
_GET_MEASUREMENTS, _MEASUREMENTS = 0xE0, 0x60
_WITH_SIGNATURE, _ALL_BLOCKS = 0x01, 0xFF
_DMTF = 0x01


class Block(msgspec.Struct, frozen=True):
    """One measurement: its index from 1, DMTF's type octet, and the value."""

    index: int
    type: int
    value: bytes


class Measurements(msgspec.Struct, frozen=True):
    """A request and its response as received.

    nonce     the 32 bytes that the verifier sent
    blocks    by index 1, 2, 3, … without a gap
    opaque    the vendor's own data, signed too
    signed    the bytes under the signature
    signature r ‖ s
    padding   zero bytes after the end, which nobody signed
    """

    raw: bytes
    slot: int
    nonce: bytes
    blocks: tuple[Block, ...]
    responder_nonce: bytes
    opaque: bytes
    signed: bytes
    signature: bytes
    padding: int


def parse(raw: bytes) -> Measurements:
    """Read a request and its response to the last byte."""
    if len(raw) > MAX_BYTES:
        raise Malformed(Reason.TOO_LARGE, f"{WHAT}: {len(raw)} bytes, at most {MAX_BYTES}")
    c = Cursor(raw, WHAT)
    nonce, slot = _request(c)
    blocks = _header(c, slot)
    responder_nonce = c.take(NONCE_SIZE, "responder nonce")
    opaque = c.take(c.little(2, "opaque length"), "opaque data")
    signed = raw[: c.at]
    signature = c.take(SIGNATURE_SIZE, "signature")
    return Measurements(raw, slot, nonce, blocks, responder_nonce, opaque, signed, signature, _padding(c))


def _request(c: Cursor) -> tuple[bytes, int]:
    """DSP0274 1.1.0 table 36, GET_MEASUREMENTS with a signature."""
    _exactly(c, _VERSION, "request SPDMVersion")
    _exactly(c, _GET_MEASUREMENTS, "request code")
    _exactly(c, _WITH_SIGNATURE, "request attributes")
    _exactly(c, _ALL_BLOCKS, "measurement operation")
    nonce = c.take(NONCE_SIZE, "nonce")
    slot = c.little(1, "slot id")
    if slot > 7:
        raise Malformed(Reason.UNKNOWN_VALUE, f"{WHAT}: slot id {slot}")
    return nonce, slot


def _header(c: Cursor, slot: int) -> tuple[Block, ...]:
    """DSP0274 1.1.0 table 38, MEASUREMENTS up to the end of the record."""
    _exactly(c, _VERSION, "response SPDMVersion")
    _exactly(c, _MEASUREMENTS, "response code")
    c.zeros(1, "response param1")  # the total number of indices, only when that was asked
    _exactly(c, slot, "response slot id")
    count = c.little(1, "number of blocks")
    record = Cursor(c.take(c.little(3, "record length"), "measurement record"), f"{WHAT}: record")
    blocks = tuple(_block(record, index) for index in range(1, count + 1))
    record.done()
    return blocks


def _block(record: Cursor, expected: int) -> Block:
    """DSP0274 1.1.0 tables 39 and 40: a measurement block in DMTF's own format."""
    index = record.little(1, "index")
    if index != expected:
        raise Malformed(Reason.INCONSISTENT, f"{WHAT}: block {index} where {expected} was expected")
    specification = record.little(1, "measurement specification")
    if specification != _DMTF:
        raise Malformed(Reason.UNKNOWN_VALUE, f"{WHAT}: measurement specification {specification}")
    inner = Cursor(record.take(record.little(2, "measurement size"), "measurement"), f"{WHAT}: block {index}")
    kind = inner.little(1, "DMTFSpecMeasurementValueType")
    value = inner.take(inner.little(2, "DMTFSpecMeasurementValueSize"), "DMTFSpecMeasurementValue")
    inner.done()
    return Block(index, kind, value)


def _exactly(c: Cursor, expected: int, field: str) -> None:
    found = c.little(1, field)
    if found != expected:
        raise Malformed(Reason.UNKNOWN_VALUE, f"{WHAT}: {field} is {found:#04x}, expected {expected:#04x}")


def _padding(c: Cursor) -> int:
    """Zero bytes of the buffer that the report was copied from; anything else is not the format."""
    left = c.left()
    if any(c.take(left, "padding")):
        raise Malformed(Reason.TRAILING_BYTES, f"{WHAT}: {left} bytes after the signature, not all zero")
    return left
