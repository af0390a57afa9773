# SPDX-License-Identifier: Apache-2.0
"""What a policy may ask of an Intel TDX trust domain, and the answer to each question."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from enarx.appraisal.expectation import (
    UNCHECKED,
    Hex48,
    Hex48Set,
    Unchecked,
    among,
    failed,
    holds,
    not_among,
    open_,
    passed,
)
from enarx.appraisal.intel import Components, IntelPolicy, appraise_platform, components, drafted_platform
from enarx.errors import Reason
from enarx.evidence.check import Check
from enarx.evidence.tdx import TdxClaims
from enarx.evidence.tdx_report import KEY_LOCKER, MIGRATABLE, PERFMON, PKS, SEPT_VE_DISABLE, TdReport

Hex8Set = frozenset[Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}$")]] | Unchecked
Bit = Literal["required", "refused", "unchecked"]

_BITS = {
    "sept_ve_disable": SEPT_VE_DISABLE,
    "migratable": MIGRATABLE,
    "pks": PKS,
    "key_locker": KEY_LOCKER,
    "perfmon": PERFMON,
}
_REGISTERS = ("mrconfigid", "mrowner", "mrownerconfig", "rtmr0", "rtmr1", "rtmr2", "rtmr3")
_BOOT = frozenset({"RTMR0", "RTMR1", "RTMR2"})
_NO_SERVICE = bytes(48)


class TdxPolicy(IntelPolicy, frozen=True, kw_only=True):
    """Section `[tdx]`, with what `IntelPolicy` asks. Measurements have 48 bytes.

    mrtd               the initial contents that may run
    mrtd_blacklist     those that may not, whatever `mrtd` says
    rtmr0 … rtmr3      what may have been measured at run time
    event_log          "required": a boot log (CCEL) came along that explains RTMR0, RTMR1 and RTMR2
    mrconfigid, mrowner, mrownerconfig   the configuration and owner that the launcher set
    mrservicetd        service trust domains that may be bound; all zero is none, as before TD 1.5
    mrseam             TDX modules that may run, by their measurement
    mrsignerseam       signers of TDX modules; Intel's own is all zero
    tee_tcb_svn        TEE_TCB_SVN, each of its 16 bytes at least this
    td_attributes      TDATTRIBUTES accepted, 8 bytes as in the report
    sept_ve_disable    the guest, not the host, decides on #VE: leave it "required"
    migratable, pks, key_locker, perfmon   other bits of TDATTRIBUTES
    xfam               XFAMs accepted, 8 bytes as in the report
    """

    mrtd: Hex48Set
    mrtd_blacklist: frozenset[Hex48]
    rtmr0: Hex48Set
    rtmr1: Hex48Set
    rtmr2: Hex48Set
    rtmr3: Hex48Set
    event_log: Literal["required", "unchecked"]
    mrconfigid: Hex48Set
    mrowner: Hex48Set
    mrownerconfig: Hex48Set
    mrservicetd: Hex48Set
    mrseam: Hex48Set
    mrsignerseam: Hex48Set
    tee_tcb_svn: Components
    td_attributes: Hex8Set
    sept_ve_disable: Bit
    migratable: Bit
    pks: Bit
    key_locker: Bit
    perfmon: Bit
    xfam: Hex8Set


def unchecked() -> TdxPolicy:
    """The built-in of `enarx vectors`: debug is refused, all else is left open."""
    fields: dict[str, object] = dict.fromkeys(TdxPolicy.__struct_fields__, UNCHECKED)
    fields |= {name: [] for name in fields if name.endswith("_blacklist")}
    return msgspec.convert({**fields, "debug": "refused"}, TdxPolicy)


def appraise(claims: TdxClaims, policy: TdxPolicy, *, when: datetime) -> tuple[Check, ...]:
    """Every check of the section, whatever the others say."""
    return (
        *_measurements(claims.domain, policy),
        _explained(claims, policy),
        *_attributes(claims.domain, policy),
        *_module(claims.domain, policy),
        *appraise_platform(claims, policy, "tdx", when=when),
    )


def _measurements(domain: TdReport, policy: TdxPolicy) -> tuple[Check, ...]:
    """What was launched and measured since, and for whom."""
    return (
        among("MRTD", domain.mrtd, policy.mrtd, reason=Reason.MEASUREMENT_NOT_ACCEPTED,
              source="policy: tdx.mrtd", mend="build the image that the policy names, or add this measurement to it"),
        not_among("MRTD", domain.mrtd, policy.mrtd_blacklist,
                  reason=Reason.MEASUREMENT_DENIED, source="policy: tdx.mrtd_blacklist"),
        *(among(name.upper(), getattr(domain, name), getattr(policy, name),
                reason=Reason.MEASUREMENT_NOT_ACCEPTED if name[:4] == "rtmr" else Reason.FIELD_NOT_ACCEPTED,
                source=f"policy: tdx.{name}") for name in _REGISTERS),
        among("MRSERVICETD", domain.mrservicetd or _NO_SERVICE, policy.mrservicetd,
              reason=Reason.FIELD_NOT_ACCEPTED, source="policy: tdx.mrservicetd"),
    )  # fmt: skip


def _explained(claims: TdxClaims, policy: TdxPolicy) -> Check:
    """RTMR3 is left out: programs of the guest extend it, and keep no log there (UEFI 2.10, section 38.4.1)."""
    replayed, place = claims.replayed, "policy: tdx.event_log"
    fact = "none given" if replayed is None else f"leads to {', '.join(sorted(replayed)) or 'no register'}"
    return holds("boot log", fact, policy.event_log, lambda: (replayed or frozenset()) >= _BOOT,
                 reason=Reason.BOOT_NOT_MEASURED if replayed is None else Reason.EVENT_LOG_MISMATCH,
                 expectation="leads to RTMR0, RTMR1 and RTMR2", source=place,
                 mend="send the log with the quote: /sys/firmware/acpi/tables/data/CCEL")  # fmt: skip


def _attributes(domain: TdReport, policy: TdxPolicy) -> tuple[Check, ...]:
    """What the trust domain lets the host do, and which processor features it uses."""
    found = domain.attributes()
    return (
        among("TDATTRIBUTES", domain.td_attributes, policy.td_attributes,
              reason=Reason.GUEST_POLICY, source="policy: tdx.td_attributes"),
        *(_bit(name, found & bit != 0, getattr(policy, name)) for name, bit in _BITS.items()),
        among("XFAM", domain.xfam, policy.xfam, reason=Reason.GUEST_POLICY, source="policy: tdx.xfam"),
    )  # fmt: skip


def _module(domain: TdReport, policy: TdxPolicy) -> tuple[Check, ...]:
    """Which TDX module guards it."""
    return (
        among("MRSEAM", domain.mrseam, policy.mrseam,
              reason=Reason.MEASUREMENT_NOT_ACCEPTED, source="policy: tdx.mrseam"),
        among("MRSIGNERSEAM", domain.mrsignerseam, policy.mrsignerseam,
              reason=Reason.SIGNER_NOT_ACCEPTED, source="policy: tdx.mrsignerseam"),
        components("TEE_TCB_SVN", domain.tee_tcb_svn, policy.tee_tcb_svn, "policy: tdx.tee_tcb_svn"),
    )  # fmt: skip


def _bit(name: str, found: bool, wanted: Bit) -> Check:  # noqa: FBT001
    label, source, fact = name.upper(), f"policy: tdx.{name}", "set" if found else "clear"
    if wanted == "unchecked":
        return open_(label, fact, source)
    if found == (wanted == "required"):
        return passed(label, fact, wanted, source)
    return failed(label, Reason.GUEST_POLICY, fact, wanted, source)


def drafted(claims: TdxClaims, *, when: datetime) -> TdxPolicy:
    """The section that these claims satisfy at `when`, and hardly any others: a policy to start from."""
    domain = claims.domain
    named = ("mrtd", *_REGISTERS, "mrseam", "mrsignerseam", "td_attributes", "xfam")
    bits = {name: "required" if domain.attributes() & bit else "refused" for name, bit in _BITS.items()}
    return msgspec.convert(
        {
            **drafted_platform(claims, when=when),
            **{name: [getattr(domain, name).hex()] for name in named},
            **bits,
            "event_log": "required" if (claims.replayed or frozenset()) >= _BOOT else "unchecked",
            "mrtd_blacklist": [],
            "mrservicetd": [(domain.mrservicetd or _NO_SERVICE).hex()],
            "tee_tcb_svn": domain.tee_tcb_svn.hex(),
        },
        TdxPolicy,
    )
