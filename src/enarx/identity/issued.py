# SPDX-License-Identifier: Apache-2.0
"""What a Keep makes of a Steward's answer: an identity that is its own, or a refusal."""

from __future__ import annotations

import itertools

import msgspec
from cryptography import x509 as library

from enarx.codec.x509 import MAX_CHAIN, Certificate
from enarx.errors import Malformed, Reason, Unauthentic, Undetermined
from enarx.identity.request import parse
from enarx.workload import spiffe
from enarx.workload.launch import Launch
from enarx.workload.spiffe import SpiffeId


class Identity(msgspec.Struct, frozen=True):
    """An identity: the certificate with its issuers (own first), and the appraisal's result as a JWT."""

    chain: tuple[Certificate, ...]
    ear: str

    @property
    def spiffe_id(self) -> SpiffeId:
        """Whose package and launch it names."""
        return identity_of(self.chain[0])


def identity_of(certificate: Certificate) -> SpiffeId:
    """The one SPIFFE ID in a certificate (X.509-SVID section 2). `Malformed` when there is not exactly one."""
    try:
        loaded = library.load_der_x509_certificate(certificate.raw)
        names = loaded.extensions.get_extension_for_class(library.SubjectAlternativeName).value
    except (ValueError, library.ExtensionNotFound, library.DuplicateExtension):
        raise Malformed(Reason.MISSING, "subject alternative names") from None
    uris = names.get_values_for_type(library.UniformResourceIdentifier)
    if len(uris) != 1:
        raise Malformed(Reason.INCONSISTENT, f"certificate with {len(uris)} URIs")
    return spiffe.parse(uris[0])


def accept(certificates: tuple[bytes, ...], ear: str, *, request: bytes, launch: Launch) -> Identity:
    """The identity in an answer, when it is for our key and our launch; `Unauthentic` otherwise."""
    if not 2 <= len(certificates) <= MAX_CHAIN:
        raise Undetermined(Reason.UNEXPECTED_ANSWER, f"the steward's answer: {len(certificates)} certificates")
    try:
        chain = tuple(Certificate(raw) for raw in certificates)
        named = identity_of(chain[0])
    except Malformed as error:
        raise Undetermined(Reason.UNEXPECTED_ANSWER, f"the steward's answer: {error.subject}") from None
    if chain[0].spki != parse(request).spki:
        raise Unauthentic(Reason.KEY_NOT_BOUND, "the certificate issued is for another key")
    if (named.package, named.launch) != (launch.package, launch.digest()):
        raise Unauthentic(Reason.KEY_NOT_BOUND, "the certificate issued is for another launch")
    for child, issuer in itertools.pairwise(chain):
        if child.issuer != issuer.subject or not issuer.is_ca or not child.signed_by(issuer.public_key):
            raise Unauthentic(Reason.CHAIN_BROKEN, f"{child.name} is not issued by {issuer.name}")
    return Identity(chain, ear)
