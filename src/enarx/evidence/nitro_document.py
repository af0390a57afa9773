# SPDX-License-Identifier: Apache-2.0
"""The attestation document of AWS Nitro, as bytes: COSE_Sign1 around a CBOR map.

"Verifying the root of trust", sections "Attestation document specification" and "Syntactical
validation"; NitroTPM's document is the same map with `nitrotpm_pcrs` in place of `pcrs`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from enarx.codec import cbor
from enarx.errors import Malformed, Reason
from enarx.evidence.cose import ALG, ES384, Sign1, parse_sign1
from enarx.evidence.kind import Kind

MAX_BYTES = 64 << 10
"""Thirty-two registers, ten certificates and three fields at their largest come to 20 KiB."""
MAX_CABUNDLE = 9
MAX_FIELD = 1024
"""AWS's text says 512 for user_data and nonce; its CDDL and the devices say 1024."""
MAX_TIMESTAMP = 253_402_300_799_999
"""The last millisecond of the year 9999."""

_PCRS = {Kind.NITRO: "pcrs", Kind.NITROTPM: "nitrotpm_pcrs"}
_REQUIRED = frozenset({"module_id", "digest", "timestamp", "certificate", "cabundle"})
_OPTIONAL = ("public_key", "user_data", "nonce")


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A document as received. Parsed, not believed.

    timestamp   milliseconds since 1970, by the hypervisor's clock
    pcrs        register index to value
    certificate the signer's, DER
    cabundle    its issuers, root first, DER
    public_key, user_data, nonce  what the enclave asked to have signed; None where absent
    """

    kind: Kind
    raw: bytes
    sign1: Sign1
    module_id: str
    digest: str
    timestamp: int
    pcrs: dict[int, bytes]
    certificate: bytes
    cabundle: tuple[bytes, ...]
    public_key: bytes | None
    user_data: bytes | None
    nonce: bytes | None


def parse(raw: bytes, kind: Kind = Kind.NITRO) -> Document:
    """A document of `kind` (NITRO or NITROTPM), to the last byte."""
    if len(raw) > MAX_BYTES:
        raise Malformed(Reason.TOO_LARGE, f"{kind} document: {len(raw)} bytes, at most {MAX_BYTES}")
    what = f"{kind} document"
    sign1 = parse_sign1(raw, what, tag="either")
    if sign1.protected != {ALG: ES384} or sign1.unprotected:
        raise Malformed(Reason.UNKNOWN_VALUE, f"{what}: headers other than the algorithm ES384")
    if len(sign1.signature) != 96:
        raise Malformed(Reason.WRONG_LENGTH, f"{what}: signature of {len(sign1.signature)} bytes, expected 96")
    table = _table(sign1.payload, kind, what)
    return Document(
        kind=kind,
        raw=raw,
        sign1=sign1,
        module_id=_module_id(table["module_id"], what),
        digest=_digest(table["digest"], what),
        timestamp=_timestamp(table["timestamp"], what),
        pcrs=_registers(table[_PCRS[kind]], what),
        certificate=_certificate(table["certificate"], what),
        cabundle=_cabundle(table["cabundle"], what),
        public_key=_field(table, "public_key", what),
        user_data=_field(table, "user_data", what),
        nonce=_field(table, "nonce", what),
    )


def _table(payload: bytes, kind: Kind, what: str) -> dict[Any, Any]:
    table = cbor.decode(payload, what)
    if not isinstance(table, dict):
        raise Malformed(Reason.WRONG_TYPE, f"{what}: payload is not a map")
    required = _REQUIRED | {_PCRS[kind]}
    if missing := required - table.keys():
        raise Malformed(Reason.MISSING, f"{what}: {min(missing)}")
    if unknown := table.keys() - required - set(_OPTIONAL):
        raise Malformed(Reason.UNKNOWN_KEY, f"{what}: {min(map(repr, unknown))}")
    return table


def _module_id(value: Any, what: str) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_FIELD:
        raise Malformed(Reason.WRONG_TYPE, f"{what}: module_id")
    return value


def _digest(value: Any, what: str) -> str:
    if value != "SHA384":
        raise Malformed(Reason.UNKNOWN_VALUE, f"{what}: digest")
    return "SHA384"


def _timestamp(value: Any, what: str) -> int:
    if type(value) is not int or not 0 < value <= MAX_TIMESTAMP:
        raise Malformed(Reason.UNKNOWN_VALUE, f"{what}: timestamp")
    return value


def _registers(value: Any, what: str) -> dict[int, bytes]:
    if not isinstance(value, dict) or not 1 <= len(value) <= 32:
        raise Malformed(Reason.WRONG_LENGTH, f"{what}: pcrs")
    for index, register in value.items():
        if type(index) is not int or not 0 <= index < 32:
            raise Malformed(Reason.UNKNOWN_VALUE, f"{what}: register {index!r}")
        if not isinstance(register, bytes) or len(register) not in (32, 48, 64):
            raise Malformed(Reason.WRONG_LENGTH, f"{what}: register {index}")
    return value


def _certificate(value: Any, what: str) -> bytes:
    if not isinstance(value, bytes) or not 1 <= len(value) <= MAX_FIELD:
        raise Malformed(Reason.WRONG_LENGTH, f"{what}: certificate")
    return value


def _cabundle(value: Any, what: str) -> tuple[bytes, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_CABUNDLE:
        raise Malformed(Reason.WRONG_LENGTH, f"{what}: cabundle")
    return tuple(_certificate(one, f"{what}: cabundle") for one in value)


def _field(table: dict[Any, Any], name: str, what: str) -> bytes | None:
    value = table.get(name)
    if value is None:
        return None
    if not isinstance(value, bytes) or len(value) > MAX_FIELD:
        raise Malformed(Reason.WRONG_LENGTH, f"{what}: {name}")
    return value
