# SPDX-License-Identifier: Apache-2.0
"""Policy vectors: for every field of a section, a policy that this field alone makes refuse genuine evidence.

    vectors/policy/TECHNOLOGY/genuine/  evidence.bin endorsements.cbor anchors.cbor policy.toml, parts.cbor if any
    vectors/policy/TECHNOLOGY/FIELD/    policy.toml expect.toml, and evidence of its own where the field needs it

`genuine/policy.toml` states a value for every field and accepts `genuine/evidence.bin`. All of it is
simulated: made by the scripts beside this file, under roots and keys that nobody else trusts.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import cbor2

from enarx.evidence.anchor import Anchors
from enarx.evidence.endorsement import Endorsements, encode

ROOT = Path(__file__).parent / "policy"
WHEN = datetime(2026, 1, 1, tzinfo=UTC)
COMMON = {
    "name": "vector",
    "security_version": 1,
    "binding": "unchecked",
    "freshness": "unchecked",
    "launch_field": "unchecked",
    "workload": "unchecked",
    "package_signers": "unchecked",
    "minimum_package_security_version": "unchecked",
    "revocation": "unchecked",
    "expires": "unchecked",
}


class Refusal(NamedTuple):
    """How one field refuses: its value, the reason, and what else must differ for it to be alone."""

    value: Any
    reason: str
    also: Mapping[str, Any] = {}
    evidence: bytes | None = None
    endorsements: Endorsements | None = None
    parts: Mapping[str, bytes] | None = None


def write(
    technology: str,
    evidence: bytes,
    endorsements: Endorsements,
    anchors: Anchors,
    accepting: Mapping[str, Any],
    refusals: Mapping[str, Refusal],
    parts: Mapping[str, bytes] = {},
) -> None:
    """Write all vectors of one technology, over those that are there."""
    folder = ROOT / technology
    shutil.rmtree(folder, ignore_errors=True)
    genuine = folder / "genuine"
    genuine.mkdir(parents=True)
    (genuine / "evidence.bin").write_bytes(evidence)
    (genuine / "endorsements.cbor").write_bytes(encode(endorsements))
    if parts:
        (genuine / "parts.cbor").write_bytes(cbor2.dumps(dict(parts)))
    roots = {str(vendor): [one.raw for one in listed] for vendor, listed in anchors.roots.items()}
    (genuine / "anchors.cbor").write_bytes(cbor2.dumps({"roots": roots, "keys": list(anchors.keys)}))
    (genuine / "policy.toml").write_text(policy(technology, accepting))
    for field, refusal in refusals.items():
        one = folder / field
        one.mkdir()
        (one / "policy.toml").write_text(policy(technology, {**accepting, **refusal.also, field: refusal.value}))
        (one / "expect.toml").write_text(
            f'field = "{field}"\nreason = "{refusal.reason}"\nwhen = {WHEN:%Y-%m-%dT%H:%M:%SZ}\n'
            f'source = "simulated, by the script of {technology} in vectors/"\n'
        )
        if refusal.evidence is not None:
            (one / "evidence.bin").write_bytes(refusal.evidence)
        if refusal.endorsements is not None:
            (one / "endorsements.cbor").write_bytes(encode(refusal.endorsements))
        if refusal.parts is not None:
            (one / "parts.cbor").write_bytes(cbor2.dumps(dict(refusal.parts)))


def policy(section: str, fields: Mapping[str, Any], common: Mapping[str, Any] = COMMON) -> str:
    """A policy file with one section."""
    lines = [f"{key} = {toml(value)}" for key, value in common.items()]
    lines += ["", f"[{section}]", *(f"{key} = {toml(value)}" for key, value in fields.items())]
    return "\n".join(lines) + "\n"


def toml(value: Any) -> str:
    """A value as TOML writes it."""
    match value:
        case bool():
            return str(value).lower()
        case datetime():
            return f"{value:%Y-%m-%dT%H:%M:%SZ}"
        case str():
            return f'"{value}"'
        case list():
            return "[" + ", ".join(toml(one) for one in value) + "]"
        case dict():
            return "{ " + ", ".join(f'"{key}" = {toml(one)}' for key, one in value.items()) + " }"
        case _:
            return str(value)
