# SPDX-License-Identifier: Apache-2.0
"""Reference integrity manifests of NVIDIA: what a driver or a VBIOS measures, signed (TCG RIM, SWID tags).

A manifest is a SoftwareIdentity of ISO/IEC 19770-2:2015 with one Resource per measurement.
"""

from __future__ import annotations

import re
from datetime import datetime

import msgspec

from enarx.codec.digest import sha256, unhex
from enarx.codec.x509 import Certificate
from enarx.errors import Malformed, Reason
from enarx.evidence import rim_signature
from enarx.evidence.chain import authenticate_links, require_valid, window_of
from enarx.evidence.check import Check, Trail
from enarx.evidence.claims import Window
from enarx.evidence.rim_signature import Signature
from enarx.evidence.rim_xml import Element
from enarx.evidence.rim_xml import parse as parse_xml

WHAT = "RIM"
SWID = "http://standards.iso.org/iso/19770/-2/2015/schema.xsd"
HASHES = "http://www.w3.org/2001/04/xmlenc#sha384"
TCG_RIM = "https://trustedcomputinggroup.org/resource/tcg-reference-integrity-manifest-rim-information-model/"
MANUFACTURER_ID = "5703"
"""NVIDIA's IANA private enterprise number."""
MAX_INDEX = 255
MAX_ALTERNATIVES = 32

_NUMBER = re.compile(r"[0-9]{1,4}")


class Reference(msgspec.Struct, frozen=True):
    """What one measurement may be: its index from 0 (SPDM block index - 1), and the values allowed."""

    index: int
    name: str
    values: tuple[bytes, ...]


class Rim(msgspec.Struct, frozen=True):
    """A manifest as received. Parsed, not believed.

    tag        its tagId
    product    "GH100", "LS10"
    edition    "GPU", "SWITCH"
    version    of the driver or the VBIOS that it is for (colloquialVersion), upper case
    references the active measurements, by index
    digest     SHA-256 of the file
    """

    raw: bytes
    tag: str
    product: str
    edition: str
    version: str
    manufacturer: str
    references: tuple[Reference, ...]
    signature: Signature
    digest: bytes


class AuthenticRim(msgspec.Struct, frozen=True):
    """A manifest that NVIDIA's root vouches for, who signed it, and when that was valid."""

    rim: Rim
    signer: str
    path: tuple[Certificate, ...]
    window: Window
    checks: tuple[Check, ...]


def parse(raw: bytes) -> Rim:
    """Read a manifest whole."""
    root = parse_xml(raw, WHAT)
    if not root.named(SWID, "SoftwareIdentity"):
        raise Malformed(Reason.UNKNOWN_KIND, f"{WHAT}: root element {root.local[:40]!r}")
    meta, payload = _one(root, "Meta"), _one(root, "Payload")
    return Rim(
        raw,
        _attribute(root, "tagId"),
        _attribute(meta, "product"),
        _attribute(meta, "edition"),
        _attribute(meta, "colloquialVersion").upper(),
        _attribute(meta, "FirmwareManufacturerId", TCG_RIM),
        _references(payload),
        rim_signature.signature_of(root, WHAT),
        sha256(raw),
    )


def _one(root: Element, local: str) -> Element:
    found = [child for child in root.elements() if child.named(SWID, local)]
    if len(found) != 1:
        raise Malformed(Reason.MISSING if not found else Reason.DUPLICATE, f"{WHAT}: {local}")
    return found[0]


def _attribute(element: Element, local: str, namespace: str = "") -> str:
    value = element.attribute(local, namespace)
    if not value:
        raise Malformed(Reason.MISSING, f"{WHAT}: {element.local} {local}")
    return value


def _references(payload: Element) -> tuple[Reference, ...]:
    active: dict[int, Reference] = {}
    seen: set[int] = set()
    for resource in payload.elements():
        index = _number(resource, "index", MAX_INDEX)
        if not resource.named(SWID, "Resource") or index in seen:
            raise Malformed(Reason.DUPLICATE, f"{WHAT}: resource {index}")
        seen.add(index)
        if _active(resource):
            active[index] = _reference(resource, index)
    if not active:
        raise Malformed(Reason.MISSING, f"{WHAT}: an active measurement")
    return tuple(active[index] for index in sorted(active))


def _reference(resource: Element, index: int) -> Reference:
    """One active Resource: Hash0 up to as many as `alternatives` says, all of `size` bytes."""
    if _attribute(resource, "type") != "Measurement":
        raise Malformed(Reason.UNKNOWN_VALUE, f"{WHAT}: resource {index}")
    size = _number(resource, "size", 64)
    alternatives = _number(resource, "alternatives", MAX_ALTERNATIVES)
    listed = {name for uri, _, name, _ in resource.attributes if uri == HASHES}
    if alternatives == 0 or listed != {f"Hash{at}" for at in range(alternatives)}:
        raise Malformed(Reason.INCONSISTENT, f"{WHAT}: alternatives of resource {index}")
    values = tuple(
        unhex(_attribute(resource, f"Hash{at}", HASHES), f"{WHAT}: resource {index}", size=size)
        for at in range(alternatives)
    )
    return Reference(index, resource.attribute("name") or "", values)


def _active(resource: Element) -> bool:
    said = _attribute(resource, "active")
    if said not in ("True", "False", "true", "false"):
        raise Malformed(Reason.UNKNOWN_VALUE, f"{WHAT}: active {said[:20]!r}")
    return said.lower() == "true"


def _number(element: Element, local: str, high: int) -> int:
    text = _attribute(element, local)
    if _NUMBER.fullmatch(text) is None or int(text) > high:
        raise Malformed(Reason.UNKNOWN_VALUE, f"{WHAT}: {element.local} {local} {text[:20]!r}")
    return int(text)


def authenticate(rim: Rim, roots: tuple[Certificate, ...], *, when: datetime) -> AuthenticRim:
    """Believe a manifest because a certificate under one of `roots` signed it, valid at `when`.

    NVIDIA's signers live a year or two while the manifests stay in use; an expired one is
    refused here, and a newer manifest for the same version is what mends it.
    """
    signed = authenticate_signature(rim, roots)
    require_current(signed, when=when)
    return signed


def authenticate_signature(rim: Rim, roots: tuple[Certificate, ...]) -> AuthenticRim:
    """The part of `authenticate` that no time changes, and that a memory may keep."""
    trail = Trail()
    path = _path(tuple(Certificate(raw, "RIM signer") for raw in rim.signature.certificates), roots)
    authenticate_links(path, roots, trail=trail, name="RIM signer", source="TCG RIM 1.01")
    leaf = path[0]
    usage = leaf.key_usage()
    trail.require(
        not leaf.is_ca and usage is not None and usage.digital_signature,
        Reason.CERTIFICATE_PROFILE,
        "RIM signer: signs, and is no CA",
        fact=leaf.name,
        source="RFC 5280 4.2.1.3",
    )
    rim_signature.verify(rim.signature, leaf.public_key, trail=trail, name=WHAT)
    trail.require(
        rim.manufacturer == MANUFACTURER_ID,
        Reason.ENDORSEMENT_MISMATCH,
        "RIM manufacturer",
        fact=rim.manufacturer,
        expectation=MANUFACTURER_ID,
        source="IANA private enterprise numbers",
    )
    return AuthenticRim(rim, leaf.common_name(), path, window_of(path), trail.checks())


def require_current(signed: AuthenticRim, *, when: datetime) -> None:
    """Every certificate above the manifest is valid at `when`."""
    trail = Trail()
    for certificate in signed.path:
        require_valid(certificate, when=when, trail=trail, name="RIM signer")


def _path(given: tuple[Certificate, ...], roots: tuple[Certificate, ...]) -> tuple[Certificate, ...]:
    """The chain as listed, leaf first; a pinned root stands in where the list ends below it."""
    if given[-1].issuer == given[-1].subject:
        return given
    above = [root for root in roots if root.subject == given[-1].issuer]
    return (*given, *above[:1])
