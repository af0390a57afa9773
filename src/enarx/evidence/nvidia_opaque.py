# SPDX-License-Identifier: Apache-2.0
"""What an NVIDIA device says of itself in the opaque data of its SPDM report: versions, modes, names.

The numbers of the fields are those of NVIDIA's own verifier (`OpaqueData` in
nv-local-gpu-verifier 2.7.3 on PyPI); no specification of them is published.
"""

from __future__ import annotations

import re

import msgspec

from enarx.codec.cursor import Cursor
from enarx.errors import Malformed, Reason

WHAT = "NVIDIA opaque data"

DRIVER_VERSION, VBIOS_VERSION, NVDEC0_STATUS = 3, 6, 11
CHIP_SKU, PROJECT, PROJECT_SKU = 15, 17, 18
FWID, PROTECTED_PCIE, LOCK_STATUS = 20, 21, 25
CHIP_INFO, FEATURE_FLAG = 35, 36

FEATURES = ("spt", "mpt", "ppcie")
"""Single-GPU passthrough, multi-GPU passthrough, protected PCIe, by the value of the feature flag."""
UNKNOWN = "unknown"
"""A mode that came after these. The report is genuine all the same; no policy can list it."""

_VERSION_TEXT = re.compile(r"[0-9A-Za-z._+-]{1,64}")


class Opaque(msgspec.Struct, frozen=True):
    """The fields as received, by type; and the ones that are acted on, read.

    driver_version "550.90.07"; None on a switch, which has no driver of its own
    vbios_version  "96.00.9F.00.01", upper case
    fwid           the firmware id that the device reports, or None before driver 550
    mode           "spt", "mpt", "ppcie", "unknown" for a later one, or None where neither field for it is there
    nvdec0         whether the video decoder is enabled, or None where the report does not say
    locked         a switch's lock status, or None
    """

    fields: dict[int, bytes]
    driver_version: str | None
    vbios_version: str
    fwid: bytes | None
    mode: str | None
    nvdec0: bool | None
    locked: bool | None

    def name(self, field: int) -> str:
        """A field that holds a name in ASCII, without the zeros after it."""
        return _text(self.fields.get(field, b""), f"field {field}")


def parse(raw: bytes) -> Opaque:
    """Read {type, size, data} triples to the last byte; each type at most once."""
    c = Cursor(raw, WHAT)
    fields: dict[int, bytes] = {}
    while c.left():
        kind = c.little(2, "type")
        value = c.take(c.little(2, "size"), f"field {kind}")
        if kind in fields:
            raise Malformed(Reason.DUPLICATE, f"{WHAT}: field {kind}")
        fields[kind] = value
    driver = fields.get(DRIVER_VERSION)
    return Opaque(
        fields,
        None if driver is None else _version(_text(driver, "driver version"), "driver version"),
        _vbios(fields),
        fields.get(FWID),
        _mode(fields),
        _switch(fields, NVDEC0_STATUS),
        _locked(fields),
    )


def _text(raw: bytes, field: str) -> str:
    text = raw.rstrip(b"\0")
    if not text.isascii() or not all(0x20 <= octet < 0x7F for octet in text):
        raise Malformed(Reason.SYNTAX, f"{WHAT}: {field} is not printable")
    return text.decode("ascii").strip()


def _version(text: str, field: str) -> str:
    if _VERSION_TEXT.fullmatch(text) is None:
        raise Malformed(Reason.SYNTAX, f"{WHAT}: {field} {text[:40]!r}")
    return text


def _vbios(fields: dict[int, bytes]) -> str:
    """A GPU's eight bytes 00 cf 00 96 02 00 00 00 are 96.00.CF.00.02; a switch writes the text."""
    raw = fields.get(VBIOS_VERSION)
    if raw is None:
        raise Malformed(Reason.MISSING, f"{WHAT}: VBIOS version")
    if len(raw) == 8 and not any(raw[5:]):
        octets = (*reversed(raw[:4]), raw[4])
        return ".".join(f"{octet:02X}" for octet in octets)
    return _version(_text(raw, "VBIOS version"), "VBIOS version").upper()


def _switch(fields: dict[int, bytes], field: int) -> bool | None:
    """A field that is 0xaa for enabled and 0x55 for disabled; NVIDIA's verifier takes anything else as not said."""
    return {b"\xaa": True, b"\x55": False}.get(fields.get(field, b""))


def _mode(fields: dict[int, bytes]) -> str | None:
    """The feature flag where there is one (newer drivers), else the protected PCIe status."""
    flag = fields.get(FEATURE_FLAG)
    if flag is not None:
        value = int.from_bytes(flag, "little")
        return FEATURES[value] if value < len(FEATURES) else UNKNOWN
    protected = _switch(fields, PROTECTED_PCIE)
    return None if protected is None else ("ppcie" if protected else "spt")


def _locked(fields: dict[int, bytes]) -> bool | None:
    raw = fields.get(LOCK_STATUS)
    return None if raw is None else int.from_bytes(raw, "little") == 1
