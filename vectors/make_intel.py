# SPDX-License-Identifier: Apache-2.0
"""Makes vectors/policy/sgx and vectors/policy/tdx: `python vectors/make_intel.py`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from field_vectors import WHEN, Refusal, write

from enarx.evidence import intel_quote
from enarx.evidence.event_kinds import EV_SEPARATOR
from enarx.evidence.event_log import parse, replay
from enarx.evidence.intel_tcb_info import COMPONENTS
from enarx.platform.simulated import intel_documents
from enarx.platform.simulated.boot_log import Measurement, written
from enarx.platform.simulated.intel_quote import Machine, platform
from enarx.platform.simulated.sgx import NO_SVN, SimulatedSgx
from enarx.platform.simulated.tdx import TEE_TCB_SVN, SimulatedTdx

OTHER6, OTHER8, OTHER16, OTHER32, OTHER48, OTHER64 = ("ee" * size for size in (6, 8, 16, 32, 48, 64))
PPID = b"\x44" * 16
SERVER = platform(ppid=PPID, piid=b"\x45" * 16)
FLAGS = bytes.fromhex("8500000000000000")
"""INIT, MODE64BIT and KSS."""
LOG = written(tuple(Measurement(index, EV_SEPARATOR, bytes(4)) for index in (1, 2, 3)), ("sha-384",))
"""A boot log of a trust domain: measurement registers 1 to 3 are RTMR0 to RTMR2."""
OVERDUE = WHEN - timedelta(days=100)


def outdated(tee: str, svn: bytes) -> dict[str, Any]:
    """A TCB info in which this platform has been OutOfDate for a hundred days, with one advisory."""
    level = intel_documents.level(
        3, SERVER.components, SERVER.pcesvn, svn, tee, "OutOfDate", OVERDUE + timedelta(days=30), "INTEL-SA-01234"
    )
    return intel_documents.tcb_info(tee, SERVER, svn, WHEN, tcbLevels=[level])


def accepting() -> dict[str, Any]:
    """What `[sgx]` and `[tdx]` share, each stated."""
    return {
        "debug": "refused",
        "tcb_statuses": ["UpToDate", "OutOfDate"],
        "grace_period_days": 120,
        "allowed_advisories": ["INTEL-SA-01234"],
        "tcb_evaluation_data_number": intel_documents.EVALUATION,
        "collateral_age_days": 10,
        "minimum_tcb": SERVER.components.hex(),
        "pce_svn": SERVER.pcesvn,
        "qe_svn": 8,
        "platforms": [PPID.hex()],
        "fmspc": [SERVER.fmspc.hex()],
        "generations": ["sapphire-rapids"],
        "sgx_types": ["scalable"],
        "dynamic_platform": "refused",
        "cached_keys": "refused",
        "smt": "refused",
    }


def refusals(simulated: type[SimulatedSgx | SimulatedTdx], machine: Machine, **fields: Any) -> dict[str, Refusal]:
    """How each field that they share refuses alone."""
    overdue = simulated.made(WHEN, machine=machine, **fields)
    tee, svn = ("SGX", NO_SVN) if simulated is SimulatedSgx else ("TDX", TEE_TCB_SVN)
    old = overdue.endorsements(info=outdated(tee, svn))
    stale = overdue.endorsements(
        info=intel_documents.tcb_info(tee, SERVER, svn, WHEN, issueDate=intel_documents.date(WHEN - timedelta(days=11)))
    )
    higher = bytearray(SERVER.components)
    higher[COMPONENTS - 1] += 1
    return {
        "tcb_statuses": Refusal(["UpToDate"], "tcb-status", {}, None, old),
        "grace_period_days": Refusal(90, "tcb-status", {}, None, old),
        "allowed_advisories": Refusal([], "advisory", {}, None, old),
        "tcb_evaluation_data_number": Refusal(intel_documents.EVALUATION + 1, "tcb-too-low"),
        "collateral_age_days": Refusal(10, "not-fresh", {}, None, stale),
        "minimum_tcb": Refusal(higher.hex(), "tcb-too-low"),
        "pce_svn": Refusal(SERVER.pcesvn + 1, "tcb-too-low"),
        "qe_svn": Refusal(9, "tcb-too-low"),
        "platforms": Refusal([OTHER16], "platform-not-accepted"),
        "fmspc": Refusal([OTHER6], "platform-not-accepted"),
        "generations": Refusal(["ice-lake-sp"], "generation-not-accepted"),
        "sgx_types": Refusal(["standard", "scalable-with-integrity"], "platform-configuration"),
        **{name: _configured(simulated, machine, fields, name) for name in ("dynamic_platform", "cached_keys", "smt")},
    }


def _configured(
    simulated: type[SimulatedSgx | SimulatedTdx], machine: Machine, fields: dict[str, Any], name: str
) -> Refusal:
    """A machine of the same vendor on which one thing is configured otherwise."""
    described = platform(ppid=PPID, piid=b"\x45" * 16, **{name: True})
    kind = intel_quote.SGX if simulated is SimulatedSgx else intel_quote.TDX
    other = simulated.made(WHEN, machine=Machine.made(WHEN, kind, intel=machine.intel, described=described), **fields)
    quote = other.quote(b"") if isinstance(other, SimulatedSgx) else other.quote(b"", version=5)
    return Refusal("refused", "platform-configuration", {}, quote, other.endorsements())


def make_sgx() -> None:
    """An enclave whose report says something in every field."""
    machine = Machine.made(WHEN, intel_quote.SGX, described=SERVER)
    fields: dict[str, Any] = {
        "mrenclave": b"\x11" * 32,
        "mrsigner": b"\x22" * 32,
        "attributes": FLAGS + bytes.fromhex("e700000000000000"),
        "misc_select": b"\x01\0\0\0",
        "isvprodid": 3,
        "isvsvn": 5,
        "config_id": b"\x66" * 64,
        "config_svn": 2,
        "isv_family_id": b"\x77" * 16,
        "isv_ext_prod_id": b"\x88" * 16,
    }
    enclave = SimulatedSgx.made(WHEN, machine=machine, **fields)
    section = {
        **accepting(),
        "hash": ["11" * 32],
        "hash_blacklist": [OTHER32],
        "signer": ["22" * 32],
        "signer_blacklist": [OTHER32],
        "features": ["KSS"],
        "misc_select": ["EXINFO"],
        "xfrm": "e700000000000000",
        "enclave_product_id": 3,
        "enclave_security_version": 5,
        "config_id": ["66" * 64],
        "config_svn": 2,
        "family_id": ["77" * 16],
        "extended_product_id": ["88" * 16],
    }
    debugged = fields | {"attributes": bytes.fromhex("8700000000000000e700000000000000")}
    own = {
        "debug": Refusal("refused", "debug-enabled", {"features": ["KSS", "Debug"]}, enclave.quote(b"", **debugged)),
        "hash": Refusal([OTHER32], "measurement-not-accepted"),
        "hash_blacklist": Refusal(["11" * 32], "measurement-denied"),
        "signer": Refusal([OTHER32], "signer-not-accepted"),
        "signer_blacklist": Refusal(["22" * 32], "signer-denied"),
        "features": Refusal(["CET"], "field-not-accepted"),
        "misc_select": Refusal([], "field-not-accepted"),
        "xfrm": Refusal("0700000000000000", "field-not-accepted"),
        "enclave_product_id": Refusal(4, "field-not-accepted"),
        "enclave_security_version": Refusal(6, "security-version-too-low"),
        "config_id": Refusal([OTHER64], "field-not-accepted"),
        "config_svn": Refusal(3, "security-version-too-low"),
        "family_id": Refusal([OTHER16], "field-not-accepted"),
        "extended_product_id": Refusal([OTHER16], "field-not-accepted"),
    }
    shared = refusals(SimulatedSgx, machine, **fields)
    write("sgx", enclave.quote(b""), enclave.endorsements(), enclave.anchors(), section, {**shared, **own})


def make_tdx() -> None:
    """A trust domain of TD 1.5 whose report says something in every field."""
    machine = Machine.made(WHEN, intel_quote.TDX, described=SERVER)
    attributes = 1 << 28 | 1 << 30
    fields: dict[str, Any] = (
        {
            name: bytes([0x11 + at]) * 48
            for at, name in enumerate(
                ("mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3", "mrconfigid", "mrowner", "mrownerconfig", "mrseam")
            )
        }
        | {f"rtmr{at}": replay(parse(LOG), "sha-384")[at + 1] for at in range(3)}
        | {"td_attributes": attributes.to_bytes(8, "little"), "mrservicetd": b"\x55" * 48}
    )
    domain = SimulatedTdx.made(WHEN, machine=machine, **fields)
    genuine = domain.quote(b"", version=5)
    registers = {name: [value.hex()] for name, value in fields.items() if len(value) == 48}
    bits = {"sept_ve_disable": "required", "migratable": "refused", "pks": "required", "key_locker": "refused",
            "perfmon": "refused"}  # fmt: skip
    section = {
        **accepting(),
        **registers,
        **bits,
        "event_log": "required",
        "mrtd_blacklist": [OTHER48],
        "mrsignerseam": ["00" * 48],
        "tee_tcb_svn": TEE_TCB_SVN.hex(),
        "td_attributes": [fields["td_attributes"].hex()],
        "xfam": ["e702060000000000"],
    }
    higher = bytearray(TEE_TCB_SVN)
    higher[2] += 1
    debugged = (attributes | 1).to_bytes(8, "little")
    measured = dict.fromkeys(("mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3", "mrseam"), "measurement-not-accepted")
    set_by_others = dict.fromkeys(("mrconfigid", "mrowner", "mrownerconfig", "mrservicetd"), "field-not-accepted")
    own = {
        "debug": Refusal(
            "refused",
            "debug-enabled",
            {"td_attributes": [debugged.hex()]},
            domain.quote(b"", version=5, td_attributes=debugged),
        ),
        **{name: Refusal([OTHER48], reason) for name, reason in (measured | set_by_others).items()},
        **{
            name: Refusal("refused" if wanted == "required" else "required", "guest-policy")
            for name, wanted in bits.items()
        },
        "event_log": Refusal("required", "boot-not-measured", parts={}),
        "mrtd_blacklist": Refusal(["11" * 48], "measurement-denied"),
        "mrsignerseam": Refusal([OTHER48], "signer-not-accepted"),
        "tee_tcb_svn": Refusal(higher.hex(), "tcb-too-low"),
        "td_attributes": Refusal([OTHER8], "guest-policy"),
        "xfam": Refusal([OTHER8], "guest-policy"),
    }
    shared = refusals(SimulatedTdx, machine, **fields)
    parts = {"event_log": LOG}
    write("tdx", genuine, domain.endorsements(), domain.anchors(), section, {**shared, **own}, parts)


if __name__ == "__main__":
    make_sgx()
    make_tdx()
