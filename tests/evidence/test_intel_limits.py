"""Huge, deep and repetitive input: refused in our family, in memory that stays in proportion."""

from __future__ import annotations

import contextlib
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from enarx.codec import der
from enarx.errors import EnarxError
from enarx.evidence import intel_document, intel_pck, intel_pem, intel_qe_identity, intel_tcb_info, sgx, tdx
from enarx.evidence.endorsement import Endorsements
from enarx.platform.simulated.tdx import SimulatedTdx

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
DOMAIN = SimulatedTdx.made(WHEN)
GIVEN = DOMAIN.endorsements().intel
assert GIVEN is not None
INFO = intel_document.parse(GIVEN.tcb_info, "tcbInfo").body
LEVELS = INFO.index(b'"tcbLevels":[', INFO.rindex(b'"tcbLevels"')) + len(b'"tcbLevels":[')
LEVEL = INFO[LEVELS : INFO.rindex(b'},{"tcb"')] + b"}"
LARGEST = intel_document.MAX_BYTES


def _document(raw: bytes) -> object:
    return intel_tcb_info.parse(intel_document.parse(raw, "tcbInfo").body)


def _around(body: bytes) -> bytes:
    return b'{"tcbInfo":' + body + b',"signature":"' + b"0" * 128 + b'"}'


def _crl(raw: bytes) -> object:
    intel = msgspec.structs.replace(GIVEN, pck_crl=raw)
    return tdx.authenticate(
        tdx.parse(DOMAIN.quote(b"")), Endorsements(intel=intel), anchors=DOMAIN.anchors(), when=WHEN
    )


HOSTILE: list[tuple[str, Callable[[bytes], object], bytes]] = [
    ("zeros as a quote", tdx.parse, bytes(1 << 20)),
    ("a quote with much after it", sgx.parse, DOMAIN.quote(b"") + bytes(900_000)),
    ("a quote that ends in ones", tdx.parse, DOMAIN.quote(b"") + b"\1" * 900_000),
    ("levels without end", _document, _around(INFO[:LEVELS] + b",".join([LEVEL] * 1200) + b"]}")),
    ("advisories without end", _document, _around(INFO.replace(LEVEL, LEVEL[:-1] + b',"advisoryIDs":['
                                                              + b",".join([b'"A"'] * 250_000) + b"]}"))),
    ("objects that nobody asked for", _document, _around(b'{"x":[' + b"{}," * 300_000 + b"{}]," + INFO[1:])),
    ("depth", _document, _around(b'{"x":' + b"[" * 400_000 + b"]" * 400_000 + b"}")),
    ("depth without a document", lambda raw: intel_document.parse(raw, "tcbInfo"), b'{"tcbInfo":' * 90_000),
    ("an identity that is a number", intel_qe_identity.parse, b"1" * LARGEST),
    ("a signature without end", _document, _around(INFO)[:-2] + b"0" * 900_000 + b'"}'),
    ("certificates without end", lambda raw: intel_pem.blocks(raw, "chain"), GIVEN.tcb_chain * 130),
    ("armour without letters", lambda raw: intel_pem.blocks(raw, "chain"), (intel_pem.BEGIN + intel_pem.END) * 4000),
    ("an extension of entries", intel_pck.parse, der.write(der.SEQUENCE, b"\x30\0" * 30_000)),
    ("an extension of lengths", intel_pck.parse, der.write(der.SEQUENCE, b"\x30\x82\xff\xff" * 15_000)),
    ("zeros as a CRL", _crl, bytes(8 << 20)),
    ("a CRL in PEM without end", _crl, b"-----BEGIN X509 CRL-----" + b"A" * (8 << 20)),
]  # fmt: skip


@pytest.mark.parametrize(("read", "raw"), [case[1:] for case in HOSTILE], ids=[case[0] for case in HOSTILE])
def test_memory_stays_below_64_mib_and_twenty_times_the_input(read: Callable[[bytes], object], raw: bytes) -> None:
    tracemalloc.start()
    try:
        with contextlib.suppress(EnarxError):
            read(raw)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < (64 << 20) + 20 * len(raw)


def test_the_largest_genuine_documents_are_far_from_the_limits(evidence_dir: Path) -> None:
    for pattern, limit in (
        ("*/*/collateral*/*.json", LARGEST),
        ("*/*/quote.bin", 1 << 20),
        ("*/*/*.pem", intel_pem.MAX_BYTES),
    ):
        assert max(path.stat().st_size for path in evidence_dir.glob(pattern)) * 8 < limit
