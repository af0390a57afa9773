# SPDX-License-Identifier: Apache-2.0
"""The captured tokens and reports, and the keys that are named for some of them."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from enarx.cli.vectors import nvidia as nvidia_vectors
from enarx.cli.vectors.descriptor import Case, Outcome, Vector
from enarx.cli.vectors.named_key import named_keys
from enarx.cli.vectors.verdicts import judged
from enarx.errors import EnarxError, Malformed
from enarx.evidence.production import production
from enarx.platform.simulated.nvidia import SimulatedNvidia

KINDS = {"cca": 7, "psa": 7, "nvidia-gpu": 12, "nvidia-switch": 3}
KEY = ec.generate_private_key(ec.SECP384R1())
PUBLIC = KEY.public_key()
SPKI = PUBLIC.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("kind", KINDS)
def test_every_capture_ends_as_its_descriptor_says(evidence_dir: Path, kind: str) -> None:
    lines = [line for path in sorted((evidence_dir / kind).glob("*/vector.json")) for line in judged(path)]
    assert KINDS[kind] <= len(lines)
    assert [] == [line.text() for line in lines if not line.ok]


def _number(value: int) -> str:
    return base64.urlsafe_b64encode(value.to_bytes((value.bit_length() + 7) // 8, "big")).rstrip(b"=").decode()


def _jwk() -> dict[str, str]:
    numbers = PUBLIC.public_numbers()
    return {"kty": "EC", "crv": "P-384", "x": _number(numbers.x), "y": _number(numbers.y)}


FORMS = {
    "pem": PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    "der": SPKI,
    "private pem": KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
    "private pkcs8": KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
    "point": PUBLIC.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
    "jwk": json.dumps(_jwk()).encode(),
    "jwk set": json.dumps({"keys": [_jwk()]}).encode(),
    "trust anchors": json.dumps([{"instance-id": "01", "pkey": _jwk()}]).encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_key_is_read_in_every_form(form: str) -> None:
    assert (SPKI,) == named_keys(FORMS[form], form)


def test_rsa_keys_and_certificates_are_read() -> None:
    key = rsa.generate_private_key(65537, 2048).public_key()
    numbers = key.public_numbers()
    jwk = {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert (spki,) == named_keys(json.dumps(jwk).encode(), "rsa")
    root = production().roots["nvidia"][0]  # type: ignore[index]
    pem = x509.load_der_x509_certificate(root.raw).public_bytes(Encoding.PEM)
    assert (root.spki,) == named_keys(root.raw, "der") == named_keys(pem, "pem")


@pytest.mark.parametrize(
    "raw", [b"", b"nothing", b"{}", b"[]", b'{"kty":"EC"}', b'{"kty":"EC","crv":"P-384","x":"AA","y":"AA"}', b"{"]
)
def test_what_is_no_key_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        named_keys(raw, "key")


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"", b"{", b"[", b"-----BEGIN PUBLIC KEY-----\n", b"\x30"]))
def test_any_file_is_refused_in_our_families(raw: bytes, start: bytes) -> None:
    with pytest.raises(EnarxError):
        named_keys(start + raw, "key")


def _nvidia(case: dict[str, object], files: dict[str, bytes]) -> Outcome:
    vector = Vector(kind="nvidia-gpu", name="x", evidence="report.bin", files=tuple(files), cases=(), claims={})
    return nvidia_vectors.judge(vector, msgspec.convert(case, Case), files, production=production())


def test_a_synthetic_chain_is_believed_under_the_root_that_its_case_names() -> None:
    when = datetime(2026, 1, 1, tzinfo=UTC)
    gpu = SimulatedNvidia.made(when)
    pem = [x509.load_der_x509_certificate(one).public_bytes(Encoding.PEM) for one in gpu.certificates]
    files = {"report.bin": gpu.report(bytes(32)), "cert_chain.pem": b"".join(pem), "root.pem": pem[-1]}
    case = {"when": when.isoformat(), "verdict": "authentic"}
    assert _nvidia({**case, "anchors": "root.pem"}, files).verdict == "authentic"
    assert _nvidia(case, files).verdict == "unauthentic"


def test_the_chain_is_found_in_the_evidence_as_published(evidence_dir: Path) -> None:
    folder = evidence_dir / "nvidia-gpu" / "sdk-hopper-590.12"
    files = {name: (folder / name).read_bytes() for name in ("report.bin", "evidence_as_published.json")}
    case = {"when": None, "verdict": "authentic"}
    assert _nvidia(case, files).verdict == "authentic"
    assert _nvidia(case, {"report.bin": files["report.bin"], "other.json": b"[]"}).verdict == "undetermined"


def test_ocsp_answers_beside_a_report_are_found_by_content() -> None:
    when = datetime(2026, 1, 1, tzinfo=UTC)
    gpu = SimulatedNvidia.made(when)
    pem = [x509.load_der_x509_certificate(one).public_bytes(Encoding.PEM) for one in gpu.certificates]
    files = {"report.bin": gpu.report(bytes(32)), "cert_chain.pem": b"".join(pem), "root.pem": pem[-1]}
    files |= {f"answer{at}": raw for at, raw in enumerate(gpu.ocsp(when))}
    case = {"when": when.isoformat(), "verdict": "authentic", "anchors": "root.pem"}
    assert _nvidia(case, files).claims["ocsp"] == "good"
