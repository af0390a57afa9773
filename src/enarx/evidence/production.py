# SPDX-License-Identifier: Apache-2.0
"""The roots that vendors publish, as one set: what is believed when nobody asks for another."""

from __future__ import annotations

import functools

from enarx.codec.x509 import Certificate
from enarx.evidence import amd_roots, aws_roots, google_roots, intel_roots, microsoft_roots, nvidia_roots
from enarx.evidence.anchor import PRODUCTION, Anchors, Vendor


@functools.cache
def production() -> Anchors:
    """Every vendor's pinned roots. Each vendor's module says where its fingerprints are published."""
    roots: dict[Vendor, tuple[Certificate, ...]] = {
        Vendor.AMD: amd_roots.roots(),
        Vendor.AWS: aws_roots.roots(),
        Vendor.GOOGLE: google_roots.roots(),
        Vendor.MICROSOFT: microsoft_roots.roots(),
        Vendor.INTEL: intel_roots.roots(),
        Vendor.NVIDIA: nvidia_roots.device_roots(),
        Vendor.NVIDIA_RIM: nvidia_roots.rim_roots(),
    }
    return Anchors(PRODUCTION, roots)
