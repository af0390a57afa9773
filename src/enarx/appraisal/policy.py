# SPDX-License-Identifier: Apache-2.0
"""What is good enough: the tenant's policy, read whole and strictly.

TOML with upstream's steward.toml keys where it had them. Unknown keys are refused, every
expectation is required or is the word `unchecked`, and a technology without a section is not
accepted at all.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from enarx.appraisal.azure import AzurePolicy
from enarx.appraisal.boot_events import Events
from enarx.appraisal.cca import CcaPolicy, PsaPolicy
from enarx.appraisal.expectation import UNCHECKED, Hex32Set, Unchecked
from enarx.appraisal.nitro import NitroPolicy, NitroTpmPolicy
from enarx.appraisal.none import NonePolicy
from enarx.appraisal.nvidia import NvidiaGpuPolicy, NvidiaSwitchPolicy
from enarx.appraisal.sgx import SgxPolicy
from enarx.appraisal.snp import SnpPolicy
from enarx.appraisal.tdx import TdxPolicy
from enarx.appraisal.tpm import TpmPolicy
from enarx.codec import toml
from enarx.codec.digest import sha256
from enarx.errors import Misused, Reason


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A policy. A missing section accepts nothing of its technology.

    name               for people and for results
    security_version   only grows: a lower one never replaces a higher
    binding            the form in which evidence must be tied to the key
    freshness          "nonce": over a nonce of this verifier
    launch_field       "required": the TEE's launch field holds the launch digest; "late": it
                       may be empty (warm Keeps)
    workload           package digests that may run
    package_signers    SHA-256 of the SubjectPublicKeyInfo of keys that sign packages
    minimum_package_security_version   of a package, as its signature says
    revocation         "required": an answer about revocation, or Undetermined
    expires            after this instant the policy accepts nothing; "unchecked" is never
    composition        "required": members of a collection are linked by cryptography
    log                "required": `enarx verify` finds the certificate in the Steward's log
    """

    name: str
    security_version: int
    binding: Literal["enarx-binding-1", "legacy-spki", "unchecked"]
    freshness: Literal["nonce", "unchecked"]
    launch_field: Literal["required", "late", "unchecked"]
    workload: Hex32Set
    package_signers: Hex32Set
    minimum_package_security_version: int | Unchecked
    revocation: Literal["required", "unchecked"]
    expires: Annotated[datetime, msgspec.Meta(tz=True)] | None
    composition: Literal["required", "unchecked"] = "required"
    log: Literal["required", "unchecked"] = "required"

    snp: SnpPolicy | None = None
    sgx: SgxPolicy | None = None
    tdx: TdxPolicy | None = None
    nitro: NitroPolicy | None = None
    nitrotpm: NitroTpmPolicy | None = None
    tpm: TpmPolicy | None = None
    azure: AzurePolicy | None = None
    nvidia_gpu: NvidiaGpuPolicy | None = msgspec.field(default=None, name="nvidia-gpu")
    nvidia_switch: NvidiaSwitchPolicy | None = msgspec.field(default=None, name="nvidia-switch")
    cca: CcaPolicy | None = None
    psa: PsaPolicy | None = None
    none: NonePolicy | None = None


class Loaded(msgspec.Struct, frozen=True):
    """A policy with the SHA-256 of the file that said it.

    references  reference values that were joined to it: name, version and digest, for results
    events      what they list of boot logs, to say where a register's difference is
    """

    policy: Policy
    digest: bytes
    references: tuple[str, ...] = ()
    events: Events = {}


def load(text: bytes, where: str) -> Loaded:
    """Read a policy file. `where` names it in errors, which are `Misused` and give the key."""
    _, table = toml.parse(text, where)
    if table.get("expires") == UNCHECKED:
        table["expires"] = None
    try:
        policy = msgspec.convert(_folded(table), Policy)
    except msgspec.ValidationError as error:
        reason = _reason(str(error))
        raise Misused(reason, f"{where}: {_said(str(error))}", hint=_HINTS[reason]) from None
    _consistent(policy, where)
    return Loaded(policy, sha256(text))


def _consistent(policy: Policy, where: str) -> None:
    """Refuse combinations that would promise what nothing can check."""
    if policy.binding == "legacy-spki" and not (policy.freshness == policy.workload == UNCHECKED):
        raise Misused(
            Reason.INCONSISTENT,
            f'{where}: binding "legacy-spki" holds neither nonce nor launch',
            hint='write freshness = "unchecked" and workload = "unchecked"',
        )
    if policy.binding == UNCHECKED and policy.freshness != UNCHECKED:
        raise Misused(
            Reason.INCONSISTENT,
            f"{where}: freshness without binding",
            hint='a nonce is only in a binding: write binding = "enarx-binding-1"',
        )
    if policy.binding == UNCHECKED and policy.launch_field != "required" and policy.workload != UNCHECKED:
        raise Misused(
            Reason.INCONSISTENT,
            f"{where}: workload without binding",
            hint="only a binding or a required launch_field ties evidence to a workload",
        )


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a policy, as the TOML file's table."""
    made = msgspec.json.schema(Policy)
    expires = made["$defs"]["Policy"]["properties"]["expires"]
    expires["anyOf"] = [{"const": UNCHECKED} if kind == {"type": "null"} else kind for kind in expires["anyOf"]]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Enarx policy", **made}


_HINTS = {
    Reason.MISSING: 'every expectation is written out; to leave one open, write "unchecked"; '
    "`enarx policy init` writes a section with all of its keys",
    Reason.UNKNOWN_KEY: "`enarx policy schema` lists the keys",
    Reason.WRONG_TYPE: "`enarx policy schema` says what it may be",
}
_HEXADECIMAL = re.compile(r"(?:[0-9A-Fa-f]{2}){4,}")


def _folded(value: Any) -> Any:
    """Hexadecimal text in lower case, so that one spelling is compared with one spelling."""
    match value:
        case dict():
            return {key: _folded(one) for key, one in value.items()}
        case list():
            return [_folded(one) for one in value]
        case str() if _HEXADECIMAL.fullmatch(value):
            return value.lower()
        case _:
            return value


def _reason(said: str) -> Reason:
    if "unknown field" in said:
        return Reason.UNKNOWN_KEY
    return Reason.MISSING if "missing required" in said else Reason.WRONG_TYPE


def _said(text: str) -> str:
    """Msgspec's message with the place first, in our words: `snp.vmpl: expected …`, `snp: key 'vmpl' is missing`."""
    said, _, place = text.partition(" - at `$")
    place = place.rstrip("`").lstrip(".")
    said = re.sub(r"^Object missing required field `(.*)`$", r"key '\1' is missing", said)
    said = re.sub(r"^Object contains unknown field `(.*)`$", r"unknown key '\1'", said)
    said = said[0].lower() + said[1:].replace("`", "'")
    return f"{place}: {said}" if place else said
