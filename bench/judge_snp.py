# SPDX-License-Identifier: Apache-2.0
"""What judging SNP evidence costs beside the one signature that no judge can save itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from enarx.appraisal import snp as section
from enarx.appraisal.appraise import appraise
from enarx.appraisal.policy import Loaded, Policy
from enarx.appraisal.tied import Expected
from enarx.evidence import snp
from enarx.evidence.binding import Binding, Purpose
from enarx.evidence.memory import Memory
from enarx.evidence.snp_report import SIGNED
from enarx.platform.simulated.snp import SimulatedSnp

WHEN = datetime(2026, 6, 1, tzinfo=UTC)
ROUNDS = 200
BATCH = 3

Result = dict[str, Any]


def _policy(measurements: frozenset[str], chip: SimulatedSnp) -> Loaded:
    """A policy that leaves little open, so that every check is made."""
    narrow = {
        "hash": sorted(measurements),
        "debug": "refused",
        "migrate_ma": "refused",
        "policy_flags": {"required": [], "refused": ["CxlAllow"]},
        "platform_info_flags": {"required": ["AliasCheckComplete"], "refused": ["unknown"]},
        "abi": ">=0.0",
        "firmware": ">=1.50",
        "provisional_firmware": "refused",
        "vmpl": [0],
        "minimum_tcb": {"milan": {"bootloader": 3, "tee": 0, "snp": 0x18, "microcode": 1}},
        "generations": ["milan"],
        "platforms": [chip.fields.chip_id.hex()],
        "signing_key": ["VCEK"],
    }
    table = {**msgspec.to_builtins(section.unchecked()), **narrow}
    policy = Policy(
        name="bench",
        security_version=1,
        binding="enarx-binding-1",
        freshness="nonce",
        launch_field="required",
        workload="unchecked",
        package_signers="unchecked",
        minimum_package_security_version="unchecked",
        revocation="unchecked",
        expires=None,
        snp=msgspec.convert(table, section.SnpPolicy),
    )
    return Loaded(policy, bytes(32))


class _Scene:
    """One chip, one report, and everything that a verifier has at hand."""

    def __init__(self, references: int) -> None:
        self.chip = SimulatedSnp.made(WHEN, measurement=b"\1" * 48)
        launch = b"\2" * 32
        binding = Binding(purpose=Purpose.ISSUE, spki=bytes(48), nonce=bytes(32), launch=launch)
        self.raw = self.chip.report(binding.sha512(), launch)
        self.expected = Expected(binding=binding, fresh=True, launch=launch)
        filler = (n.to_bytes(48, "big").hex() for n in range(1, references))
        self.loaded = _policy(frozenset({(b"\1" * 48).hex(), *filler}), self.chip)
        self.memory: Memory[Any] = Memory()
        self.anchors = self.chip.anchors()
        self.given = self.chip.endorsements()
        report = snp.parse(self.raw)
        self.signature = encode_dss_signature(report.r, report.s)
        self.key = self.chip.key.public_key()

    def judge(self) -> None:
        claims = snp.authenticate(snp.parse(self.raw), self.given, anchors=self.anchors, when=WHEN, memory=self.memory)
        appraise((claims,), self.loaded, self.expected, when=WHEN).accepted()

    def verify(self) -> None:
        self.key.verify(self.signature, self.raw[:SIGNED], ec.ECDSA(hashes.SHA384()))


def interleaved(ours: Callable[[], None], theirs: Callable[[], None]) -> tuple[float, float]:
    """Seconds of one call of each: the least of many short turns, taken in alternation.

    The least, because whatever else runs on the machine only adds, and adds more to code that
    lives in caches than to the arithmetic of a signature.
    """
    ours()
    theirs()
    found: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for call, times in zip((ours, theirs), found, strict=True):
            start = time.perf_counter()
            for _ in range(BATCH):
                call()
            times.append((time.perf_counter() - start) / BATCH)
    return min(found[0]), min(found[1])


def warm() -> Iterator[Result]:
    scene = _Scene(10)
    ours, raw = interleaved(scene.judge, scene.verify)
    yield {
        "name": "judge.snp.warm",
        "value": round(ours * 1e6, 1),
        "unit": "us",
        "ratio": round(ours / raw, 3),
        "against": "one raw ECDSA P-384 verification by cryptography",
    }


def references() -> Iterator[Result]:
    few, many = _Scene(10), _Scene(100_000)
    ours, against = interleaved(many.judge, few.judge)
    yield {
        "name": "judge.references",
        "value": round(ours * 1e6, 1),
        "unit": "us",
        "ratio": round(ours / against, 3),
        "against": "the same judgement with 10 reference values instead of 100,000",
    }


BENCHES = {"judge.snp.warm": warm, "judge.references": references}
