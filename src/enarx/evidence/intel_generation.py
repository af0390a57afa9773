# SPDX-License-Identifier: Apache-2.0
"""Which generation of processors a platform is of, and what has been published against it.

FMSPC stands for family, model, stepping, platform and custom SKU (Intel PCK profile 1.3.5). Intel
does not publish its layout; here the model is read as it stands in every FMSPC that Intel's own
TCB info list gives (byte 1 high nibble: extended model; byte 2: family, model).
"""

from __future__ import annotations

import msgspec

UNKNOWN = "unknown"


class Generation(msgspec.Struct, frozen=True):
    """A name, and the published attacks that need the machine in one's hands."""

    name: str
    attacks: str


_DDR4 = "memory bus interposers: Battering RAM, WireTap (batteringram.eu, wiretap.fail)"
_DDR5 = "memory bus interposer: TEE.fail (tee.fail)"

_BY_MODEL = {
    0x4E: Generation("skylake", ""),
    0x5E: Generation("skylake", ""),
    0x55: Generation("skylake-sp", ""),
    0x8E: Generation("kaby-lake", ""),
    0x9E: Generation("coffee-lake", ""),
    0xA5: Generation("comet-lake", ""),
    0xA6: Generation("comet-lake", ""),
    0x7E: Generation("ice-lake", ""),
    0xA7: Generation("rocket-lake", ""),
    0x7A: Generation("gemini-lake", ""),
    0x6A: Generation("ice-lake-sp", _DDR4),
    0x6C: Generation("ice-lake-d", _DDR4),
    0x8F: Generation("sapphire-rapids", _DDR5),
    0xCF: Generation("emerald-rapids", _DDR5),
    0xAD: Generation("granite-rapids", ""),
    0xAE: Generation("granite-rapids-d", ""),
    0xAF: Generation("sierra-forest", ""),
}
_NONE = Generation(UNKNOWN, "")
NAMES = frozenset(one.name for one in _BY_MODEL.values())


def generation(fmspc: bytes) -> Generation:
    """The generation that an FMSPC names, or `unknown`."""
    family, model = fmspc[2] >> 4, fmspc[1] & 0xF0 | fmspc[2] & 0x0F
    return _BY_MODEL.get(model, _NONE) if family == 6 else _NONE
