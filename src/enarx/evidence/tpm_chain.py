# SPDX-License-Identifier: Apache-2.0
"""Who vouches for an attestation key: a certificate below a pinned root, or the caller by name.

Google's and Microsoft's virtual TPMs, and makers of TPMs that issue AK certificates. A
certificate of the endorsement key alone vouches for no other key: that takes a credential
activation, which happens between a TPM and a registrar, not in evidence.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from enarx.codec.der import OID, Der
from enarx.codec.x509 import MAX_CHAIN, Certificate
from enarx.errors import Reason, Undetermined
from enarx.evidence.anchor import Anchors, Vendor
from enarx.evidence.chain import authenticate_links, require_valid, window_of
from enarx.evidence.check import Trail
from enarx.evidence.claims import Window
from enarx.evidence.memory import Memory
from enarx.evidence.profile import EXTENDED_KEY_USAGE, require_profile
from enarx.evidence.revocation import require_path_not_revoked
from enarx.evidence.tpm_key import AttestationKey, spki_of

AK_CERTIFICATE = "2.23.133.8.3"
"""tcg-kp-AIKCertificate (TCG Credential Profiles for TPM Family 2.0)."""
EK_CERTIFICATE = "2.23.133.8.1"
GCE_INSTANCE = "1.3.6.1.4.1.11129.2.1.21"
"""Google's leaves name the instance in this extension and have no extended key usage."""
VENDORS = (Vendor.GOOGLE, Vendor.MICROSOFT, Vendor.TPM)
NAMED = "named"
"""The caller named the key."""


class Vouched(msgspec.Struct, frozen=True):
    """By whom (a vendor, or NAMED), and the time in which the certificates are valid."""

    authority: str
    window: Window | None


def leaf_of(certificates: tuple[Certificate, ...]) -> Certificate | None:
    """The first certificate that issues none and is not for an endorsement key."""
    return next((one for one in certificates if not one.is_ca and EK_CERTIFICATE not in usages(one)), None)


def vouched(
    key: AttestationKey,
    certificates: tuple[Certificate, ...],
    crls: tuple[bytes, ...],
    *,
    anchors: Anchors,
    when: datetime,
    trail: Trail,
    memory: Memory[Any] | None,
) -> Vouched:
    """Who vouches for `key`: certificates that lead to a root, else the caller; `Undetermined` if nobody does."""
    leaf = next((one for one in certificates if not one.is_ca and spki_of(one.public_key) == key.spki()), None)
    named = key.spki() in anchors.keys
    if leaf is not None and EK_CERTIFICATE not in usages(leaf):
        roots = tuple(root for vendor in VENDORS for root in anchors.of(vendor))
        path = path_up(leaf, certificates, roots)
        if path[-1] in roots or not named:
            return _certified(path, roots, crls, anchors=anchors, when=when, trail=trail, memory=memory)
    for endorsement in (one for one in certificates if EK_CERTIFICATE in usages(one) and not one.is_ca):
        trail.note("endorsement key certificate: says nothing of the attestation key", endorsement.name)
    trail.require(
        named,
        Reason.KEY_MISSING,
        "attestation key",
        fact="without a certificate for it",
        expectation="a certificate, or a key that the caller names as trusted",
        source="TPM 2.0 Library, Part 1, section 9.4.3",
        mend="give its certificates, or name it: --trusted-key FILE",
        family=Undetermined,
    )
    return Vouched(NAMED, None)


def _certified(
    path: tuple[Certificate, ...],
    roots: tuple[Certificate, ...],
    crls: tuple[bytes, ...],
    *,
    anchors: Anchors,
    when: datetime,
    trail: Trail,
    memory: Memory[Any] | None,
) -> Vouched:
    name = "attestation key chain"
    memory_key = ("ak path", path, roots)
    if memory is not None and memory.get(memory_key) is not None:
        trail.note(f"{name}: remembered", path[0].name)
    else:
        authenticate_links(path, roots, trail=trail, name=name)
        require_profile(path, trail=trail, name=name)
        _require_ak_certificate(path[0], trail)
        if memory is not None:
            memory.keep(memory_key, path)
    for certificate in path:
        require_valid(certificate, when=when, trail=trail, name=name)
    window = window_of(path)
    window = require_path_not_revoked(path, crls, window, when=when, trail=trail, name=name)
    authority = next(vendor for vendor in VENDORS if path[-1] in anchors.of(vendor))
    return Vouched(str(authority), window)


def path_up(
    leaf: Certificate, certificates: tuple[Certificate, ...], roots: tuple[Certificate, ...]
) -> tuple[Certificate, ...]:
    """From the leaf up by name and signature, a root where there is one; it may end early.

    Google has several issuers of one name, so the name alone does not choose.
    """
    path = [leaf]
    pool = (*roots, *certificates)
    while path[-1] not in roots and len(path) < MAX_CHAIN:
        child = path[-1]
        issuers = (c for c in pool if c not in path and c.subject == child.issuer and child.signed_by(c.public_key))
        issuer = next(issuers, None)
        if issuer is None:
            break
        path.append(issuer)
    return tuple(path)


def _require_ak_certificate(leaf: Certificate, trail: Trail) -> None:
    found = usages(leaf)
    trail.require(
        AK_CERTIFICATE in found or (not found and leaf.extension(GCE_INSTANCE) is not None),
        Reason.CERTIFICATE_PROFILE,
        "certificate is for an attestation key",
        fact=", ".join(sorted(found)) or "no extended key usage",
        expectation=AK_CERTIFICATE,
        source="TCG Credential Profiles 2.0, section 3.5.4",
    )


def usages(certificate: Certificate) -> frozenset[str]:
    """The purposes in extendedKeyUsage (RFC 5280 4.2.1.12); empty without one."""
    extension = certificate.extension(EXTENDED_KEY_USAGE)
    if extension is None:
        return frozenset()
    reader = Der(extension.value, "extendedKeyUsage").sequence("ExtKeyUsageSyntax")
    found = set()
    while reader.peek() == OID:
        found.add(reader.oid("KeyPurposeId"))
    reader.done()
    return frozenset(found)
