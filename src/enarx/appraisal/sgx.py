# SPDX-License-Identifier: Apache-2.0
"""What a policy may ask of an Intel SGX enclave, and the answer to each question."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from enarx.appraisal.expectation import (
    UNCHECKED,
    Hex16Set,
    Hex32,
    Hex32Set,
    Hex64Set,
    Unchecked,
    among,
    at_least,
    failed,
    holds,
    not_among,
    open_,
    passed,
)
from enarx.appraisal.intel import IntelPolicy, Svn, appraise_platform, drafted_platform
from enarx.errors import Reason
from enarx.evidence.check import Check
from enarx.evidence.sgx import SgxClaims
from enarx.evidence.sgx_report import CET, DEBUG, EINITTOKEN_KEY, KSS, MODE64, PROVISION_KEY, EnclaveReport

Xfrm = Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{16}|unchecked)$")]
Feature = Literal["CET", "Debug", "EInitKey", "KSS", "ProvisioningKey"]

_INIT = 1 << 0
_FEATURES = {"CET": CET, "Debug": DEBUG, "EInitKey": EINITTOKEN_KEY, "KSS": KSS, "ProvisioningKey": PROVISION_KEY}
_MISC = {"EXINFO": 1 << 0}


class SgxPolicy(IntelPolicy, frozen=True, kw_only=True):
    """Section `[sgx]`, with what `IntelPolicy` asks. Keys are upstream's where it had them.

    hash                      MRENCLAVEs that may run, 32 bytes
    hash_blacklist            those that may not, whatever `hash` says
    signer                    MRSIGNERs that may sign, 32 bytes
    signer_blacklist          those that may not
    features                  attributes that may be set beside INIT and MODE64BIT; no other flag may
    misc_select               MISCSELECT bits that may be set; no other may
    xfrm                      processor features that may be in use, 8 bytes as in the report; no other may
    enclave_product_id        ISVPRODID, exactly
    enclave_security_version  ISVSVN, at least
    config_id                 CONFIGIDs accepted, 64 bytes
    config_svn                CONFIGSVN, at least
    family_id                 ISVFAMILYIDs accepted, 16 bytes
    extended_product_id       ISVEXTPRODIDs accepted, 16 bytes
    """

    hash: Hex32Set
    hash_blacklist: frozenset[Hex32]
    signer: Hex32Set
    signer_blacklist: frozenset[Hex32]
    features: frozenset[Feature] | Unchecked
    misc_select: frozenset[Literal["EXINFO"]] | Unchecked
    xfrm: Xfrm
    enclave_product_id: Svn | Unchecked
    enclave_security_version: Svn | Unchecked
    config_id: Hex64Set
    config_svn: Svn | Unchecked
    family_id: Hex16Set
    extended_product_id: Hex16Set


def unchecked() -> SgxPolicy:
    """The built-in of `enarx vectors`: debug is refused, all else is left open."""
    fields: dict[str, object] = dict.fromkeys(SgxPolicy.__struct_fields__, UNCHECKED)
    fields |= {name: [] for name in fields if name.endswith("_blacklist")}
    return msgspec.convert({**fields, "debug": "refused"}, SgxPolicy)


def appraise(claims: SgxClaims, policy: SgxPolicy, *, when: datetime) -> tuple[Check, ...]:
    """Every check of the section, whatever the others say."""
    return (*_enclave(claims.enclave, policy), *_setup(claims.enclave, policy),
            *appraise_platform(claims, policy, "sgx", when=when))  # fmt: skip


def _enclave(enclave: EnclaveReport, policy: SgxPolicy) -> tuple[Check, ...]:
    """Which enclave it is, and whose."""
    return (
        among("MRENCLAVE", enclave.mrenclave, policy.hash, reason=Reason.MEASUREMENT_NOT_ACCEPTED,
              source="policy: sgx.hash", mend="build the enclave that the policy names, or add this measurement to it"),
        not_among("MRENCLAVE", enclave.mrenclave, policy.hash_blacklist,
                  reason=Reason.MEASUREMENT_DENIED, source="policy: sgx.hash_blacklist"),
        among("MRSIGNER", enclave.mrsigner, policy.signer,
              reason=Reason.SIGNER_NOT_ACCEPTED, source="policy: sgx.signer"),
        not_among("MRSIGNER", enclave.mrsigner, policy.signer_blacklist,
                  reason=Reason.SIGNER_DENIED, source="policy: sgx.signer_blacklist"),
        holds("ISVPRODID", enclave.isvprodid, policy.enclave_product_id,
              lambda: enclave.isvprodid == policy.enclave_product_id,
              reason=Reason.FIELD_NOT_ACCEPTED, source="policy: sgx.enclave_product_id"),
        at_least("ISVSVN", enclave.isvsvn, policy.enclave_security_version,
                 reason=Reason.SECURITY_VERSION_TOO_LOW, source="policy: sgx.enclave_security_version"),
        among("ISVFAMILYID", enclave.isv_family_id, policy.family_id,
              reason=Reason.FIELD_NOT_ACCEPTED, source="policy: sgx.family_id"),
        among("ISVEXTPRODID", enclave.isv_ext_prod_id, policy.extended_product_id,
              reason=Reason.FIELD_NOT_ACCEPTED, source="policy: sgx.extended_product_id"),
    )  # fmt: skip


def _setup(enclave: EnclaveReport, policy: SgxPolicy) -> tuple[Check, ...]:
    """How it was set up: attributes, and the configuration that its launcher gave."""
    xfrm: int | Unchecked = UNCHECKED
    if policy.xfrm != UNCHECKED:
        xfrm = int.from_bytes(bytes.fromhex(policy.xfrm), "little")
    return (
        _within("ATTRIBUTES.FLAGS", enclave.flags(), _mask(policy.features, _FEATURES, _INIT | MODE64),
                "policy: sgx.features"),
        _within("MISCSELECT", int.from_bytes(enclave.misc_select, "little"), _mask(policy.misc_select, _MISC, 0),
                "policy: sgx.misc_select"),
        _within("ATTRIBUTES.XFRM", int.from_bytes(enclave.attributes[8:], "little"), xfrm, "policy: sgx.xfrm"),
        among("CONFIGID", enclave.config_id, policy.config_id,
              reason=Reason.FIELD_NOT_ACCEPTED, source="policy: sgx.config_id"),
        at_least("CONFIGSVN", enclave.config_svn, policy.config_svn,
                 reason=Reason.SECURITY_VERSION_TOO_LOW, source="policy: sgx.config_svn"),
    )  # fmt: skip


def _mask(names: frozenset[Any] | Unchecked, bits: dict[str, int], always: int) -> int | Unchecked:
    return names if isinstance(names, str) else sum((bits[name] for name in names), always)


def _within(name: str, found: int, allowed: int | Unchecked, source: str) -> Check:
    """No bit but those allowed."""
    fact = f"{found:#x}"
    if isinstance(allowed, str):
        return open_(name, fact, source)
    said = f"no bit beside {allowed:#x}"
    if found & ~allowed:
        return failed(name, Reason.FIELD_NOT_ACCEPTED, fact, said, source)
    return passed(name, fact, said, source)


def drafted(claims: SgxClaims, *, when: datetime) -> SgxPolicy:
    """The section that these claims satisfy at `when`, and hardly any others: a policy to start from."""
    enclave = claims.enclave
    return msgspec.convert(
        {
            **drafted_platform(claims, when=when),
            "hash": [enclave.mrenclave.hex()],
            "hash_blacklist": [],
            "signer": [enclave.mrsigner.hex()],
            "signer_blacklist": [],
            "features": [name for name, bit in _FEATURES.items() if enclave.flags() & bit],
            "misc_select": [name for name, bit in _MISC.items() if enclave.misc_select[0] & bit],
            "xfrm": enclave.attributes[8:].hex(),
            "enclave_product_id": enclave.isvprodid,
            "enclave_security_version": enclave.isvsvn,
            "config_id": [enclave.config_id.hex()],
            "config_svn": enclave.config_svn,
            "family_id": [enclave.isv_family_id.hex()],
            "extended_product_id": [enclave.isv_ext_prod_id.hex()],
        },
        SgxPolicy,
    )
