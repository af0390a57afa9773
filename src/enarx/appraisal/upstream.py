# SPDX-License-Identifier: Apache-2.0
"""A steward.toml of Enarx 0.7 as a policy in which every expectation is written out.

What upstream always did becomes a value, what it never asked becomes the word `unchecked`, and
what it read without enforcing is enforced; the policy's comments say which is which.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from enarx.appraisal import sgx, snp
from enarx.appraisal.expectation import Hex32, Hex48, Section
from enarx.appraisal.requirement import Requirement
from enarx.appraisal.toml import toml
from enarx.codec import toml as codec_toml
from enarx.errors import Misused, Reason

HEAD = """\
# From a steward.toml of Enarx 0.7, by `enarx policy import`. Upstream bound evidence to the bare
# key only: no nonce, no workload. Tighten what says "unchecked", then `enarx policy check`.
"""

_WHOLE: dict[str, Any] = {
    "security_version": 0,
    "binding": "legacy-spki",
    "freshness": "unchecked",
    "launch_field": "unchecked",
    "workload": "unchecked",
    "package_signers": "unchecked",
    "minimum_package_security_version": "unchecked",
    "revocation": "required",
    "expires": "unchecked",
    "composition": "required",
    "log": "unchecked",
}

_ANY_STATUS = [
    "UpToDate", "SWHardeningNeeded", "ConfigurationNeeded", "ConfigurationAndSWHardeningNeeded", "OutOfDate",
    "OutOfDateConfigurationNeeded",
]  # fmt: skip


class _Sgx(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `[sgx]` as upstream read it."""

    signer: frozenset[Hex32] = frozenset()
    hash: frozenset[Hex32] = frozenset()
    hash_blacklist: frozenset[Hex32] = frozenset()
    features: frozenset[sgx.Feature] | None = None
    enclave_security_version: int | None = None
    enclave_product_id: int | None = None
    misc_select: frozenset[Literal["EXINFO"]] | None = None
    allowed_advisories: tuple[str, ...] | None = None


class _Snp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `[snp]` as upstream read it."""

    signer: frozenset[Hex48] = frozenset()
    hash: frozenset[Hex48] = frozenset()
    hash_blacklist: frozenset[Hex48] = frozenset()
    id_key_digest: frozenset[Hex48] = frozenset()
    id_key_digest_blacklist: frozenset[Hex48] = frozenset()
    abi: Requirement | None = None
    policy_flags: frozenset[Literal["Debug", "SingleSocket", "SMT"]] | None = None
    platform_info_flags: Literal["SME", "TSME"] | None = None


class _Steward(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    sgx: _Sgx | None = None
    snp: _Snp | None = None


def imported(text: bytes, where: str, *, name: str) -> str:
    """The policy file that means what the upstream file meant. `Misused` if it is none."""
    _, table = codec_toml.parse(text, where)
    try:
        steward = msgspec.convert(_lowered(table), _Steward)
    except msgspec.ValidationError as error:
        raise Misused(Reason.SYNTAX, f"{where}: {error}") from None
    lines = [HEAD, *_lines({"name": name, **_WHOLE})]
    if steward.snp is not None:
        lines += ["", "[snp]", *_lines(_snp(steward.snp, where))]
    if steward.sgx is not None:
        lines += ["", "[sgx]", *_lines(_sgx(steward.sgx, where))]
    return "\n".join(lines) + "\n"


def _snp(given: _Snp, where: str) -> dict[str, Any]:
    _sensible(given, f"{where}: snp")
    # Upstream refused debug and migration always, and took reports of VMPL 0 with the author key only.
    always = {"debug": "refused", "migrate_ma": "refused", "vmpl": [0], "author_key": "required"}
    fields = {**_open(snp.unchecked()), **always, **_lists(given)}
    if given.abi is not None:
        fields["abi"] = given.abi
    if given.policy_flags is not None:
        fields |= _policy_flags(given.policy_flags)
    if given.platform_info_flags is not None:
        # Upstream's "SME" is bit 0, which AMD names SMT_EN.
        bit, other = ("SMT", "TSME") if given.platform_info_flags == "SME" else ("TSME", "SMT")
        fields["platform_info_flags"] = {"required": [bit], "refused": [other]}
    return fields


def _policy_flags(listed: frozenset[str]) -> dict[str, Any]:
    """Upstream read the list and enforced nothing: here a flag that is not listed is refused."""
    refused = sorted({"SMT"} - listed)
    required = sorted({"SingleSocket"} & listed)
    debug = {"debug": "unchecked"} if "Debug" in listed else {}
    return {"policy_flags": {"required": required, "refused": refused}, **debug}


def _sgx(given: _Sgx, where: str) -> dict[str, Any]:
    _sensible(given, f"{where}: sgx")
    fields = {**_open(sgx.unchecked()), "debug": "refused", **_lists(given)}
    # With a list of advisories upstream ignored the status, Revoked included; Revoked stays refused.
    fields["tcb_statuses"] = ["UpToDate"] if given.allowed_advisories is None else _ANY_STATUS
    for name in ("features", "enclave_security_version", "enclave_product_id", "misc_select", "allowed_advisories"):
        value = getattr(given, name)
        if value is not None:
            fields[name] = sorted(value) if isinstance(value, (frozenset, tuple)) else value
    if given.features is not None and "Debug" in given.features:
        fields["debug"] = "unchecked"
    return fields


def _sensible(given: _Sgx | _Snp, where: str) -> None:
    """Upstream's own two rules."""
    if not (given.signer or given.hash or given.hash_blacklist):
        raise Misused(Reason.MISSING, f"{where}: one of signer, hash, or hash_blacklist must be specified")
    if given.hash & given.hash_blacklist:
        raise Misused(Reason.INCONSISTENT, f"{where}: hash and hash_blacklist overlap")


def _lists(given: _Sgx | _Snp) -> dict[str, Any]:
    """Lists of digests; an empty allow-list asked nothing upstream."""
    found: dict[str, Any] = {}
    for name in ("signer", "hash", "hash_blacklist", "id_key_digest", "id_key_digest_blacklist"):
        value = getattr(given, name, None)
        if value is not None:
            found[name] = sorted(value) if value or name.endswith("_blacklist") else "unchecked"
    return found


def _open(section: Section) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(section)
    return found


def _lines(fields: dict[str, Any]) -> list[str]:
    return [f"{name} = {toml(value)}" for name, value in fields.items()]


def _lowered(value: Any) -> Any:
    """Digests in lower case; upstream took either."""
    match value:
        case dict():
            return {key: _lowered(one) for key, one in value.items()}
        case list():
            return [one.lower() if isinstance(one, str) and len(one) in (64, 96) else one for one in value]
        case _:
            return value
