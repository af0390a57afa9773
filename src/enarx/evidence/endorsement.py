# SPDX-License-Identifier: Apache-2.0
"""Endorsements as they arrive: bytes from anyone, believed only after authentication.

A caller, the evidence itself, a cache or a vendor's server may supply them; where they came
from makes no difference to the judge.
"""

from __future__ import annotations

from typing import Any

import msgspec

from enarx.codec import cbor
from enarx.errors import Malformed, Reason


class IntelCollateral(msgspec.Struct, frozen=True):
    """What Intel PCS v3/v4 answers for one platform; the JSON documents are the bytes received.

    tcb_info      `{"tcbInfo":…,"signature":…}`
    tcb_chain     TCB-Info-Issuer-Chain, PEM
    qe_identity   `{"enclaveIdentity":…,"signature":…}`
    qe_chain      Enclave-Identity-Issuer-Chain, PEM
    pck_crl       DER (or PEM) of the PCK platform or processor CA's CRL
    pck_crl_chain SGX-PCK-CRL-Issuer-Chain, PEM
    root_crl      DER of the root CA's CRL
    """

    tcb_info: bytes
    tcb_chain: bytes
    qe_identity: bytes
    qe_chain: bytes
    pck_crl: bytes
    pck_crl_chain: bytes
    root_crl: bytes


class Endorsements(msgspec.Struct, frozen=True):
    """Everything that might vouch for a piece of evidence.

    certificates  DER, in no particular order: VCEK, ASK, EK, AK chains, device certificates
    crls          DER
    intel         Intel collateral, or None: there is none and none may be fetched here
    rims          NVIDIA reference integrity manifests (XML), or CoRIM bytes
    ocsp          OCSP responses, DER
    """

    certificates: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    intel: IntelCollateral | None = None
    rims: tuple[bytes, ...] = ()
    ocsp: tuple[bytes, ...] = ()


NOTHING = Endorsements()


def encode(endorsements: Endorsements) -> bytes:
    """Endorsements as deterministic CBOR: one map, an empty item's key absent."""
    table: dict[str, object] = {name: list(getattr(endorsements, name)) for name in _LISTS}
    if endorsements.intel is not None:
        table["intel"] = {name: getattr(endorsements.intel, name) for name in IntelCollateral.__struct_fields__}
    return cbor.encode({name: value for name, value in table.items() if value})


def decode(raw: bytes) -> Endorsements:
    """Endorsements as someone sent them; `Malformed` unless every key is known and holds bytes."""
    table: Any = cbor.decode_canonical(raw, "endorsements")
    if not isinstance(table, dict) or table.keys() - {*_LISTS, "intel"}:
        raise Malformed(Reason.UNKNOWN_KEY, "endorsements")
    lists = {name: _byte_strings(table.get(name, []), name) for name in _LISTS}
    return Endorsements(**lists, intel=_intel(table["intel"]) if "intel" in table else None)


_LISTS = ("certificates", "crls", "rims", "ocsp")
MAX_ITEMS = 64


def _byte_strings(value: object, name: str) -> tuple[bytes, ...]:
    if not isinstance(value, list) or not all(isinstance(one, bytes) for one in value):
        raise Malformed(Reason.WRONG_TYPE, f"endorsements: {name}")
    if len(value) > MAX_ITEMS:
        raise Malformed(Reason.TOO_LARGE, f"endorsements: {len(value)} {name}, at most {MAX_ITEMS}")
    return tuple(value)


def _intel(value: object) -> IntelCollateral:
    names = IntelCollateral.__struct_fields__
    if not isinstance(value, dict) or set(value) != set(names):
        raise Malformed(Reason.MISSING, "endorsements: intel")
    if not all(isinstance(one, bytes) for one in value.values()):
        raise Malformed(Reason.WRONG_TYPE, "endorsements: intel")
    return IntelCollateral(**value)
