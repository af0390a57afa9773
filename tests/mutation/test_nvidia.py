# SPDX-License-Identifier: Apache-2.0
"""Genuine reports of NVIDIA devices, changed: nothing of them is accepted any more."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509 import ReasonFlags, ocsp

from enarx.codec.x509 import Certificate
from enarx.errors import EnarxError, Reason, Unauthentic, Undetermined
from enarx.evidence import nvidia, rim
from enarx.evidence.anchor import Anchors
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.kind import Kind
from enarx.evidence.memory import Memory
from enarx.evidence.nvidia_rim import Part
from enarx.evidence.nvidia_roots import rim_roots
from enarx.evidence.production import production
from enarx.platform.simulated.nvidia import SimulatedNvidia, ocsp_response
from tests.mutation.mutate import bit_flips, byte_flips, never_accepted, total, truncations

WHEN = datetime(2026, 2, 1, tzinfo=UTC)
HOPPER = ("nvidia-gpu", "nvtrust-sample-hopper")
PADDED = ("nvidia-gpu", "trustee-coco-hopper")
SWITCH = ("nvidia-switch", "sdk-switch-ls10")
OTHERS = [
    ("nvidia-gpu", "sdk-blackwell-575.32"),
    ("nvidia-gpu", "nearai-h200-0"),
    ("nvidia-gpu", "sdk-hopper-535.86.09"),
    PADDED,
]


def capture(evidence_dir: Path, which: tuple[str, str]) -> tuple[bytes, tuple[bytes, ...]]:
    folder = evidence_dir / which[0] / which[1]
    chain = nvidia.certificates_of((folder / "cert_chain.pem").read_bytes())
    return (folder / "report.bin").read_bytes(), chain


def judge(
    raw: bytes,
    chain: tuple[bytes, ...],
    kind: str,
    *,
    memory: Memory[Any] | None = None,
    given: Endorsements | None = None,
    anchors: Anchors | None = None,
    when: datetime = WHEN,
) -> nvidia.NvidiaClaims:
    report = nvidia.parse(raw, Kind(kind), chain)
    return nvidia.authenticate(
        report, given or Endorsements(), anchors=anchors or production(), when=when, memory=memory
    )


@pytest.mark.slow
@pytest.mark.parametrize("which", [HOPPER, SWITCH], ids=lambda which: which[1])
def test_every_bit_of_a_report_counts(evidence_dir: Path, which: tuple[str, str]) -> None:
    raw, chain = capture(evidence_dir, which)
    memory: Memory[Any] = Memory()
    # These reports have no padding: no offset is left out.
    tally = never_accepted(lambda one: judge(one, chain, which[0], memory=memory), raw, bit_flips(raw))
    print(f"{which[1]}: {tally.count} bits turned, slowest {tally.slowest:.1f} of the genuine one")
    assert tally.count == len(raw) * 8


@pytest.mark.parametrize("which", OTHERS, ids=lambda which: which[1])
def test_bytes_and_lengths_of_other_reports_count(evidence_dir: Path, which: tuple[str, str]) -> None:
    raw, chain = capture(evidence_dir, which)
    memory: Memory[Any] = Memory()
    signed = len(raw) - 1 if which == PADDED else len(raw)
    # Zero bytes after the signature are the buffer's, not the report's: one that is cut off, or
    # one more, changes nothing that anybody signed. The padding's own bits all count.
    cuts = ((name, one) for name, one in truncations(raw, step=7) if len(one) < signed)

    def judged(one: bytes) -> object:
        return judge(one, chain, which[0], memory=memory)

    tally = total(never_accepted(judged, raw, byte_flips(raw, step=2)), never_accepted(judged, raw, cuts))
    print(f"{which[1]}: {tally.count} changes, slowest {tally.slowest:.1f} of the genuine one")


def test_zero_bytes_after_a_report_are_noted_and_others_refused(evidence_dir: Path) -> None:
    raw, chain = capture(evidence_dir, HOPPER)
    claims = judge(raw + bytes(100), chain, "nvidia-gpu")
    assert Reason.TRAILING_BYTES in {check.reason for check in claims.checks}
    with pytest.raises(EnarxError):
        judge(raw + bytes(99) + b"\1", chain, "nvidia-gpu")


@pytest.mark.parametrize("place", range(4))
def test_every_byte_of_every_certificate_counts(evidence_dir: Path, place: int) -> None:
    raw, chain = capture(evidence_dir, HOPPER)

    def judged(one: bytes) -> object:
        return judge(raw, (*chain[:place], one, *chain[place + 1 :]), "nvidia-gpu")

    changes = byte_flips(chain[place], step=2)
    tally = never_accepted(judged, chain[place], changes)
    print(f"certificate {place}: {tally.count} changes, slowest {tally.slowest:.1f}")


def test_a_whole_chain_under_a_root_of_the_same_name_is_refused() -> None:
    device = SimulatedNvidia.made(WHEN)
    with pytest.raises(Unauthentic) as caught:
        judge(device.report(bytes(32)), device.certificates, "nvidia-gpu")
    assert caught.value.reason is Reason.UNKNOWN_ANCHOR


def test_another_devices_genuine_certificate_in_place_of_each_is_refused(evidence_dir: Path) -> None:
    raw, chain = capture(evidence_dir, HOPPER)
    others = {one for which in (*OTHERS, SWITCH) for one in capture(evidence_dir, which)[1] if one not in chain}

    def exchanged() -> Iterator[tuple[str, tuple[bytes, ...]]]:
        for place in range(4):
            for other in others:
                name = Certificate(other).common_name()
                yield f"{place} by {name}", (*chain[:place], other, *chain[place + 1 :])

    tally = never_accepted(lambda one: judge(raw, one, "nvidia-gpu"), chain, exchanged())
    print(f"certificates: {tally.count} exchanged")


def test_a_report_with_the_chain_of_another_device_is_refused(evidence_dir: Path) -> None:
    raw, chain = capture(evidence_dir, HOPPER)
    chains = ((which[1], capture(evidence_dir, which)[1]) for which in (*OTHERS, SWITCH))
    never_accepted(lambda one: judge(raw, one, "nvidia-gpu"), chain, chains)


def test_a_switch_is_no_gpu_and_a_gpu_no_switch(evidence_dir: Path) -> None:
    for which, kind in ((HOPPER, "nvidia-switch"), (SWITCH, "nvidia-gpu")):
        raw, chain = capture(evidence_dir, which)
        with pytest.raises(Unauthentic) as caught:
            judge(raw, chain, kind)
        assert caught.value.reason is Reason.ENDORSEMENT_MISMATCH


def test_before_the_youngest_certificate_it_is_not_yet_valid(evidence_dir: Path) -> None:
    raw, chain = capture(evidence_dir, ("nvidia-gpu", "sdk-blackwell-575.32"))
    starts = max(Certificate(one).not_before for one in chain)
    judge(raw, chain, "nvidia-gpu", when=starts)
    with pytest.raises(Unauthentic) as caught:
        judge(raw, chain, "nvidia-gpu", when=starts - timedelta(seconds=1))
    assert caught.value.reason is Reason.NOT_YET_VALID


def test_every_byte_of_a_manifest_counts(evidence_dir: Path) -> None:
    folder = evidence_dir / HOPPER[0] / HOPPER[1]
    raw = (folder / "rim_NV_GPU_DRIVER_GH100_550.90.07.swidtag").read_bytes()

    def judged(one: bytes) -> object:
        return rim.authenticate(rim.parse(one), rim_roots(), when=WHEN)

    changes = ((name, one) for name, one in byte_flips(raw, step=23) if not _means_the_same(raw, one))
    tally = never_accepted(judged, raw, changes)
    print(f"manifest: {tally.count} changes, slowest {tally.slowest:.1f}")


def _means_the_same(raw: bytes, changed: bytes) -> bool:
    """Differences that canonical XML and base64 take away: white space inside tags and base64."""
    return _plain(raw) == _plain(changed)


def _plain(raw: bytes) -> bytes:
    text = re.sub(rb"[ \t\r\n]+", b"", raw)
    return re.sub(rb"(?<=[A-Za-z0-9+/=])[ \t\r\n]+(?=[A-Za-z0-9+/=])", b"", text)


def _manifests(evidence_dir: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(evidence_dir.glob("nvidia-*/*/rim_*"))]


def test_every_field_of_a_manifest_counts(evidence_dir: Path) -> None:
    raw = (evidence_dir / HOPPER[0] / HOPPER[1] / "rim_NV_GPU_DRIVER_GH100_550.90.07.swidtag").read_bytes()

    def changes() -> Iterator[tuple[str, bytes]]:
        for found in re.finditer(rb'([A-Za-z0-9:]+)="([^"]*)"', raw):
            at = found.end() - 1
            last = b"0" if raw[at - 1 : at] != b"0" else b"1"
            yield f"{found[0]!r}", raw[: at - 1] + last + raw[at:]
            yield f"{found[1]!r} left out", raw[: found.start()] + raw[found.end() :]

    def judged(one: bytes) -> object:
        return rim.authenticate(rim.parse(one), rim_roots(), when=WHEN)

    tally = never_accepted(judged, raw, changes())
    print(f"manifest: {tally.count} fields, slowest {tally.slowest:.1f}")


def test_another_manifests_genuine_certificate_in_place_of_each_is_refused(evidence_dir: Path) -> None:
    raw = (evidence_dir / HOPPER[0] / HOPPER[1] / "rim_NV_GPU_DRIVER_GH100_550.90.07.swidtag").read_bytes()
    pattern = re.compile(rb"<ds:X509Certificate>.*?</ds:X509Certificate>", re.DOTALL)
    ours = pattern.findall(raw)
    others = {one for manifest in _manifests(evidence_dir) for one in pattern.findall(manifest)} - set(ours)

    def exchanged() -> Iterator[tuple[str, bytes]]:
        for place, own in enumerate(ours[:-1]):
            for other in others:
                yield f"{place}", raw.replace(own, other)

    def judged(one: bytes) -> object:
        return rim.authenticate(rim.parse(one), rim_roots(), when=WHEN)

    tally = never_accepted(judged, raw, exchanged())
    print(f"signers: {tally.count} exchanged")


def test_a_changed_manifest_never_agrees(evidence_dir: Path) -> None:
    raw, chain = capture(evidence_dir, HOPPER)
    folder = evidence_dir / HOPPER[0] / HOPPER[1]
    driver, vbios = (path.read_bytes() for path in sorted(folder.glob("rim_*")))
    memory: Memory[Any] = Memory()

    def agreed(*rims: bytes) -> bool:
        claims = judge(raw, chain, "nvidia-gpu", memory=memory, given=Endorsements(rims=rims))
        return all(claims.agreeing(part) for part in Part)

    assert agreed(driver, vbios)
    assert not agreed(driver)
    assert not agreed(vbios)
    assert not agreed(driver, vbios.replace(b'index="1" active="True"', b'index="1" active="False"'))
    assert not agreed(driver.replace(b"550.90.07", b"550.90.08"), vbios)
    other = evidence_dir / "nvidia-gpu" / "sdk-hopper-535.86.09"
    assert not agreed(*(path.read_bytes() for path in sorted(other.glob("rim_*"))))


@pytest.mark.parametrize(
    ("start", "status", "reason", "family", "why"),
    [
        (-30, "GOOD", None, Undetermined, Reason.EXPIRED),
        (30, "GOOD", None, Undetermined, Reason.NOT_YET_VALID),
        (0, "REVOKED", ReasonFlags.key_compromise, Unauthentic, Reason.REVOKED),
        (0, "REVOKED", None, Unauthentic, Reason.REVOKED),
    ],
)
def test_ocsp_answers_that_are_old_early_or_say_no(
    start: int, status: str, reason: ReasonFlags | None, family: type[EnarxError], why: Reason
) -> None:
    device = SimulatedNvidia.made(WHEN)
    given = Endorsements(
        ocsp=device.ocsp(WHEN + timedelta(days=start), status=ocsp.OCSPCertStatus[status], reason=reason)
    )
    with pytest.raises(family) as caught:
        judge(device.report(bytes(32)), device.certificates, "nvidia-gpu", given=given, anchors=device.anchors())
    assert caught.value.reason is why


def test_every_byte_of_an_ocsp_answer_counts() -> None:
    device = SimulatedNvidia.made(WHEN)
    genuine = device.ocsp(WHEN)
    memory: Memory[Any] = Memory()

    def judged(one: bytes) -> object:
        given = Endorsements(ocsp=(one, *genuine[1:]))
        claims = judge(
            device.report(bytes(32)), device.certificates, "nvidia-gpu", given=given, anchors=device.anchors(),
            memory=memory,
        )  # fmt: skip
        if claims.ocsp != "good":
            raise Undetermined(Reason.REVOCATION_UNCHECKED, "an answer about others")
        return claims

    tally = never_accepted(judged, genuine[0], byte_flips(genuine[0]))
    print(f"OCSP: {tally.count} changes, slowest {tally.slowest:.1f}")


def test_an_answer_signed_by_another_issuer_is_refused() -> None:
    device = SimulatedNvidia.made(WHEN)
    forged = SimulatedNvidia.made(WHEN)
    lie = ocsp_response(device.chain[-1].certificate, forged.chain[-2], WHEN)
    given = Endorsements(ocsp=(lie,))
    claims = judge(device.report(bytes(32)), device.certificates, "nvidia-gpu", given=given, anchors=device.anchors())
    assert claims.ocsp == "missing"
