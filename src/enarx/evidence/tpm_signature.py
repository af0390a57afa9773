# SPDX-License-Identifier: Apache-2.0
"""The signature over a quote: TPMT_SIGNATURE, or the bare bytes that tools take out of it.

The scheme's hash is also the hash of `pcrDigest` (TPM 2.0 Library, Part 3, TPM2_Quote).
"""

from __future__ import annotations

from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from enarx.codec.cursor import Cursor
from enarx.codec.x509 import PublicKey
from enarx.errors import Malformed, Reason
from enarx.evidence.check import Trail
from enarx.evidence.event_log import ALGORITHMS
from enarx.evidence.tpm_attest import sized
from enarx.evidence.tpm_key import ECDSA, RSAPSS, RSASSA, AttestationKey

MAX_BYTES = 2048
_HASHES: dict[str, Any] = {"sha-256": hashes.SHA256(), "sha-384": hashes.SHA384(), "sha-512": hashes.SHA512()}
_BARE_ECDSA = {"secp256r1": "sha-256", "secp384r1": "sha-384", "secp521r1": "sha-512"}
SOURCE = "TPM 2.0 Library, Part 2, section 11.3.4"


class Signature(msgspec.Struct, frozen=True):
    """A signature with its scheme.

    scheme    RSASSA, RSAPSS or ECDSA (TPM_ALG_ID)
    algorithm the scheme's hash ("sha-256"), as the structure says or, for bare bytes, as the
              key implies
    value     RSA: the bytes; ECDSA: DER of r and s
    """

    scheme: int
    algorithm: str
    value: bytes


def parse(raw: bytes, key: AttestationKey) -> Signature:
    """The signature in any of its forms. `key` tells bare bytes apart, and says their scheme where it can."""
    if len(raw) > MAX_BYTES:
        raise Malformed(Reason.TOO_LARGE, f"quote signature: {len(raw)} bytes")
    public = key.key
    if isinstance(public, rsa.RSAPublicKey):
        if len(raw) == (public.key_size + 7) // 8:
            return Signature(key.scheme or RSASSA, key.algorithm or "sha-256", raw)
        return _tpmt_signature(raw)
    half = (public.curve.key_size + 7) // 8
    algorithm = key.algorithm or _BARE_ECDSA[public.curve.name]
    if len(raw) == 2 * half:
        r, s = (int.from_bytes(part, "big") for part in (raw[:half], raw[half:]))
        return Signature(ECDSA, algorithm, encode_dss_signature(r, s))
    if raw[:1] == b"\x30":
        return Signature(ECDSA, algorithm, _canonical(raw))
    return _tpmt_signature(raw)


def _canonical(raw: bytes) -> bytes:
    try:
        r, s = decode_dss_signature(raw)
        if encode_dss_signature(r, s) == raw:
            return raw
    except ValueError:
        pass
    raise Malformed(Reason.NOT_CANONICAL, "quote signature: DER")


def _tpmt_signature(raw: bytes) -> Signature:
    cursor = Cursor(raw, "TPMT_SIGNATURE")
    scheme, number = cursor.big(2, "sigAlg"), cursor.big(2, "hash")
    if scheme not in (RSASSA, RSAPSS, ECDSA):
        raise Malformed(Reason.UNKNOWN_VALUE, f"TPMT_SIGNATURE: scheme {scheme:#06x}")
    if number not in ALGORITHMS:
        raise Malformed(Reason.UNKNOWN_VALUE, f"TPMT_SIGNATURE: hash {number:#06x}")
    if scheme == ECDSA:
        r, s = (int.from_bytes(sized(cursor, f"signature{name}"), "big") for name in ("R", "S"))
        value = encode_dss_signature(r, s)
    else:
        value = sized(cursor, "sig", 1024)
    cursor.done()
    return Signature(scheme, ALGORITHMS[number], value)


def require_signature(signature: Signature, key: PublicKey, signed: bytes, *, trail: Trail, name: str) -> None:
    """`key` signed it, with RSA of 2048 bits or more or a NIST curve, and never with SHA-1."""
    fits = isinstance(key, rsa.RSAPublicKey) == (signature.scheme in (RSASSA, RSAPSS))
    strong = isinstance(key, ec.EllipticCurvePublicKey) or key.key_size >= 2048
    trail.require(
        fits and strong and signature.algorithm in _HASHES,
        Reason.ALGORITHM,
        f"{name}: signature algorithm",
        fact=f"{signature.scheme:#06x} with {signature.algorithm}",
        expectation="RSA of at least 2048 bits or ECDSA, with SHA-256 or longer",
        source=SOURCE,
    )
    trail.require(
        _holds(signature, key, signed),
        Reason.SIGNATURE_INVALID,
        f"{name}: signature",
        source="TPM 2.0 Library, Part 3, TPM2_Quote",
    )


def _holds(signature: Signature, key: PublicKey, signed: bytes) -> bool:
    digest = _HASHES[signature.algorithm]
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature.value, signed, ec.ECDSA(digest))
        elif signature.scheme == RSASSA:
            key.verify(signature.value, signed, padding.PKCS1v15(), digest)
        else:
            # Part 1, annex B.7: the salt is as long as the digest or as long as it can be.
            pss = padding.PSS(mgf=padding.MGF1(digest), salt_length=padding.PSS.AUTO)
            key.verify(signature.value, signed, pss, digest)
    except InvalidSignature:
        return False
    return True
