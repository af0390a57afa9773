"""The certificate table of an extended report: rows inside it, apart, and nothing hidden between."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enarx.errors import EnarxError, Faulty, Malformed, Reason
from enarx.evidence import snp_table
from enarx.evidence.endorsement import NOTHING
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.production import production
from enarx.evidence.snp import judge
from enarx.evidence.snp_table import ARK, ASK, CRL, ROW, VCEK, GuidOrder, parse
from enarx.platform.simulated.snp import SimulatedSnp
from tests.evidence.snp_world import NOW, capture, vendor

CHIP = SimulatedSnp.made(NOW, amd=vendor())


def table(*blobs: tuple[uuid.UUID, bytes], order: GuidOrder = GuidOrder.GHCB, padding: int = 0) -> bytes:
    """A table as a host writes it, its blobs one behind the other."""
    at = ROW * (len(blobs) + 1)
    rows = b""
    for guid, blob in blobs:
        name = guid.bytes if order is GuidOrder.GHCB else guid.bytes_le
        rows += name + at.to_bytes(4, "little") + len(blob).to_bytes(4, "little")
        at += len(blob)
    return rows + bytes(ROW) + b"".join(blob for _, blob in blobs) + bytes(padding)


def _chain() -> tuple[tuple[uuid.UUID, bytes], ...]:
    return tuple(zip((VCEK, ASK, ARK), CHIP.certificates, strict=True))


@pytest.mark.parametrize("padding", [0, 1, 4096])
def test_an_extended_report_brings_its_own_endorsements(padding: int) -> None:
    raw = CHIP.report(b"x") + table(*_chain(), padding=padding)
    claims = judge(Evidence(Kind.SNP, raw), NOTHING, anchors=CHIP.anchors(), when=NOW)
    assert b"x".ljust(64, b"\0") == claims.bound


@pytest.mark.parametrize(
    ("name", "order"), [("certificate_table", GuidOrder.GHCB), ("svsm_certificate_table", GuidOrder.SVSM)]
)
def test_the_source_says_in_which_order_guids_are(name: str, order: GuidOrder) -> None:
    def judged(order: GuidOrder) -> None:
        evidence = Evidence(Kind.SNP, CHIP.report(b"x"), {name: table(*_chain(), order=order)})
        judge(evidence, NOTHING, anchors=CHIP.anchors(), when=NOW)

    judged(order)
    (other,) = set(GuidOrder) - {order}
    with pytest.raises(EnarxError) as caught:
        judged(other)
    assert caught.value.reason == Reason.ENDORSEMENT_MISSING


def test_a_part_without_a_meaning_is_refused() -> None:
    with pytest.raises(Malformed) as caught:
        judge(Evidence(Kind.SNP, CHIP.report(b""), {"vcek": b""}), NOTHING, anchors=CHIP.anchors(), when=NOW)
    assert caught.value.reason == Reason.UNKNOWN_KEY


def test_rows_of_others_are_left_out_and_crls_are_kept() -> None:
    found = parse(table((CRL, b"crl"), (uuid.uuid4(), b"platform information"), (ASK, b"ask")))
    assert (found.certificates, found.crls) == ((b"ask",), (b"crl",))


def _row(guid: uuid.UUID, at: int, size: int) -> bytes:
    return guid.bytes + at.to_bytes(4, "little") + size.to_bytes(4, "little")


END = bytes(ROW)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", Reason.TRUNCATED),
        (_row(ASK, 24, 1)[:-1], Reason.TRUNCATED),
        (_row(ASK, 24, 0), Reason.TRUNCATED),
        (_row(ASK, 48, 2) + END + b"x", Reason.INCONSISTENT),
        (_row(ASK, 47, 1) + END + b"x", Reason.INCONSISTENT),
        (_row(ASK, 48, 0) + END, Reason.INCONSISTENT),
        (_row(ASK, 0xFFFFFFFF, 0xFFFFFFFF) + END, Reason.INCONSISTENT),
        (_row(ASK, 72, 1) + _row(ASK, 73, 1) + END + b"xy", Reason.DUPLICATE),
        (_row(ASK, 72, 2) + _row(ARK, 73, 2) + END + b"xyz", Reason.INCONSISTENT),
        (_row(ASK, 49, 1) + END + b"xy", Reason.TRAILING_BYTES),
        (_row(ASK, 48, 1) + END + b"xy", Reason.TRAILING_BYTES),
        (bytes(16) + b"\1" + bytes(7), Reason.RESERVED_NOT_ZERO),
        (b"".join(_row(uuid.UUID(int=n), 0, 0) for n in range(1, 40)), Reason.TOO_LARGE),
        (bytes((1 << 20) + 1), Reason.TOO_LARGE),
    ],
)
def test_tables_that_lie_are_refused(raw: bytes, reason: Reason) -> None:
    with pytest.raises(Malformed) as caught:
        parse(raw)
    assert reason == caught.value.reason


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 400))
def test_no_bytes_break_the_table(noise: bytes, at: int) -> None:
    raw = table(*_chain())
    for data in (noise, raw[:at] + noise + raw[at + len(noise) :], raw[:at]):
        try:
            snp_table.parse(data)
        except EnarxError as error:
            assert not isinstance(error, Faulty)


def test_extended_captures_are_judged_with_what_they_bring(evidence_dir: Path) -> None:
    for name in ("derived-extended-aws-vlek", "derived-extended-milan-vcek"):
        taken = capture(evidence_dir, name)
        claims = judge(Evidence(Kind.SNP, taken.report), NOTHING, anchors=production(), when=taken.when)
        assert taken.report[:1184] == claims.report.raw
