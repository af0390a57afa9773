# SPDX-License-Identifier: Apache-2.0
"""What a certificate's issuer says of the attestation key in the Keep that it certified.

A TPM's attestation key is tied to its certified endorsement key by a credential, which the Steward
makes and a relying party cannot see opened. Who believes the Steward's certificate has its word.
"""

from __future__ import annotations

import base64
from typing import Any

from enarx.appraisal.ear import MEDIA_TYPE
from enarx.codec import cbor, json
from enarx.codec.der import OCTET_STRING, Der
from enarx.codec.digest import sha256
from enarx.codec.x509 import Certificate
from enarx.errors import EnarxError, Malformed, Reason
from enarx.evidence import tpm
from enarx.evidence.cmw import ID_PE_CMW
from enarx.evidence.composition import ACTIVATED
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind


def activated_key(leaf: Certificate, members: tuple[Evidence, ...]) -> bytes | None:
    """The key (SubjectPublicKeyInfo) in the evidence that `leaf`, which is believed, says was activated; or None."""
    digest = _said(leaf)
    for member in members:
        if digest and member.kind is Kind.TPM and (key := tpm.parse(member).key) is not None:
            spki = key.spki()
            if sha256(spki).hex() == digest:
                return spki
    return None


def _said(leaf: Certificate) -> str:
    """SHA-256 of the key in the attestation result that the certificate carries, hexadecimal."""
    extension = leaf.extension(ID_PE_CMW)
    if extension is None:
        return ""
    try:
        claims = _claims(extension.value)["submods"][str(Kind.TPM)]["ear_attester_claims"]
        return str(claims["ak"]) if claims["authority"] == ACTIVATED else ""
    except (EnarxError, LookupError, TypeError, ValueError):
        return ""


def _claims(value: bytes) -> Any:
    record = cbor.decode(Der(value, "id-pe-cmw").element(OCTET_STRING, "cmw"), "id-pe-cmw")
    if not isinstance(record, list | tuple) or len(record) < 2 or record[0] != MEDIA_TYPE:
        raise Malformed(Reason.UNKNOWN_KIND, "id-pe-cmw")
    if not isinstance(record[1], bytes):
        raise Malformed(Reason.WRONG_TYPE, "id-pe-cmw")
    payload = record[1].split(b".")[1]
    return json.decode(base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)), "attestation result")
