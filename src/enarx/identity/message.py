# SPDX-License-Identifier: Apache-2.0
"""What Keeps and the Steward say to each other over `/v1`, JSON: byte strings are base64 (RFC 4648 section 4)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

Digest32 = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Name = Annotated[str, msgspec.Meta(max_length=63, pattern="^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")]
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


class AttestRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask for a certificate.

    request       PKCS#10, DER, signed by the key that the evidence is bound to
    evidence      CMW (RFC 9999), one member or a collection
    endorsements  as the Keep has them (`enarx.evidence.endorsement.encode`)
    nonce         as the Steward gave it
    launch        the launch document, whose digest the evidence and the nonce are about
    policy        as in the request for the nonce
    """

    request: Document
    evidence: Document
    endorsements: Annotated[bytes, msgspec.Meta(max_length=1 << 20)] = b"\xa0"
    nonce: Digest32
    launch: Document
    policy: Name | None = None


class AttestAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate.

    certificates  DER: the Keep's own, then its issuers up to the root
    ear           the appraisal's result, a signed JWT
    expires       when the certificate ends
    """

    certificates: tuple[bytes, ...]
    ear: str
    expires: datetime
