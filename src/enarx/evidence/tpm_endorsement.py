# SPDX-License-Identifier: Apache-2.0
"""A TPM's endorsement key below a maker's root, and the attestation key that shall be activated with it.

The certificate says that the endorsement key is in a TPM of its maker. Whether the attestation key
is in the same one, only a credential can show (`enarx.evidence.tpm_credential`).
Sources: TCG EK Credential Profile 2.5, section 3; TPM 2.0 Library, Part 1, section 24.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from enarx.codec.x509 import MAX_CHAIN, Certificate, PublicKey
from enarx.errors import Malformed, Reason
from enarx.evidence.anchor import Anchors
from enarx.evidence.chain import authenticate_links, require_valid, window_of
from enarx.evidence.check import Check, Trail
from enarx.evidence.claims import Window
from enarx.evidence.profile import require_issuers, require_understood
from enarx.evidence.revocation import require_path_not_revoked
from enarx.evidence.tpm_chain import EK_CERTIFICATE, VENDORS, path_up, usages
from enarx.evidence.tpm_credential import name_of
from enarx.evidence.tpm_key import DECRYPT, FIXED_TPM, RESTRICTED, AttestationKey, parse, spki_of

SUBJECT_ALT_NAME = "2.5.29.17"
"""Critical in EK certificates whose subject is empty: the maker's own names for the TPM, which nothing here reads."""
_SHA256 = 0x000B


class Endorsed(msgspec.Struct, frozen=True, kw_only=True):
    """Both keys, before they are tied.

    ek, window, authority  the endorsement key, until when its path is valid, whose root it leads to
    ak, ak_name            the attestation key: SubjectPublicKeyInfo (DER), and the TPM's name for it
    checks                 every check that was made
    """

    ek: PublicKey
    ak: bytes
    ak_name: bytes
    authority: str
    window: Window
    checks: tuple[Check, ...]


def endorsed(
    certificates: Sequence[bytes],
    ek_public: bytes,
    ak_public: bytes,
    *,
    anchors: Anchors,
    when: datetime,
    crls: tuple[bytes, ...] = (),
) -> Endorsed:
    """The keys that a credential may be made for.

    certificates         DER: the endorsement key's own, then issuers
    ek_public, ak_public TPMT_PUBLIC

    `Malformed` for what is none of these; `Unauthentic` when no root of a TPM's maker leads to the
    certificate, when it is another key's, or when either key is not what it is called.
    """
    trail = Trail()
    path = _path(certificates, anchors)
    roots = tuple(root for vendor in VENDORS for root in anchors.of(vendor))
    name = "endorsement key chain"
    authenticate_links(path, roots, trail=trail, name=name)
    _require_profile(path, trail, name)
    for certificate in path:
        require_valid(certificate, when=when, trail=trail, name=name)
    window = require_path_not_revoked(path, crls, window_of(path), when=when, trail=trail, name=name)
    ek, ak = parse(ek_public), parse(ak_public)
    bound = ek.spki() == spki_of(path[0].public_key)
    trail.require(bound, Reason.KEY_NOT_BOUND, "endorsement key is the certificate's", fact=path[0].name)
    _require_keys(ek, ak, sha256_names=_named(ek_public) and _named(ak_public), trail=trail)
    authority = next(vendor for vendor in VENDORS if path[-1] in anchors.of(vendor))
    return Endorsed(
        ek=ek.key,
        ak=ak.spki(),
        ak_name=name_of(ak_public),
        authority=str(authority),
        window=window,
        checks=trail.checks(),
    )


def _path(certificates: Sequence[bytes], anchors: Anchors) -> tuple[Certificate, ...]:
    if not certificates or len(certificates) > MAX_CHAIN:
        raise Malformed(Reason.WRONG_LENGTH, f"endorsement key certificates: {len(certificates)}")
    given = tuple(Certificate(raw, "endorsement key certificate") for raw in certificates)
    return path_up(given[0], given[1:], tuple(root for vendor in VENDORS for root in anchors.of(vendor)))


def _require_profile(path: tuple[Certificate, ...], trail: Trail, name: str) -> None:
    """The leaf is an endorsement key's: it opens secrets and signs nothing."""
    require_understood(path[:1], trail=trail, name=name, more=frozenset({SUBJECT_ALT_NAME}))
    require_understood(path[1:], trail=trail, name=name)
    require_issuers(path[1:], trail=trail, name=name)
    usage = path[0].key_usage()
    trail.require(
        EK_CERTIFICATE in usages(path[0]) and not path[0].is_ca and usage is not None and not usage.key_cert_sign,
        Reason.CERTIFICATE_PROFILE,
        "certificate is for an endorsement key",
        fact=", ".join(sorted(usages(path[0]))) or "no extended key usage",
        expectation=EK_CERTIFICATE,
        source="TCG EK Credential Profile 2.5, section 3.5.16",
    )


def _require_keys(ek: AttestationKey, ak: AttestationKey, *, sha256_names: bool, trail: Trail) -> None:
    """Each may be used for what it is called, and for nothing else."""
    opens = RESTRICTED | DECRYPT | FIXED_TPM
    trail.require(
        ek.attributes is not None and ek.attributes & opens == opens,
        Reason.KEY_INVALID,
        "endorsement key attributes",
        fact=f"{ek.attributes or 0:#010x}",
        expectation="restricted, decrypt, fixedTPM",
        source="TCG EK Credential Profile 2.5, annex B",
    )
    trail.require(
        ak.is_attestation_key() is True,
        Reason.KEY_INVALID,
        "attestation key attributes",
        fact=f"{ak.attributes or 0:#010x}",
        expectation="restricted, sign, fixedTPM, fixedParent, sensitiveDataOrigin, not decrypt",
        source="TPM 2.0 Library, Part 2, section 8.3",
    )
    trail.require(sha256_names, Reason.ALGORITHM, "name algorithm of both keys", expectation="SHA-256")


def _named(public: bytes) -> bool:
    """Whether a TPMT_PUBLIC's name is made with SHA-256."""
    return int.from_bytes(public[2:4], "big") == _SHA256
