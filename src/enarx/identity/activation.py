# SPDX-License-Identifier: Apache-2.0
"""A TPM's attestation key tied to its certified endorsement key, before and after the TPM has opened a credential.

The credential's secret is kept as nonces are: given once, for one request, until it expires.
"""

from __future__ import annotations

import secrets
from datetime import datetime

from enarx.codec.digest import same, sha256
from enarx.errors import Reason, Unauthentic
from enarx.evidence import cmw, tpm
from enarx.evidence.anchor import Anchors
from enarx.evidence.kind import Kind
from enarx.evidence.tpm_credential import SECRET, make_credential
from enarx.evidence.tpm_endorsement import endorsed
from enarx.identity.ledger import Nonce
from enarx.identity.message import AttestRequest, CredentialAnswer, CredentialRequest

PURPOSE = "credential"
_LABEL = b"enarx-activation-1\0"


def credential(
    asked: CredentialRequest, *, tenant: str, policy: str, anchors: Anchors, when: datetime, expires: datetime
) -> tuple[CredentialAnswer, Nonce]:
    """A credential for the keys of the request, and what must be kept until it comes back opened."""
    keys = endorsed(asked.ek_certificates, asked.ek_public, asked.ak_public, anchors=anchors, when=when)
    secret = secrets.token_bytes(SECRET)
    made = make_credential(secret, ek=keys.ek, ak_name=keys.ak_name, randomness=secrets.token_bytes)
    kept = Nonce(
        nonce=secret,
        tenant=tenant,
        policy=policy,
        purpose=PURPOSE,
        launch=_tied(asked.nonce, keys.ak),
        expires=expires.timestamp(),
    )
    answer = CredentialAnswer(credential_blob=made.blob, encrypted_secret=made.secret, handle=b"", expires=expires)
    return answer, kept


def activated(asked: AttestRequest, kept: Nonce | None, *, tenant: str, policy: str) -> bytes:
    """The attestation key (SubjectPublicKeyInfo) in the evidence for which the secret was made; `kept` is spent.

    `Unauthentic` for a secret that was made for another key, request or policy, or for none.
    """
    if kept is not None and (kept.tenant, kept.policy, kept.purpose) == (tenant, policy, PURPOSE):
        for member in cmw.decode(asked.evidence):
            if member.kind is Kind.TPM and (key := tpm.parse(member).key) is not None:
                spki = key.spki()
                if same(kept.launch, _tied(asked.nonce, spki)):
                    return spki
    raise Unauthentic(
        Reason.KEY_NOT_BOUND,
        "activation: a secret that was not made for this key and nonce",
        hint="ask for another credential",
    )


def _tied(nonce: bytes, ak: bytes) -> bytes:
    """What a secret is for: one request, by its nonce, and one key."""
    return sha256(_LABEL + nonce + ak)
