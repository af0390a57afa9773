"""Genuine SNP evidence, changed: nothing of it is accepted any more."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from enarx.evidence import snp
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.memory import Memory
from enarx.evidence.production import production
from tests.evidence.snp_world import Capture, authority, capture
from tests.mutation.mutate import bit_flips, byte_flips, never_accepted, total, truncations

pytestmark = pytest.mark.filterwarnings("ignore:Attribute's length must be")


def _judge(taken: Capture, *, report=None, chain=None, crls=None, when=None, memory=None) -> snp.SnpClaims:
    return snp.judge(
        Evidence(Kind.SNP, taken.report if report is None else report),
        Endorsements(taken.chain if chain is None else chain, taken.crls if crls is None else crls),
        anchors=production(),
        when=when or taken.when,
        memory=memory,
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["oak-turin-v5", "trustee-aws-vlek-v3"])
def test_every_bit_of_a_report_counts(evidence_dir: Path, name: str) -> None:
    taken = capture(evidence_dir, name)
    memory: Memory[object] = Memory()
    # A report has no padding that may say anything: no offset is left out.
    tally = never_accepted(lambda raw: _judge(taken, report=raw, memory=memory), taken.report, bit_flips(taken.report))
    print(f"{name}: {tally.count} bits turned, slowest {tally.slowest:.1f} of the genuine one")
    assert tally.count == 1184 * 8


@pytest.mark.parametrize("name", ["tinfoil-genoa-v3", "spire-azure-milan-v2-crl", "constellation-aws-vlek-v2"])
def test_every_byte_of_other_reports_and_every_length_counts(evidence_dir: Path, name: str) -> None:
    taken = capture(evidence_dir, name)
    memory: Memory[object] = Memory()

    def judge(raw: bytes) -> object:
        return _judge(taken, report=raw, memory=memory)

    tally = total(
        never_accepted(judge, taken.report, byte_flips(taken.report)),
        never_accepted(judge, taken.report, truncations(taken.report)),
    )
    print(f"{name}: {tally.count} changes, slowest {tally.slowest:.1f}")


@pytest.mark.parametrize("place", [0, 1, 2])
def test_every_byte_of_every_certificate_counts(evidence_dir: Path, place: int) -> None:
    taken = capture(evidence_dir, "oak-turin-v5")

    def judge(one: bytes) -> object:
        return _judge(taken, chain=(*taken.chain[:place], one, *taken.chain[place + 1 :]))

    tally = never_accepted(judge, taken.chain[place], byte_flips(taken.chain[place]))
    print(f"certificate {place}: {tally.count} changes, slowest {tally.slowest:.1f}")


@pytest.mark.slow
def test_every_byte_of_an_extended_report_counts(evidence_dir: Path) -> None:
    taken = capture(evidence_dir, "derived-extended-aws-vlek")
    # Nobody signs the names of rows: without its own, the intermediate (row 2) is the pinned one,
    # and the root (row 3) is pinned anyway.
    names = [(1184 + row * 24, 1184 + row * 24 + 16) for row in (1, 2)]
    memory: Memory[object] = Memory()
    changes = byte_flips(taken.report, ignored=names)
    tally = never_accepted(lambda raw: _judge(taken, report=raw, memory=memory), taken.report, changes)
    print(f"extended report: {tally.count} changes, slowest {tally.slowest:.1f}")


def test_every_byte_of_a_crl_counts(evidence_dir: Path) -> None:
    taken = capture(evidence_dir, "spire-azure-milan-v2-crl")
    (crl,) = taken.crls
    tally = never_accepted(lambda one: _judge(taken, crls=(one,)), crl, byte_flips(crl))
    print(f"CRL: {tally.count} changes, slowest {tally.slowest:.1f}")


def test_another_genuine_certificate_in_place_of_each_is_refused(evidence_dir: Path) -> None:
    taken = capture(evidence_dir, "oak-milan-v3-release")
    names = ("automata-milan-v2", "dstack-milan-v3", "oak-rk-release", "oak-turin-v5", "tinfoil-genoa-v3",
             "trustee-aws-vlek-v3", "virtee-sev-milan-v2")  # fmt: skip
    vendors = [(path.name, authority(evidence_dir, path.name)) for path in (evidence_dir / "_amd_ca").glob("*.pem")]
    others = (
        [capture(evidence_dir, name).chain[0] for name in names],
        [raw for name, raw in vendors if name.startswith("SEV-")],
        [raw for name, raw in vendors if name.startswith("ARK-")],
    )
    changes = [
        (f"certificate {place}", (*taken.chain[:place], other, *taken.chain[place + 1 :]))
        for place in range(3)
        for other in others[place]
        if other != taken.chain[place]
    ]
    tally = never_accepted(lambda chain: _judge(taken, chain=chain), taken.chain, changes)
    print(f"{tally.count} exchanges")


def test_reports_are_refused_with_the_chain_of_another_chip(evidence_dir: Path) -> None:
    names = ("automata-milan-v2", "dstack-milan-v3", "oak-rk-release", "oak-turin-v5", "tinfoil-genoa-v3",
             "trustee-aws-vlek-v3", "constellation-aws-vlek-v2", "parfait-record")  # fmt: skip
    taken = {name: capture(evidence_dir, name) for name in names}
    for name, one in taken.items():
        others = [(f"{name} with {other}", taken[other].chain) for other in names if other != name]
        never_accepted(lambda chain, one=one: _judge(one, chain=chain), one.chain, others)


def test_before_and_after_every_window_it_is_refused(evidence_dir: Path) -> None:
    second = timedelta(seconds=1)
    for name in ("oak-turin-v5", "trustee-aws-vlek-v3", "spire-azure-milan-v2-crl"):
        taken = capture(evidence_dir, name)
        window = _judge(taken).window
        times = [("before", window.not_before - second), ("after", window.not_after + second)]
        never_accepted(lambda when, taken=taken: _judge(taken, when=when), taken.when, times)
