# SPDX-License-Identifier: Apache-2.0
"""Makes vectors/policy/whole: `python vectors/make_whole.py`.

What a policy asks of all members together. Each folder has `policy.toml`, and `expected.toml`
with what the verifier expects of its own; `genuine/` is accepted, `FIELD/` refused by that
field alone. `members` says how often the one report is judged as if it were several.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from field_vectors import COMMON, ROOT, WHEN, policy, toml

from enarx.appraisal import snp
from enarx.evidence.binding import Binding, Purpose
from enarx.evidence.endorsement import encode
from enarx.platform.simulated.snp import SimulatedAmd, SimulatedSnp

LAUNCH, PACKAGE, SIGNER = b"\x21" * 32, b"\x31" * 32, b"\x41" * 32
OTHER = "ee" * 32
BINDING = Binding(purpose=Purpose.CHANNEL, spki=b"\x01" * 48, nonce=b"\x02" * 32, launch=LAUNCH, exporter=b"\x03" * 32)

ACCEPTING: dict[str, Any] = {
    **COMMON,
    "binding": "enarx-binding-1",
    "freshness": "nonce",
    "launch_field": "required",
    "workload": [PACKAGE.hex()],
    "package_signers": [SIGNER.hex()],
    "minimum_package_security_version": 3,
    "revocation": "required",
    "expires": datetime(2026, 2, 1, tzinfo=UTC),
    "composition": "required",
}

EXPECTED: dict[str, Any] = {
    "binding": BINDING.encoded().hex(),
    "fresh": True,
    "launch": LAUNCH.hex(),
    "package": PACKAGE.hex(),
    "signers": [SIGNER.hex()],
    "package_security_version": 3,
    "members": 1,
    "linked": [],
    "crl": True,
}

OTHER_NONCE = msgspec.structs.replace(BINDING, nonce=b"\x04" * 32).encoded().hex()
REFUSALS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "binding": ("binding-mismatch", {}, {"binding": OTHER_NONCE}),
    "freshness": ("not-fresh", {}, {"fresh": False}),
    "launch_field": ("launch-mismatch", {}, {"launch": OTHER}),
    "workload": ("workload-mismatch", {"workload": [OTHER]}, {}),
    "package_signers": ("signer-not-accepted", {"package_signers": [OTHER]}, {}),
    "minimum_package_security_version": (
        "security-version-too-low",
        {"minimum_package_security_version": 4},
        {},
    ),
    "revocation": ("revocation-unchecked", {}, {"crl": False}),
    "expires": ("expired", {"expires": datetime(2025, 12, 31, tzinfo=UTC)}, {}),
    "composition": ("composition-unproven", {}, {"members": 2}),
}


def main() -> None:
    """One simulated chip, one report, and a policy for each field."""
    folder = ROOT / "whole"
    shutil.rmtree(folder, ignore_errors=True)
    genuine = folder / "genuine"
    genuine.mkdir(parents=True)
    amd = SimulatedAmd.made(WHEN)
    chip = SimulatedSnp.made(WHEN, amd=amd)
    (genuine / "evidence.bin").write_bytes(chip.report(BINDING.sha512(), LAUNCH))
    (genuine / "endorsements.cbor").write_bytes(encode(chip.endorsements()))
    (genuine / "crl.der").write_bytes(amd.crl(WHEN - timedelta(days=1), WHEN + timedelta(days=1)))
    (genuine / "root.der").write_bytes(chip.root)
    _write(genuine, "", {}, {})
    for field, (reason, policy_changes, expected_changes) in REFUSALS.items():
        _write(folder / field, reason, policy_changes, expected_changes)


def _write(folder: Path, reason: str, policy_changes: dict[str, Any], expected_changes: dict[str, Any]) -> None:
    folder.mkdir(exist_ok=True)
    section = msgspec.to_builtins(snp.unchecked())
    (folder / "policy.toml").write_text(policy("snp", section, {**ACCEPTING, **policy_changes}))
    expected = {**EXPECTED, **expected_changes, "reason": reason}
    lines = [f"{name} = {toml(value)}" for name, value in expected.items()]
    (folder / "expected.toml").write_text("\n".join(lines) + f"\nwhen = {WHEN:%Y-%m-%dT%H:%M:%SZ}\n")


if __name__ == "__main__":
    main()
