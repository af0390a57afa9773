"""Enarx 0.7's protocol over HTTP: its bytes and status codes, with safe outcomes unless told otherwise."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from enarx.codec.der import OCTET_STRING, SEQUENCE, Der, write
from enarx.codec.digest import sha384
from enarx.evidence import legacy
from enarx.identity.request import spki_of
from enarx.identity.upstream import BUNDLE, PKCS10
from enarx.platform.simulated.snp import SimulatedSnp
from tests.identity.parties import TRUST_DOMAIN, Pki, anchors, policy_text, serving

LEGACY = {
    'binding = "enarx-binding-1"': 'binding = "legacy-spki"',
    'freshness = "nonce"': 'freshness = "unchecked"',
    'launch_field = "required"': 'launch_field = "unchecked"',
}


def legacy_policy(text: str) -> str:
    for old, new in LEGACY.items():
        text = text.replace(old, new)
    return text


def csr(key: ec.EllipticCurvePrivateKey, *extensions: tuple[str, bytes], critical: bool = False) -> bytes:
    """A request as upstream made it: empty subject, one extension."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    for oid, value in extensions:
        extension = x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def kvm() -> bytes:
    return csr(ec.generate_private_key(ec.SECP256R1()), (legacy.KVM, b""))


def snp(chip: SimulatedSnp, key: ec.EllipticCurvePrivateKey | None = None) -> bytes:
    key = key or ec.generate_private_key(ec.SECP384R1())
    report = chip.report(sha384(spki_of(key.public_key())) + bytes(16))
    pair = write(SEQUENCE, chip.certificates[0], write(SEQUENCE, write(SEQUENCE)))
    return csr(key, (legacy.SNP, write(SEQUENCE, pair, write(OCTET_STRING, report))))


def sequence(raw: bytes) -> list[bytes]:
    whole = Der(raw, "answer")
    inner = whole.sequence("answer")
    whole.done()
    found = []
    while inner.peek() is not None:
        found.append(inner.raw("element"))
    return found


def verified(issuer: bytes, issued: bytes) -> x509.Certificate:
    ca, leaf = x509.load_der_x509_certificate(issuer), x509.load_der_x509_certificate(issued)
    leaf.verify_directly_issued_by(ca)
    return leaf


def opened(folder: Path, chip: SimulatedSnp, words: str, text: str | None) -> Iterator[httpx.Client]:
    """A Steward with `text` as its policy for upstream's Keeps, and a CA for them with these words."""
    pki, own = Pki(folder), Pki(folder, words=words, name="legacy")
    (folder / "policy.toml").write_text(policy_text())
    (folder / "between.pem").write_text("".join(map(ssl.DER_cert_to_PEM_cert, chip.certificates[1:2])))
    arguments = [
        *("--crt", pki.crt, "--key", pki.key, "--policy", folder / "policy.toml", "--trust-domain", TRUST_DOMAIN),
        *("--anchors", anchors(folder, chip), "--unsafe-anchors"),
    ]
    if text is not None:
        (folder / "legacy.toml").write_text(text)
        arguments += ["--legacy-policy", folder / "legacy.toml", "--legacy-crt", own.crt, "--legacy-key", own.key]
        arguments += ["--legacy-intermediates", folder / "between.pem", "--san", "foo.bar.hub.example"]
    with serving(folder, *arguments) as steward:
        context = ssl.create_default_context(cadata=pki.root.certificates_pem().decode())
        with httpx.Client(base_url=steward.url, verify=context) as web:
            yield web


@pytest.fixture(scope="module")
def default(tmp_path_factory: pytest.TempPathFactory, chip: SimulatedSnp) -> Iterator[httpx.Client]:
    """Nothing was said about upstream's Keeps."""
    yield from opened(tmp_path_factory.mktemp("default"), chip, "simulated, legacy", None)


@pytest.fixture(scope="module")
def judging(tmp_path_factory: pytest.TempPathFactory, chip: SimulatedSnp) -> Iterator[httpx.Client]:
    """There is a policy for them, for SNP."""
    text = legacy_policy(policy_text())
    yield from opened(tmp_path_factory.mktemp("judging"), chip, "simulated, legacy", text)


@pytest.fixture(scope="module")
def unsafe(tmp_path_factory: pytest.TempPathFactory, chip: SimulatedSnp) -> Iterator[httpx.Client]:
    """The policy accepts Keeps without a TEE, in so many words."""
    text = legacy_policy(policy_text()).replace('"legacy-spki"', '"unchecked"')
    text += '\n[none]\ninsecure = "accepted"\n'
    yield from opened(tmp_path_factory.mktemp("unsafe"), chip, "simulated, none, legacy", text)


def post(web: httpx.Client, body: bytes, kind: str | None = PKCS10) -> httpx.Response:
    return web.post("/", content=body, headers={"content-type": kind} if kind else {})


def test_the_root_answers_with_nothing(default: httpx.Client) -> None:
    answer = default.get("/")
    assert (200, b"") == (answer.status_code, answer.content)


def test_a_request_with_genuine_evidence_gets_a_path_with_its_issuer_first(
    judging: httpx.Client, chip: SimulatedSnp
) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    answer = post(judging, snp(chip, key))
    assert (200, PKCS10) == (answer.status_code, answer.headers["content-type"])
    issuer, issued = sequence(answer.content)
    leaf = verified(issuer, issued)
    assert spki_of(key.public_key()) == spki_of(leaf.public_key())
    assert "legacy" in x509.load_der_x509_certificate(issuer).subject.rfc4514_string()
    assert "OU=snp simulated legacy" in leaf.subject.rfc4514_string()
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert ["foo.bar.hub.example"] == names.get_values_for_type(x509.DNSName)
    assert [] == names.get_values_for_type(x509.UniformResourceIdentifier)


def test_a_bundle_of_five_gets_five(judging: httpx.Client, chip: SimulatedSnp) -> None:
    answer = post(judging, write(SEQUENCE, *(snp(chip) for _ in range(5))), BUNDLE)
    assert (200, BUNDLE) == (answer.status_code, answer.headers["content-type"])
    chain, issued = sequence(answer.content)
    (issuer,) = sequence(chain)
    leaves = [verified(issuer, one) for one in sequence(issued)]
    assert 5 == len({leaf.serial_number for leaf in leaves})


def test_a_batch_fails_as_a_whole(judging: httpx.Client, chip: SimulatedSnp) -> None:
    assert 400 == post(judging, write(SEQUENCE, snp(chip), kvm()), BUNDLE).status_code


@pytest.mark.parametrize("kind", [PKCS10, BUNDLE])
def test_a_keep_without_a_tee_is_refused_unless_the_policy_says_otherwise(
    default: httpx.Client, judging: httpx.Client, unsafe: httpx.Client, kind: str
) -> None:
    body = kvm() if kind == PKCS10 else write(SEQUENCE, kvm())
    for web in (default, judging):
        answer = post(web, body, kind)
        assert (400, "application/problem+json") == (answer.status_code, answer.headers["content-type"])
    answer = post(unsafe, body, kind)
    assert 200 == answer.status_code
    if kind == PKCS10:
        path = sequence(answer.content)
        assert 2 == len(path)
        assert "OU=none legacy" in verified(*path).subject.rfc4514_string()


def test_even_genuine_evidence_is_refused_without_a_policy_for_it(default: httpx.Client, chip: SimulatedSnp) -> None:
    answer = post(default, snp(chip))
    assert (400, "no-policy-for-kind") == (answer.status_code, answer.json()["reason"])


@pytest.mark.parametrize("kind", [PKCS10, BUNDLE])
def test_a_request_without_evidence_is_401(judging: httpx.Client, kind: str) -> None:
    body = csr(ec.generate_private_key(ec.SECP256R1()))
    assert 401 == post(judging, body if kind == PKCS10 else write(SEQUENCE, body), kind).status_code


def test_evidence_of_one_keep_with_the_key_of_another_is_refused(judging: httpx.Client, chip: SimulatedSnp) -> None:
    report = chip.report(sha384(b"another") + bytes(16))
    pair = write(SEQUENCE, chip.certificates[0], write(SEQUENCE, write(SEQUENCE)))
    value = write(SEQUENCE, pair, write(OCTET_STRING, report))
    answer = post(judging, csr(ec.generate_private_key(ec.SECP384R1()), (legacy.SNP, value)))
    assert (400, "binding-mismatch") == (answer.status_code, answer.json()["reason"])


def test_what_upstream_answered_with_400_is_400(judging: httpx.Client, chip: SimulatedSnp) -> None:
    good = snp(chip)
    broken = good[:-1] + bytes([(good[-1] + 1) % 256])
    key = ec.generate_private_key(ec.SECP256R1())
    for body, kind in (
        (good, None),
        (good, "application/json"),
        (b"", PKCS10),
        (b"\x01\x02\x03\x04", PKCS10),
        (b"\x01\x02\x03\x04", BUNDLE),
        (b"", BUNDLE),
        (write(SEQUENCE), BUNDLE),
        (good + b"\0", PKCS10),
        (broken, PKCS10),
        (csr(key, ("1.2.3.4", b"\5\0")), PKCS10),
        (csr(key, (legacy.SNP, b"\5\0")), PKCS10),
        (csr(key, (legacy.KVM, b""), critical=True), PKCS10),
        (csr(key, (legacy.KVM, b""), (legacy.SNP, b"")), PKCS10),
        (write(SEQUENCE, *(kvm() for _ in range(65))), BUNDLE),
    ):
        answer = post(judging, body, kind)
        assert 400 == answer.status_code or (answer.status_code, len(body) > 10000) == (413, True), (kind, answer.text)
        assert "application/problem+json" == answer.headers["content-type"]


def test_its_certificates_are_revoked_and_asked_about_like_others(judging: httpx.Client, chip: SimulatedSnp) -> None:
    leaf = x509.load_der_x509_certificate(sequence(post(judging, snp(chip)).content)[1])
    (point,) = leaf.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert point.full_name[0].value.endswith("/v1/legacy/crl")
    crl = x509.load_der_x509_crl(judging.get("/v1/legacy/crl").content)
    assert leaf.issuer == crl.issuer
