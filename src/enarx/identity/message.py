# SPDX-License-Identifier: Apache-2.0
"""What Keeps and the Steward say to each other over `/v1`, JSON: byte strings are base64 (RFC 4648 section 4)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

Digest32 = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Name = Annotated[str, msgspec.Meta(max_length=63, pattern="^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")]
Certificate = Annotated[bytes, msgspec.Meta(min_length=1, max_length=8192)]
Public = Annotated[bytes, msgspec.Meta(min_length=1, max_length=1024)]
Handle = Annotated[bytes, msgspec.Meta(max_length=512)]
Document = Annotated[bytes, msgspec.Meta(min_length=1, max_length=1 << 20)]


class NonceRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask for a nonce.

    launch   SHA-256 of the launch document that the evidence will be about
    purpose  what the evidence will be for; a Steward asks for `issue` alone
    policy   the policy by which it shall be judged; not needed where there is only one
    """

    launch: Digest32
    purpose: Literal["issue"] = "issue"
    policy: Name | None = None


class NonceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """32 random bytes, good once and until `expires`."""

    nonce: bytes
    expires: datetime


class TimeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Ask for signed time over a nonce of the caller's."""

    nonce: Digest32


class TimeAnswer(msgspec.Struct, frozen=True):
    """A JWT of type `enarx-time+jwt`: `iat`, `time_ms`, and the caller's nonce as `eat_nonce`."""

    token: str


class CredentialRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask for a credential that only the TPM with both keys can open (TPM 2.0 Library, Part 1, section 24).

    nonce            as the Steward gave it; asking spends it not
    policy           as in the request for the nonce
    ek_certificates  DER: the endorsement key's own, then its issuers as the Keep has them
    ek_public        TPMT_PUBLIC of the endorsement key
    ak_public        TPMT_PUBLIC of the attestation key
    """

    nonce: Digest32
    policy: Name | None = None
    ek_certificates: Annotated[tuple[Certificate, ...], msgspec.Meta(min_length=1, max_length=8)]
    ek_public: Public
    ak_public: Public


class CredentialAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A credential.

    credential_blob   TPM2B_ID_OBJECT's buffer
    encrypted_secret  TPM2B_ENCRYPTED_SECRET's buffer
    handle            the Steward's own, wanted back with the secret
    expires           with the nonce
    """

    credential_blob: bytes
    encrypted_secret: bytes
    handle: bytes
    expires: datetime


class Activation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a TPM gave out for a credential: it holds the endorsement key and the attestation key."""

    handle: Handle
    secret: Digest32


class AttestRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask for a certificate.

    request       PKCS#10, DER, signed by the key that the evidence is bound to
    evidence      CMW (RFC 9999), one member or a collection
    endorsements  as the Keep has them (`enarx.evidence.endorsement.encode`)
    nonce         as the Steward gave it
    launch        the launch document, whose digest the evidence and the nonce are about
    policy        as in the request for the nonce
    activation    of the attestation key in the evidence, for a TPM that has no certificate for it
    """

    request: Document
    evidence: Document
    endorsements: Annotated[bytes, msgspec.Meta(max_length=1 << 20)] = b"\xa0"
    nonce: Digest32
    launch: Document
    policy: Name | None = None
    activation: Activation | None = None


class AttestAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate.

    certificates  DER: the Keep's own, then its issuers up to the root
    ear           the appraisal's result, a signed JWT
    expires       when the certificate ends
    """

    certificates: tuple[bytes, ...]
    ear: str
    expires: datetime
