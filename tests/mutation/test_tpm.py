"""Genuine TPM quotes, changed: nothing of them is accepted any more."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from enarx.evidence import tpm
from enarx.evidence.anchor import Anchors
from enarx.evidence.endorsement import NOTHING
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.memory import Memory
from enarx.evidence.production import production
from enarx.evidence.tpm_key import parse as parse_key
from enarx.platform.simulated.tpm import SimulatedTpm
from tests.mutation.mutate import bit_flips, byte_flips, changed_values, never_accepted, total, truncations

pytestmark = pytest.mark.filterwarnings("ignore:Attribute's length must be")

WHEN = datetime(2026, 1, 1, tzinfo=UTC)


class Capture(msgspec.Struct, frozen=True):
    """A quote with its parts, and who is believed."""

    evidence: Evidence
    when: datetime
    anchors: Anchors


def capture(evidence_dir: Path, name: str) -> Capture:
    folder = evidence_dir / "tpm" / name
    when = json.loads((folder / "vector.json").read_text())["cases"][0]["when"]
    signature = next(path for path in folder.iterdir() if path.name.startswith("sig"))
    parts = {"signature": signature.read_bytes()}
    chain = sorted(folder.glob("ak_chain*"))
    if chain:
        parts["ak_certificates"] = b"".join(path.read_bytes() for path in chain)
    for part, file in (("ak_public", "ak_public.pem"), ("ak_public", "ak_pub.pem"), ("pcrs", "pcrs.json")):
        if (folder / file).exists():
            parts[part] = (folder / file).read_bytes()
    evidence = Evidence(Kind.TPM, (folder / "quote.tpms_attest").read_bytes(), parts)
    keys = () if chain else (parse_key(parts["ak_public"]).spki(),)
    roots = production().roots if chain else {}
    return Capture(evidence, datetime.fromisoformat(when) if when else WHEN, Anchors("production", roots, keys))


def judge(taken: Capture, evidence: Evidence, memory: Memory[Any] | None = None) -> tpm.TpmClaims:
    return tpm.judge(evidence, NOTHING, anchors=taken.anchors, when=taken.when, memory=memory)


def with_part(evidence: Evidence, name: str, raw: bytes) -> Evidence:
    return Evidence(evidence.kind, evidence.body, {**evidence.parts, name: raw})


@pytest.mark.parametrize("name", ["automata-p256-quote", "vaportpm-gcp-amd-2026", "automata-rsa-quote"])
def test_every_bit_and_every_length_of_quote_and_signature_counts(evidence_dir: Path, name: str) -> None:
    taken = capture(evidence_dir, name)
    memory: Memory[Any] = Memory()
    body, signature = taken.evidence.body, taken.evidence.parts["signature"]

    def quoted(raw: bytes) -> object:
        return judge(taken, Evidence(Kind.TPM, raw, taken.evidence.parts), memory)

    def signed(raw: bytes) -> object:
        return judge(taken, with_part(taken.evidence, "signature", raw), memory)

    tally = total(
        never_accepted(quoted, body, bit_flips(body)),
        never_accepted(quoted, body, truncations(body)),
        never_accepted(signed, signature, bit_flips(signature)),
        never_accepted(signed, signature, truncations(signature)),
    )
    print(f"{name}: {tally.count} changes, slowest {tally.slowest:.1f} of the genuine one")


def test_every_bit_of_the_keys_certificate_and_every_byte_of_its_issuer_counts(evidence_dir: Path) -> None:
    taken = capture(evidence_dir, "automata-p256-quote")
    raw = taken.evidence.parts["ak_certificates"]
    leaf = 4 + int.from_bytes(raw[2:4], "big")
    issuer = leaf + 4 + int.from_bytes(raw[leaf + 2 : leaf + 4], "big")

    def judged(one: bytes) -> object:
        return judge(taken, with_part(taken.evidence, "ak_certificates", one))

    # The root that follows is Google's own, pinned here; as sent it is not looked at.
    changes = (change for change in bit_flips(raw, ignored=((leaf, len(raw)),)))
    issuers = (change for change in byte_flips(raw[:issuer]) if change[1][:leaf] == raw[:leaf])
    tally = total(never_accepted(judged, raw, changes), never_accepted(judged, raw, issuers))
    print(f"certificates: {tally.count} changes, slowest {tally.slowest:.1f} of the genuine one")
    assert tally.count == leaf * 8 + (issuer - leaf)


def test_every_register_value_counts(evidence_dir: Path) -> None:
    taken = capture(evidence_dir, "vaportpm-gcp-amd-2026")
    table = json.loads(taken.evidence.parts["pcrs"])["sha256"]

    def judged(values: Any) -> object:
        return judge(taken, with_part(taken.evidence, "pcrs", json.dumps({"sha256": values}).encode()))

    changes = [change for change in changed_values(table) if "more" not in change[0]]
    assert never_accepted(judged, table, changes).count == 48


@pytest.mark.parametrize("part", ["ak_certificates", "signature"])
def test_parts_of_another_genuine_quote_do_not_help(evidence_dir: Path, part: str) -> None:
    taken, other = capture(evidence_dir, "automata-p256-quote"), capture(evidence_dir, "vaportpm-gcp-amd-2026")
    foreign = other.evidence.parts[part]
    assert never_accepted(
        lambda raw: judge(taken, with_part(taken.evidence, part, raw)),
        taken.evidence.parts[part],
        [("another's", foreign)],
    ).count
    assert never_accepted(
        lambda body: judge(taken, Evidence(Kind.TPM, body, taken.evidence.parts)),
        taken.evidence.body,
        [("another's", other.evidence.body)],
    ).count


def test_before_and_after_the_windows_nothing_is_accepted(evidence_dir: Path) -> None:
    taken = capture(evidence_dir, "automata-p256-quote")
    window = judge(taken, taken.evidence).window
    second = timedelta(seconds=1)
    changes = [("before", window.not_before - second), ("after", window.not_after + second)]
    at = msgspec.structs.replace
    assert never_accepted(lambda t: judge(at(taken, when=t), taken.evidence), taken.when, changes).count == 2


def test_every_byte_of_a_simulated_log_and_every_bit_of_the_keys_attributes_counts() -> None:
    machine = SimulatedTpm.made(WHEN)
    genuine = machine.evidence(b"nonce")
    taken = Capture(genuine, WHEN, machine.anchors())
    memory: Memory[Any] = Memory()
    quoted = frozenset(range(8))

    def logged(raw: bytes) -> object:
        claims = judge(taken, with_part(genuine, "event_log", raw), memory)
        # What a log says of itself (names of what was loaded, digests of other banks) is signed by
        # nobody: then every register still has the value that was quoted.
        assert claims.boot.replayed <= quoted
        assert claims.boot.pcrs == {"sha-256": machine.pcrs["sha-256"]}
        return claims

    accepted = [name for name, raw in byte_flips(machine.log) if _passes(logged, raw)]
    print(f"log: {len(accepted)} of {len(machine.log)} bytes say nothing that is claimed")
    attributes = (change for change in bit_flips(machine.public()))
    tally = never_accepted(
        lambda raw: judge(taken, with_part(genuine, "ak_public", raw), memory),
        machine.public(),
        (change for change in attributes if not _harmless(change[0])),
    )
    print(f"TPMT_PUBLIC: {tally.count} bits turned")


def _passes(judged: Any, raw: bytes) -> bool:
    from enarx.errors import EnarxError

    try:
        judged(raw)
    except EnarxError:
        return False
    return True


def _harmless(name: str) -> bool:
    """Attributes that say nothing of what an attestation key is (TPMA_OBJECT, big endian at 4..7).

    x509sign (bit 19), encryptedDuplication and noDA (11, 10), svnLimited and firmwareLimited
    (9, 8), adminWithPolicy and userWithAuth (7, 6), stClear (2).
    """
    words = name.split()
    return (int(words[-1], 16), int(words[1])) in {(5, 3), (6, 3), (6, 2), (6, 1), (6, 0), (7, 7), (7, 6), (7, 2)}
