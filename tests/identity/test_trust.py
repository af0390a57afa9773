"""What relying parties ask the Steward for, read by libraries that are not ours."""

from __future__ import annotations

import base64
import secrets
import ssl
from datetime import UTC, datetime

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.identity.parties import TRUST_DOMAIN, Keep, Pki, Serving

NOW = datetime.now(UTC)


@pytest.fixture
def web(steward: Serving, pki: Pki) -> httpx.Client:
    context = ssl.create_default_context(cadata=pki.root.certificates_pem().decode())
    return httpx.Client(base_url=steward.url, verify=context)


def test_the_trust_bundle_is_the_root_in_three_notations(web: httpx.Client, pki: Pki) -> None:
    root = pki.root.path[0].raw
    (pem,) = x509.load_pem_x509_certificates(web.get("/v1/trust-bundle").content)
    assert root == pem.public_bytes(serialization.Encoding.DER)
    spiffe = web.get("/v1/trust-bundle", params={"format": "spiffe"}).json()
    assert [key["use"] for key in spiffe["keys"]] == ["x509-svid"]
    assert root == base64.b64decode(spiffe["keys"][0]["x5c"][0])
    assert {"spiffe_sequence", "spiffe_refresh_hint"} < set(spiffe)
    jwks = web.get("/v1/trust-bundle", params={"format": "jwks"}).json()
    assert jwks == web.get("/.well-known/jwks.json").json()


def test_an_ear_is_verified_with_the_published_keys(web: httpx.Client, keep: Keep) -> None:
    keys = KeySet.import_key_set(web.get("/.well-known/jwks.json").json())
    token = jwt.decode(keep.identity().ear, keys, algorithms=["ES256"])
    assert token.claims["eat_profile"] == "tag:ietf.org,2026:rats/ear#04"
    assert "snp" in token.claims["submods"]


def test_time_is_signed_over_the_callers_nonce(web: httpx.Client) -> None:
    nonce = secrets.token_bytes(32)
    answer = web.post("/v1/time", json={"nonce": base64.b64encode(nonce).decode()}).json()
    keys = KeySet.import_key_set(web.get("/.well-known/jwks.json").json())
    token = jwt.decode(answer["token"], keys, algorithms=["ES256"])
    assert token.header["typ"] == "enarx-time+jwt"
    assert base64.urlsafe_b64encode(nonce).rstrip(b"=").decode() == token.claims["eat_nonce"]
    assert abs(token.claims["iat"] - datetime.now(UTC).timestamp()) < 60


def test_the_crl_is_the_cas_and_empty_while_nothing_is_revoked(web: httpx.Client, pki: Pki) -> None:
    crl = x509.load_der_x509_crl(web.get("/v1/crl").content)
    ca = x509.load_der_x509_certificate(pki.ca.path[0].raw)
    assert ca.subject == crl.issuer
    assert crl.is_signature_valid(ca.public_key())
    assert len(crl) == 0
    assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number > 0
    assert crl.last_update_utc <= datetime.now(UTC) < crl.next_update_utc


def asked(certificate: x509.Certificate, issuer: x509.Certificate, hashed: hashes.HashAlgorithm) -> bytes:
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashed)
    builder = builder.add_extension(x509.OCSPNonce(b"0123456789abcdef"), critical=False)
    return builder.build().public_bytes(serialization.Encoding.DER)


@pytest.mark.parametrize("hashed", [hashes.SHA1(), hashes.SHA256()])  # noqa: S303 - OCSP names issuers by it
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_ocsp_says_good_of_what_was_issued(
    web: httpx.Client, keep: Keep, hashed: hashes.HashAlgorithm, method: str
) -> None:
    leaf, ca, *_ = (x509.load_der_x509_certificate(one.raw) for one in keep.identity().chain)
    raw = asked(leaf, ca, hashed)
    if method == "POST":
        answer = web.post("/v1/ocsp", content=raw, headers={"content-type": "application/ocsp-request"})
    else:
        answer = web.get(f"/v1/ocsp/{base64.b64encode(raw).decode()}")
    assert answer.headers["content-type"] == "application/ocsp-response"
    said = ocsp.load_der_ocsp_response(answer.content)
    assert (
        said.response_status,
        said.certificate_status,
    ) == (ocsp.OCSPResponseStatus.SUCCESSFUL, ocsp.OCSPCertStatus.GOOD)
    assert leaf.serial_number == said.serial_number
    assert said.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == b"0123456789abcdef"
    ca.public_key().verify(said.signature, said.tbs_response_bytes, ec.ECDSA(said.signature_hash_algorithm))


def test_ocsp_does_not_know_what_was_never_issued(web: httpx.Client, pki: Pki) -> None:
    ca = x509.load_der_x509_certificate(pki.ca.path[0].raw)
    answer = web.post(
        "/v1/ocsp", content=asked(ca, ca, hashes.SHA256()), headers={"content-type": "application/ocsp-request"}
    )
    assert ocsp.load_der_ocsp_response(answer.content).certificate_status == ocsp.OCSPCertStatus.UNKNOWN


def test_a_certificate_points_to_crl_and_ocsp(keep: Keep, steward: Serving) -> None:
    leaf = x509.load_der_x509_certificate(keep.identity().chain[0].raw)
    points = leaf.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert [f"{steward.url}/v1/crl"] == [name.value for point in points for name in point.full_name]
    info = leaf.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    assert [f"{steward.url}/v1/ocsp"] == [one.access_location.value for one in info]
    assert TRUST_DOMAIN in str(leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)


@pytest.mark.parametrize(
    ("path", "content", "media_type", "status"),
    [
        ("/v1/ocsp", b"", "application/ocsp-request", 400),
        ("/v1/ocsp", b"0" * 5000, "application/ocsp-request", 413),
        ("/v1/ocsp", b"\x30\x00", "application/ocsp-request", 400),
        ("/v1/ocsp", b"\x30\x00", "text/plain", 415),
        ("/v1/time", b'{"nonce":"AA=="}', "application/json", 400),
        ("/v1/time", b'{"nonce":1}', "application/json", 400),
        ("/v1/nonce", b'{"launch":"AA=="}', "application/json", 400),
        ("/v1/nonce", b"{}", "application/json", 400),
        ("/v1/attest", b"{}", "application/json", 400),
        ("/v1/attest", b"[]", "application/json", 400),
    ],
)
def test_bad_requests_are_problems(web: httpx.Client, path: str, content: bytes, media_type: str, status: int) -> None:
    answer = web.post(path, content=content, headers={"content-type": media_type})
    assert (status, "application/problem+json") == (answer.status_code, answer.headers["content-type"])
