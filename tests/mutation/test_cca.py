# SPDX-License-Identifier: Apache-2.0
"""Genuine CCA and PSA tokens, changed: nothing of them is accepted any more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cbor2
import pytest

from enarx.cli.vectors.named_key import named_keys
from enarx.errors import EnarxError, Reason, Undetermined
from enarx.evidence.anchor import Anchors
from enarx.evidence.authenticate import authenticate
from enarx.evidence.endorsement import NOTHING
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from tests.mutation.mutate import bit_flips, byte_flips, never_accepted, total, truncations

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
CCA = {
    "rust-cca-01": "cpak.pem",
    "islet-rsictl": "cpak.pem",
    "rust-cca-draft-ffm": "cpak_cpak.json",
    "tfm-cca-example": "cpak_cca_platform.pem",
    "trustee-cca": "cpak_cpak-pub.json",
}
PSA = {"psatoken-tfm-p1": "key_public.pem", "psatoken-tfm-p2": "key_public.pem"}


def capture(evidence_dir: Path, kind: str, name: str) -> tuple[bytes, Anchors]:
    folder = evidence_dir / kind / name
    key = {**CCA, **PSA}[name]
    return (folder / "token.cbor").read_bytes(), Anchors("named", {}, named_keys((folder / key).read_bytes(), key))


def judge(kind: str, raw: bytes, anchors: Anchors) -> object:
    return authenticate(Evidence(Kind(kind), raw), NOTHING, anchors=anchors, when=WHEN)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), [("cca", "rust-cca-01"), ("psa", "psatoken-tfm-p2")])
def test_every_bit_of_a_token_counts(evidence_dir: Path, kind: str, name: str) -> None:
    raw, anchors = capture(evidence_dir, kind, name)
    # A token has no padding that may say anything: no offset is left out.
    tally = never_accepted(lambda one: judge(kind, one, anchors), raw, bit_flips(raw))
    print(f"{name}: {tally.count} bits turned, slowest {tally.slowest:.1f} of the genuine one")
    assert tally.count == len(raw) * 8


@pytest.mark.parametrize(
    ("kind", "name"), [*(("cca", name) for name in CCA if name != "rust-cca-01"), ("psa", "psatoken-tfm-p1")]
)
def test_bytes_and_lengths_of_other_tokens_count(evidence_dir: Path, kind: str, name: str) -> None:
    raw, anchors = capture(evidence_dir, kind, name)

    def judged(one: bytes) -> object:
        return judge(kind, one, anchors)

    tally = total(
        never_accepted(judged, raw, byte_flips(raw, step=3)), never_accepted(judged, raw, truncations(raw, step=3))
    )
    print(f"{name}: {tally.count} changes, slowest {tally.slowest:.1f} of the genuine one")


def test_halves_of_different_tokens_do_not_make_one(evidence_dir: Path) -> None:
    tokens = {name: capture(evidence_dir, "cca", name) for name in CCA}
    halves = {name: dict(cbor2.loads(raw).value) for name, (raw, _) in tokens.items()}

    def mixed() -> Iterator[tuple[str, bytes]]:
        for one, ours in halves.items():
            for other, theirs in halves.items():
                if ours[44234] == theirs[44234] or _same_realm_key(ours, theirs):
                    continue
                table = {44234: _bare(ours[44234]), 44241: _bare(theirs[44241])}
                yield f"{one} with {other}", cbor2.dumps(cbor2.CBORTag(399, table))

    raw, anchors = tokens["rust-cca-01"]
    tally = never_accepted(lambda one: judge("cca", one, anchors), raw, mixed())
    print(f"halves: {tally.count} mixtures")


def _bare(token: Any) -> bytes:
    return token if isinstance(token, bytes) else token[1]


def _same_realm_key(ours: dict[int, Any], theirs: dict[int, Any]) -> bool:
    """All these platforms are emulated with two realm keys: a mixture with the same key is no lie."""
    keys = [cbor2.loads(cbor2.loads(_bare(half[44241])).value[2])[44237] for half in (ours, theirs)]
    return keys[0] == keys[1]


def test_the_key_of_another_device_vouches_for_nothing(evidence_dir: Path) -> None:
    refused = 0
    for kind, names in (("cca", CCA), ("psa", PSA)):
        for name in names:
            raw, anchors = capture(evidence_dir, kind, name)
            for other in {**CCA, **PSA}:
                _, others = capture(evidence_dir, "cca" if other in CCA else "psa", other)
                if others.keys == anchors.keys:
                    continue
                with pytest.raises(EnarxError):
                    judge(kind, raw, others)
                refused += 1
    print(f"keys: {refused} exchanged")


@pytest.mark.parametrize(("kind", "name"), [*(("cca", name) for name in CCA), *(("psa", name) for name in PSA)])
def test_without_a_named_key_nothing_is_known(evidence_dir: Path, kind: str, name: str) -> None:
    raw, _ = capture(evidence_dir, kind, name)
    with pytest.raises(Undetermined) as caught:
        judge(kind, raw, Anchors("none", {}))
    assert caught.value.reason is Reason.KEY_MISSING
