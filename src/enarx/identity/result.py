# SPDX-License-Identifier: Apache-2.0
"""The result of an appraisal as it travels: an EAR signed as a JWT, and its place in a certificate."""

from __future__ import annotations

from typing import Any

import msgspec

from enarx.appraisal.ear import MEDIA_TYPE, Verifier
from enarx.appraisal.jws import base64url
from enarx.codec import cbor
from enarx.codec.der import OCTET_STRING, write
from enarx.codec.digest import sha256
from enarx.identity.signer import Signer, jws_signature

VERIFIER = Verifier(build="enarx steward", developer="https://github.com/enarx", time_source="host")
IND_RESULTS = 1 << 3
"""Bit 3 of a CMW's `ind`: the wrapped message is an attestation result (RFC 9999)."""


def key_id(spki: bytes) -> str:
    """What `kid` says: SHA-256 of the SubjectPublicKeyInfo, base64url."""
    return base64url(sha256(spki))


def jwt(claims: dict[str, Any], signer: Signer, *, kind: str = "eat+jwt") -> str:
    """A JWS in compact form (RFC 7515 section 7.1)."""
    header = msgspec.json.encode({"alg": signer.jws, "kid": key_id(signer.spki), "typ": kind})
    signed = f"{base64url(header)}.{base64url(msgspec.json.encode(claims))}"
    return f"{signed}.{base64url(jws_signature(signer, signed.encode()))}"


def certificate_value(token: str) -> bytes:
    """The value of id-pe-cmw around an EAR: `CMW ::= CHOICE { json UTF8String, cbor OCTET STRING }`."""
    return write(OCTET_STRING, cbor.encode([MEDIA_TYPE, token.encode(), IND_RESULTS]))
