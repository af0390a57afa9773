# SPDX-License-Identifier: Apache-2.0
"""The signature inside a manifest: XML-DSig as NVIDIA makes it, and nothing else of XML-DSig.

One signature, a child of the root element; one reference, to the whole document; enveloped;
canonical XML; SHA-384 and ECDSA P-384. With those fixed there is nothing in the document for a
reader to see that the signature does not cover, except the signature's own key material.
"""

from __future__ import annotations

import base64
import binascii
import re

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from enarx.codec.digest import same, sha384
from enarx.codec.x509 import MAX_CHAIN, PublicKey
from enarx.errors import Malformed, Reason
from enarx.evidence.check import Trail
from enarx.evidence.rim_c14n import ALGORITHMS, INCLUSIVE_10, canonical
from enarx.evidence.rim_xml import Element

DSIG = "http://www.w3.org/2000/09/xmldsig#"
ENVELOPED = f"{DSIG}enveloped-signature"
ECDSA_SHA384 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"
SHA384 = "http://www.w3.org/2001/04/xmldsig-more#sha384"
SOURCE = "W3C XML Signature 1.1, section 3.2"
SIGNATURE_SIZE = 96
"""RFC 4050 section 3.3: r ‖ s, each as long as the order of P-384."""

_SPACE = re.compile(r"[ \t\r\n]+")


class Signature(msgspec.Struct, frozen=True):
    """A manifest's signature as received. Parsed, not believed.

    signed       canonical SignedInfo
    digest       what it says the document's digest is
    document     the canonical document, the signature left out
    value        r ‖ s
    certificates DER, the signer's first
    """

    signed: bytes
    digest: bytes
    document: bytes
    value: bytes
    certificates: tuple[bytes, ...]


def signature_of(root: Element, what: str) -> Signature:
    """The one signature of a document."""
    if _count(root) != 1:
        raise Malformed(Reason.MISSING if not _count(root) else Reason.DUPLICATE, f"{what}: signature")
    found = next((child for child in root.elements() if child.named(DSIG, "Signature")), None)
    if found is None:
        raise Malformed(Reason.SYNTAX, f"{what}: the signature is not a child of the root")
    info, value, key = _exactly(found, what, "SignedInfo", "SignatureValue", "KeyInfo")
    method, algorithm, reference = _exactly(info, what, "CanonicalizationMethod", "SignatureMethod", "Reference")
    _require_algorithm(algorithm, {ECDSA_SHA384}, what)
    transform, digest = _reference(reference, what)
    octets = _base64(value, what)
    if len(octets) != SIGNATURE_SIZE:
        raise Malformed(Reason.WRONG_LENGTH, f"{what}: signature of {len(octets)} bytes")
    return Signature(
        canonical(info, _require_algorithm(method, ALGORITHMS, what)),
        digest,
        canonical(root, transform, without=found),
        octets,
        _certificates(key, what),
    )


def _count(element: Element) -> int:
    """Elements called Signature anywhere, whatever is around them."""
    return element.named(DSIG, "Signature") + sum(_count(child) for child in element.elements())


def _exactly(element: Element, what: str, *names: str) -> tuple[Element, ...]:
    """The children, which are these, in this order."""
    children = element.elements()
    if [(child.namespace, child.local) for child in children] != [(DSIG, name) for name in names]:
        raise Malformed(Reason.SYNTAX, f"{what}: {element.local} does not hold {', '.join(names)}")
    return children


def _require_algorithm(element: Element, allowed: set[str] | frozenset[str], what: str) -> str:
    """The element's Algorithm, one of `allowed`, without parameters."""
    found = element.attribute("Algorithm") or ""
    if found not in allowed or element.elements():
        raise Malformed(Reason.ALGORITHM, f"{what}: {element.local} {found[:80]!r}")
    return found


def _reference(reference: Element, what: str) -> tuple[str, bytes]:
    """The canonicalization of the one reference, and the digest that it states."""
    if reference.attribute("URI") != "":
        raise Malformed(Reason.UNKNOWN_VALUE, f"{what}: the reference is not to the whole document")
    transforms, method, value = _exactly(reference, what, "Transforms", "DigestMethod", "DigestValue")
    _require_algorithm(method, {SHA384}, what)
    steps = transforms.elements()
    if not 1 <= len(steps) <= 2 or not all(step.named(DSIG, "Transform") for step in steps):
        raise Malformed(Reason.SYNTAX, f"{what}: transforms")
    _require_algorithm(steps[0], {ENVELOPED}, what)
    # XML Signature 4.4.3.2: octets are wanted and none say how, so Canonical XML 1.0 is
    form = _require_algorithm(steps[1], ALGORITHMS, what) if len(steps) == 2 else INCLUSIVE_10
    return form, _base64(value, what)


def _base64(element: Element, what: str) -> bytes:
    try:
        return base64.b64decode(_SPACE.sub("", element.text()).encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise Malformed(Reason.SYNTAX, f"{what}: {element.local} is not base64") from None


def _certificates(key: Element, what: str) -> tuple[bytes, ...]:
    (holder,) = _exactly(key, what, "X509Data")
    listed = holder.elements()
    if not listed or not all(one.named(DSIG, "X509Certificate") for one in listed):
        raise Malformed(Reason.MISSING, f"{what}: certificates")
    if len(listed) > MAX_CHAIN:
        raise Malformed(Reason.TOO_LARGE, f"{what}: {len(listed)} certificates")
    return tuple(_base64(one, what) for one in listed)


def verify(signature: Signature, key: PublicKey, *, trail: Trail, name: str) -> None:
    """`key` signed the document; recorded in `trail`."""
    found = sha384(signature.document)
    trail.require(
        same(found, signature.digest),
        Reason.DIGEST_MISMATCH,
        f"{name}: digest",
        fact=found,
        expectation=signature.digest,
        source=SOURCE,
    )
    trail.require(
        isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp384r1",
        Reason.ALGORITHM,
        f"{name}: key",
        expectation="ECDSA P-384",
        source=SOURCE,
    )
    trail.require(_signed(signature, key), Reason.SIGNATURE_INVALID, f"{name}: signature", source=SOURCE)


def _signed(signature: Signature, key: PublicKey) -> bool:
    half = SIGNATURE_SIZE // 2
    r, s = (int.from_bytes(part, "big") for part in (signature.value[:half], signature.value[half:]))
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(encode_dss_signature(r, s), signature.signed, ec.ECDSA(hashes.SHA384()))
            return True
    except InvalidSignature:
        return False
    return False
