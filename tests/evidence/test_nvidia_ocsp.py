# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from enarx.errors import Malformed, Reason, Unauthentic
from enarx.evidence.endorsement import Endorsements
from enarx.platform.simulated import pki
from tests.evidence.nvidia_world import GPU, SWITCH, WHEN, judged, refused


def _delegated(*, usage: bool = True, by: pki.Authority | None = None) -> bytes:
    """An answer by a responder that the issuer of the boot ROM's certificate has appointed, or not."""
    pair = GPU.chain[-1].certificate, by or GPU.chain[-2]
    key = ec.generate_private_key(ec.SECP384R1())
    extensions: list[tuple[x509.ExtensionType, bool]] = [(pki.usage("digital_signature"), True)]
    if usage:
        extensions.append((x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.OCSP_SIGNING]), False))
    start = WHEN - timedelta(days=1)
    responder = pki.issued(
        "responder", key.public_key(), pair[1], start, WHEN + timedelta(days=9), extensions=extensions
    )
    built = ocsp.OCSPResponseBuilder().add_response(
        pair[0], GPU.chain[-2].certificate, hashes.SHA1(), ocsp.OCSPCertStatus.GOOD, start,  # noqa: S303
        WHEN + timedelta(days=1), None, None,
    )  # fmt: skip
    built = built.responder_id(ocsp.OCSPResponderEncoding.HASH, responder).certificates([responder])
    return built.sign(key, hashes.SHA384()).public_bytes(Encoding.DER)


def test_an_appointed_responder_may_answer() -> None:
    given_ = Endorsements(certificates=GPU.certificates, ocsp=(_delegated(), *GPU.ocsp(WHEN)[1:]))
    assert judged(given_=given_).ocsp == "good"


def test_a_responder_that_nobody_appointed_may_not() -> None:
    for lie, reason in (
        (_delegated(usage=False), Reason.CERTIFICATE_PROFILE),
        (_delegated(by=SWITCH.chain[-2]), Reason.CHAIN_BROKEN),
    ):
        given_ = Endorsements(certificates=GPU.certificates, ocsp=(lie,))
        assert refused(given_=given_) == (Unauthentic, reason)


def test_an_answer_that_is_none_is_malformed() -> None:
    failure = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)
    for raw in (b"", b"\x30\x00", failure.public_bytes(Encoding.DER)):
        assert refused(given_=Endorsements(certificates=GPU.certificates, ocsp=(raw,)))[0] is Malformed


def test_unknown_is_no_answer() -> None:
    given_ = Endorsements(certificates=GPU.certificates, ocsp=GPU.ocsp(WHEN, status=ocsp.OCSPCertStatus.UNKNOWN))
    assert judged(given_=given_).ocsp == "unknown"
