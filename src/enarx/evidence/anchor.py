# SPDX-License-Identifier: Apache-2.0
"""Trust anchors: which roots a judge believes, as a value with a name.

The production set is pinned in the source (`amd_roots.py`, `intel_roots.py`, …). Any other set
is asked for by name and leaves that name in every result.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from enarx.codec.digest import sha256
from enarx.codec.x509 import Certificate, from_pem
from enarx.errors import Faulty, Misused, Reason

PRODUCTION = "production"
SIMULATED = "simulated"
UNSAFE = "unsafe"


class Vendor(StrEnum):
    """Whose roots."""

    AMD = "amd"
    INTEL = "intel"
    AWS = "aws"
    NVIDIA = "nvidia"
    NVIDIA_RIM = "nvidia-rim"
    """Signers of NVIDIA's reference measurements: never a root of devices, nor the reverse."""
    MICROSOFT = "microsoft"
    GOOGLE = "google"
    TPM = "tpm"
    """Makers of TPMs, software TPMs of the tests included."""


class Anchors(msgspec.Struct, frozen=True):
    """A named set of roots, by vendor, and of keys that the caller names as trusted.

    name   "production", or what the caller asked for; it appears in every result
    roots  self-signed root certificates, believed because they are listed here
    keys   DER SubjectPublicKeyInfos believed without a certificate (CPAKs, IAKs, AKs), as
           the caller named them; the production set has none
    """

    name: str
    roots: dict[Vendor, tuple[Certificate, ...]]
    keys: tuple[bytes, ...] = ()

    def of(self, vendor: Vendor) -> tuple[Certificate, ...]:
        """The roots of one vendor."""
        return self.roots.get(vendor, ())


def pinned(pem: str, fingerprint: str) -> Certificate:
    """The one certificate in `pem`, whose DER has this SHA-256 (hexadecimal).

    A mismatch is our own fault: the source was changed on one side only.
    """
    (certificate,) = from_pem(pem.encode(), "pinned root")
    found = sha256(certificate.raw).hex()
    if found != fingerprint:
        raise Faulty(Reason.DIGEST_MISMATCH, f"pinned root {certificate.name}: {found}")
    return certificate


def unsafe_set(files: dict[str, bytes]) -> Anchors:
    """An anchor set that somebody asked for: `VENDOR.pem` -> its roots.

    Its name is `simulated` when every root says so in its subject, else `unsafe`; it is never
    `production`, whatever is in it.
    """
    roots: dict[Vendor, tuple[Certificate, ...]] = {}
    for name, pem in sorted(files.items()):
        vendor = name.removesuffix(".pem")
        if vendor not in list(Vendor):
            raise Misused(Reason.UNKNOWN_VALUE, f"anchor file {name!r}", hint=f"one of {', '.join(Vendor)}, with .pem")
        roots[Vendor(vendor)] = from_pem(pem, name)
    if not any(roots.values()):
        raise Misused(Reason.MISSING, "anchors: no root certificate")
    every = [root for listed in roots.values() for root in listed]
    simulated = all(SIMULATED in root.name.lower() for root in every)
    return Anchors(SIMULATED if simulated else UNSAFE, roots)
