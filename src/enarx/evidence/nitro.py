# SPDX-License-Identifier: Apache-2.0
"""AWS Nitro: attestation documents of enclaves and of NitroTPM, believed from AWS's root down.

"Verifying the root of trust", section "Semantical validation": the certificate signed the
document, and `cabundle` leads from it to a root that was pinned out of band.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from enarx.codec.der import Der
from enarx.codec.x509 import Certificate
from enarx.errors import Malformed, Reason
from enarx.evidence.anchor import Anchors, Vendor
from enarx.evidence.chain import authenticate_links, require_valid, window_of
from enarx.evidence.check import Trail
from enarx.evidence.claims import Claims, Window
from enarx.evidence.cose import ES384, verify_sign1
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.memory import Memory
from enarx.evidence.nitro_document import Document, parse
from enarx.evidence.profile import require_profile
from enarx.evidence.revocation import require_path_not_revoked

SOURCE = "AWS: Verifying the root of trust"
ECDSA_SHA384 = "1.2.840.10045.4.3.3"
_ES384 = frozenset({ES384})
BOOT_REGISTERS = (0, 1, 2)
"""Image, kernel and application of an enclave: all zero when it was started in debug mode."""


class NitroClaims(Claims, frozen=True, kw_only=True):
    """What an enclave's document says. `bound` is its user_data.

    timestamp milliseconds since 1970, by the hypervisor's clock
    pcrs      register index to value (SHA-384 in every document seen)
    """

    module_id: str
    digest: str
    timestamp: int
    pcrs: dict[int, bytes]
    public_key: bytes | None
    user_data: bytes | None
    nonce: bytes | None

    def facts(self) -> dict[str, Any]:
        """The claims by their names in the vectors."""
        return {
            "module_id": self.module_id,
            "digest": self.digest,
            "timestamp": self.timestamp,
            "pcrs": {str(index): value.hex() for index, value in sorted(self.pcrs.items())},
            "public_key": _hex(self.public_key),
            "user_data": _hex(self.user_data),
            "nonce": _hex(self.nonce),
        }

    def debug(self) -> bool:
        """A boot register is zero or not there: the parent instance reads the enclave's console."""
        return any(not any(self.pcrs.get(index, b"")) for index in BOOT_REGISTERS)


class NitroTpmClaims(NitroClaims, frozen=True, kw_only=True):
    """What a NitroTPM's document says of an instance that booted with measurements."""

    def facts(self) -> dict[str, Any]:
        """The claims by their names in the document."""
        found = super().facts()
        return {**found, "nitrotpm_pcrs": found["pcrs"]}


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def judge(
    evidence: Evidence,
    endorsements: Endorsements,
    *,
    anchors: Anchors,
    when: datetime,
    memory: Memory[Any] | None = None,
) -> NitroClaims:
    """Parse and authenticate a document of either kind, which has no other parts."""
    if evidence.parts:
        raise Malformed(Reason.UNKNOWN_KEY, f"evidence of kind {evidence.kind}: part {min(evidence.parts)!r}")
    document = parse(evidence.body, evidence.kind)
    return authenticate(document, endorsements, anchors=anchors, when=when, memory=memory)


def authenticate(
    document: Document,
    endorsements: Endorsements,
    *,
    anchors: Anchors,
    when: datetime,
    memory: Memory[Any] | None = None,
) -> NitroClaims:
    """Claims of `document`, which AWS's root vouches for at `when`.

    The signature comes first: it is one verification, and everything that could be changed in
    a document, its certificates included, is under it.
    """
    trail = Trail()
    leaf = Certificate(document.certificate, f"{document.kind} certificate")
    _require_key(leaf, trail)
    name = f"{document.kind} document"
    verify_sign1(document.sign1, leaf.public_key, trail=trail, name=name, source=SOURCE, algorithms=_ES384)
    window = _path(document, leaf, endorsements, anchors=anchors, when=when, trail=trail, memory=memory)
    claims = NitroTpmClaims if document.kind is Kind.NITROTPM else NitroClaims
    return claims(
        kind=document.kind,
        anchors=anchors.name,
        bound=document.user_data or b"",
        launch=None,
        window=window,
        checks=trail.checks(),
        module_id=document.module_id,
        digest=document.digest,
        timestamp=document.timestamp,
        pcrs=document.pcrs,
        public_key=document.public_key,
        user_data=document.user_data,
        nonce=document.nonce,
    )


def _path(
    document: Document,
    leaf: Certificate,
    endorsements: Endorsements,
    *,
    anchors: Anchors,
    when: datetime,
    trail: Trail,
    memory: Memory[Any] | None,
) -> Window:
    """The path believed at `when`: remembered by its bytes, its time and revocation asked again."""
    roots = anchors.of(Vendor.AWS)
    key = ("nitro path", document.certificate, document.cabundle, roots)
    name = f"{document.kind} chain"
    path: tuple[Certificate, ...] | None = memory.get(key) if memory is not None else None
    if path is None:
        path = (leaf, *(Certificate(raw, "cabundle certificate") for raw in reversed(document.cabundle)))
        authenticate_links(path, roots, trail=trail, name=name, source=SOURCE)
        require_profile(path, trail=trail, name=name)
        for certificate in path:
            _require_key(certificate, trail)
        if memory is not None:
            memory.keep(key, path)
    else:
        trail.note(f"{name}: remembered", leaf.name)
    for certificate in path:
        require_valid(certificate, when=when, trail=trail, name=name)
    window = window_of(path)
    return require_path_not_revoked(path, endorsements.crls, window, when=when, trail=trail, name=name)


def _require_key(certificate: Certificate, trail: Trail) -> None:
    """P-384 with SHA-384 throughout, the one suite that AWS's hierarchy uses."""
    key = certificate.public_key
    trail.require(
        isinstance(key, ec.EllipticCurvePublicKey)
        and key.curve.name == "secp384r1"
        and _signature_algorithm(certificate) == ECDSA_SHA384,
        Reason.ALGORITHM,
        "certificate key and signature",
        fact=certificate.name,
        expectation="P-384, ECDSA with SHA-384",
        source=SOURCE,
    )


def _signature_algorithm(certificate: Certificate) -> str:
    outer = Der(certificate.raw, "certificate").sequence("Certificate")
    outer.raw("tbsCertificate")
    return outer.sequence("signatureAlgorithm").oid("algorithm")
