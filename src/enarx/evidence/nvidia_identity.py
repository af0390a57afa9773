# SPDX-License-Identifier: Apache-2.0
"""What the certificate of an NVIDIA device says: which chip it is, and which firmware holds its key."""

from __future__ import annotations

import msgspec

from enarx.codec import der
from enarx.codec.der import Der
from enarx.codec.x509 import Certificate
from enarx.errors import Malformed, Reason

COMPOSITE_DEVICE_ID = "2.23.133.5.4.1"
"""tcg-dice-TcbInfo's number, under which Hopper carries Microsoft RIoT's older CompositeDeviceID."""
DICE_TCB_INFO = "2.23.133.5.4.1.1"
"""Under this one Blackwell carries TCG DiceTcbInfo (DICE Attestation Architecture 1.1, 6.1.1)."""
FIRMWARE_IDS = frozenset((COMPOSITE_DEVICE_ID, DICE_TCB_INFO))
SUBJECT_ALT_NAME = "2.5.29.17"
DEVICE_INFO = "1.3.6.1.4.1.412.274.1"
"""DMTF otherName, DSP0274 1.1 section 10.6.1: ManufacturerName:ProductName:SerialNumber."""
SHA_384 = "2.16.840.1.101.3.4.2.2"

_OTHER_NAME, _EXPLICIT_0, _FWIDS = 0xA0, 0xA0, 0xA6


class Device(msgspec.Struct, frozen=True):
    """Who made the report.

    product "GH100", "GB100", "LS_10"
    serial  the device's own number, hexadecimal; it outlives firmware updates
    ueid    the serial number of the leaf certificate in decimal, which NVIDIA's tools call ueid
    fwid    the firmware id in the certificate, 48 bytes
    """

    product: str
    serial: str
    ueid: str
    fwid: bytes


def device_of(leaf: Certificate) -> Device:
    """Read the leaf certificate's extensions strictly."""
    manufacturer, product, serial = _device_info(leaf)
    if manufacturer != "NVIDIA":
        raise Malformed(Reason.UNKNOWN_VALUE, f"device certificate: manufacturer {manufacturer[:40]!r}")
    return Device(product, serial.lower(), str(leaf.serial), firmware_id(leaf))


def _device_info(leaf: Certificate) -> tuple[str, str, str]:
    extension = leaf.extension(SUBJECT_ALT_NAME)
    if extension is None:
        raise Malformed(Reason.MISSING, "device certificate: subject alternative name")
    names = Der(extension.value, "subject alternative name").sequence("names")
    while names.peek() is not None:
        tag, contents = names.any("name")
        if tag == _OTHER_NAME and (said := _other_name(contents)) is not None:
            return said
    raise Malformed(Reason.MISSING, "device certificate: DMTF device information")


def _other_name(contents: bytes) -> tuple[str, str, str] | None:
    name = Der(contents, "other name")
    if name.oid("type") != DEVICE_INFO:
        return None
    value = Der(name.element(_EXPLICIT_0, "value"), "other name value")
    try:
        text = value.element(der.UTF8_STRING, "device information").decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed(Reason.SYNTAX, "device information") from None
    value.done()
    name.done()
    parts = text.split(":")
    if len(parts) != 3 or not all(parts):
        raise Malformed(Reason.SYNTAX, f"device information {text[:80]!r}")
    return parts[0], parts[1], parts[2]


def firmware_id(leaf: Certificate) -> bytes:
    """The SHA-384 firmware id of either extension; `Malformed` if there is neither, or both."""
    found = [e for oid in (COMPOSITE_DEVICE_ID, DICE_TCB_INFO) if (e := leaf.extension(oid)) is not None]
    if len(found) != 1:
        raise Malformed(Reason.MISSING if not found else Reason.DUPLICATE, "device certificate: firmware id")
    outer = Der(found[0].value, "firmware id")
    inner = outer.sequence("extension")
    outer.done()
    return _composite(inner) if inner.peek() == der.INTEGER else _tcb_info(inner)


def _composite(inner: Der) -> bytes:
    """CompositeDeviceID ::= SEQUENCE { version INTEGER, deviceId SubjectPublicKeyInfo, fwid FWID }."""
    if inner.integer("version") != 1:
        raise Malformed(Reason.UNKNOWN_VERSION, "firmware id: version")
    inner.sequence("device id")
    fwid = _fwid(inner.sequence("fwid"))
    inner.done()
    return fwid


def _tcb_info(inner: Der) -> bytes:
    """DiceTcbInfo's fwids [6], an implicit SEQUENCE OF FWID; the first is the running firmware's."""
    while inner.peek() is not None:
        tag, contents = inner.any("field")
        if tag == _FWIDS:
            return _fwid(Der(contents, "fwids").sequence("fwid"))
    raise Malformed(Reason.MISSING, "firmware id: fwids")


def _fwid(fwid: Der) -> bytes:
    """FWID ::= SEQUENCE { hashAlg OBJECT IDENTIFIER, digest OCTET STRING }."""
    algorithm = fwid.oid("hashAlg")
    digest = fwid.element(der.OCTET_STRING, "digest")
    fwid.done()
    if algorithm != SHA_384 or len(digest) != 48:
        raise Malformed(Reason.ALGORITHM, f"firmware id: {algorithm}")
    return digest
