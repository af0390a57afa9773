# SPDX-License-Identifier: Apache-2.0
"""COSE_Sign1 (RFC 9052) over `cryptography`: read strictly, verified over the bytes received.

Nitro documents, CCA and PSA tokens and CoRIM files are all one of these. A format says whether
its tag 18 stands before it; nothing here guesses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import cbor2
import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from enarx.codec import cbor
from enarx.codec.x509 import PublicKey
from enarx.errors import Malformed, Reason, Unauthentic
from enarx.evidence.check import Trail

TAG = 18
"""RFC 9052 section 4.2, COSE_Sign1."""
ALG, CRIT = 1, 2
"""Header labels of RFC 9052 table 3."""
ES256, ES384, ES512 = -7, -35, -36
"""Algorithms of RFC 9053 table 1."""

# algorithm -> (curve, hash, size of r and of s); RFC 9053 section 2.1 lets any curve go with any
# hash, and every format that we read pairs them like this
_ECDSA: dict[int, tuple[str, hashes.HashAlgorithm, int]] = {
    ES256: ("secp256r1", hashes.SHA256(), 32),
    ES384: ("secp384r1", hashes.SHA384(), 48),
    ES512: ("secp521r1", hashes.SHA512(), 66),
}
ALGORITHMS = frozenset(_ECDSA)

TagRule = Literal["required", "forbidden", "either"]


class Sign1(msgspec.Struct, frozen=True):
    """A COSE_Sign1 as received. Parsed, not believed.

    protected_raw the bytes inside the protected header's byte string, as signed
    protected     what they say
    unprotected   signed by nobody
    payload       the bytes inside the payload's byte string
    signature     r ‖ s, big endian
    """

    protected_raw: bytes
    protected: dict[Any, Any]
    unprotected: dict[Any, Any]
    payload: bytes
    signature: bytes

    def algorithm(self) -> int | None:
        """The algorithm in the protected header, or None."""
        found = self.protected.get(ALG)
        return found if isinstance(found, int) and not isinstance(found, bool) else None


def parse_sign1(raw: bytes, what: str, *, tag: TagRule) -> Sign1:
    """One COSE_Sign1 with its payload inside it, and nothing after it.

    A label that stands in both headers, a payload elsewhere and an empty signature are refused.
    """
    return sign1_of(cbor.decode(raw, what), what, tag=tag)


def sign1_of(value: Any, what: str, *, tag: TagRule) -> Sign1:
    """As `parse_sign1`, of an item that has been decoded: a token inside a larger document."""
    tagged = isinstance(value, cbor2.CBORTag) and value.tag == TAG
    if tag == "required" and not tagged:
        raise Malformed(Reason.WRONG_TYPE, f"{what}: not tagged as COSE_Sign1")
    if tag == "forbidden" and isinstance(value, cbor2.CBORTag):
        raise Malformed(Reason.WRONG_TYPE, f"{what}: tagged")
    parts = value.value if tagged else value
    if not isinstance(parts, list | tuple) or len(parts) != 4:
        raise Malformed(Reason.WRONG_TYPE, f"{what}: not an array of four")
    protected_raw, unprotected, payload, signature = parts
    if not isinstance(payload, bytes) or not isinstance(signature, bytes) or not isinstance(protected_raw, bytes):
        raise Malformed(Reason.WRONG_TYPE, f"{what}: protected header, payload and signature are byte strings")
    if not signature:
        raise Malformed(Reason.MISSING, f"{what}: signature")
    protected = cbor.decode(protected_raw, f"{what}: protected header") if protected_raw else {}
    protected, unprotected = _header(protected, what), _header(unprotected, what)
    if twice := protected.keys() & unprotected.keys():
        raise Malformed(Reason.DUPLICATE, f"{what}: header {next(iter(twice))!r} is protected and unprotected")
    return Sign1(protected_raw, protected, unprotected, payload, signature)


def _header(value: Any, what: str) -> dict[Any, Any]:
    if not isinstance(value, Mapping):  # below a tag the library makes frozen maps
        raise Malformed(Reason.WRONG_TYPE, f"{what}: header is not a map")
    if any(isinstance(label, bool) or not isinstance(label, int | str) for label in value):
        raise Malformed(Reason.WRONG_TYPE, f"{what}: header label is neither integer nor text")
    return dict(value)


def signed_bytes(protected_raw: bytes, payload: bytes, external_aad: bytes = b"") -> bytes:
    """The Sig_structure of RFC 9052 section 4.4, around the bytes received."""
    return cbor2.dumps(["Signature1", protected_raw, external_aad, payload])


def verify_sign1(
    sign1: Sign1,
    key: PublicKey,
    *,
    trail: Trail,
    name: str,
    source: str = "RFC 9052 section 4.4",
    algorithms: frozenset[int] = ALGORITHMS,
    external_aad: bytes = b"",
) -> None:
    """`key` signed it, with one of `algorithms`, which stands in the protected header.

    Critical headers (label 2) are refused: no format that we read has one. Raises
    `Unauthentic` and records each check in `trail`.
    """
    algorithm = sign1.algorithm()
    trail.require(CRIT not in sign1.protected, Reason.CRITICALITY, f"{name}: critical headers", source="RFC 9052 3.1")
    trail.require(
        algorithm in algorithms and _fits(algorithm, key, len(sign1.signature)),
        Reason.ALGORITHM,
        f"{name}: algorithm",
        fact=str(algorithm),
        expectation=" or ".join(map(str, sorted(algorithms))) + ", with its own curve and r ‖ s",
        source="RFC 9053 section 2.1",
    )
    trail.require(
        _signed(sign1, key, algorithm or 0, external_aad), Reason.SIGNATURE_INVALID, f"{name}: signature", source=source
    )


def _fits(algorithm: int | None, key: PublicKey, size: int) -> bool:
    if algorithm not in _ECDSA:
        return False
    curve, _, half = _ECDSA[algorithm]
    return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == curve and size == 2 * half


def _signed(sign1: Sign1, key: PublicKey, algorithm: int, external_aad: bytes) -> bool:
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise Unauthentic(Reason.ALGORITHM, "COSE_Sign1 key")
    _, digest, half = _ECDSA[algorithm]
    r = int.from_bytes(sign1.signature[:half], "big")
    s = int.from_bytes(sign1.signature[half:], "big")
    signed = signed_bytes(sign1.protected_raw, sign1.payload, external_aad)
    try:
        key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(digest))
    except InvalidSignature:
        return False
    return True
