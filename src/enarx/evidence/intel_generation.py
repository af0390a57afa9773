# SPDX-License-Identifier: Apache-2.0
"""Which generation of processors a platform is of.

FMSPC stands for family, model, stepping, platform and custom SKU (Intel PCK profile 1.3.5). Intel
does not publish its layout: byte 1 (high nibble: extended model) and byte 2 (family, model) are what
every FMSPC that we have met has in common with CPUID of its processor.
"""

from __future__ import annotations

UNKNOWN = "unknown"

_BY_MODEL = {
    0x4E: "skylake",
    0x5E: "skylake",
    0x55: "skylake-sp",
    0x8E: "kaby-lake",
    0x9E: "coffee-lake",
    0xA5: "comet-lake",
    0xA6: "comet-lake",
    0x7E: "ice-lake",
    0xA7: "rocket-lake",
    0x7A: "gemini-lake",
    0x6A: "ice-lake-sp",
    0x6C: "ice-lake-d",
    0x8F: "sapphire-rapids",
    0xCF: "emerald-rapids",
    0xAD: "granite-rapids",
    0xAE: "granite-rapids-d",
    0xAF: "sierra-forest",
}
NAMES = frozenset(_BY_MODEL.values())


def generation(fmspc: bytes) -> str:
    """The generation that an FMSPC names, or `unknown`."""
    family, model = fmspc[2] >> 4, fmspc[1] & 0xF0 | fmspc[2] & 0x0F
    return _BY_MODEL.get(model, UNKNOWN) if family == 6 else UNKNOWN
