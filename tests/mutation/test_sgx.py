"""Genuine SGX evidence, changed: nothing of it is accepted any more."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.evidence.intel_world import capture
from tests.mutation import intel_changes as changes

BITS = "phala-sgx-v3"
BYTES = ("teepot-sgx-v3", "enarx-icelake-2022")


@pytest.mark.slow
def test_every_bit_of_a_quote_counts(evidence_dir: Path) -> None:
    taken = capture(evidence_dir, "sgx", BITS)
    tally = changes.every_bit(taken)
    print(f"{BITS}: {tally.count} bits turned, slowest {tally.slowest:.1f} of the genuine one")
    assert len(taken.quote) * 8 == tally.count


@pytest.mark.parametrize("name", BYTES)
def test_every_byte_of_other_quotes_and_every_length_counts(evidence_dir: Path, name: str) -> None:
    tally = changes.every_byte_and_length(capture(evidence_dir, "sgx", name))
    print(f"{name}: {tally.count} changes, slowest {tally.slowest:.1f}")


@pytest.mark.parametrize("name", [BITS, BYTES[0]])
def test_every_value_of_the_signed_documents_counts(evidence_dir: Path, name: str) -> None:
    tally = changes.documents(capture(evidence_dir, "sgx", name))
    print(f"{name}: {tally.count} values changed, slowest {tally.slowest:.1f}")


def test_certificates_and_crls_count_byte_by_byte(evidence_dir: Path) -> None:
    tally = changes.certificates(capture(evidence_dir, "sgx", BITS))
    print(f"{tally.count} changes, slowest {tally.slowest:.1f}")


def test_genuine_collateral_of_others_is_refused(evidence_dir: Path) -> None:
    tally = changes.exchanges(capture(evidence_dir, "sgx", BITS), evidence_dir)
    print(f"{tally.count} exchanges, slowest {tally.slowest:.1f}")
    assert tally.count > 20


@pytest.mark.parametrize("name", [BITS, *BYTES])
def test_before_and_after_every_window_it_is_refused(evidence_dir: Path, name: str) -> None:
    assert changes.times(capture(evidence_dir, "sgx", name)).count == 4
