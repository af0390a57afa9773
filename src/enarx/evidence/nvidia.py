# SPDX-License-Identifier: Apache-2.0
"""NVIDIA GPUs and NVSwitches: SPDM measurements, believed from NVIDIA's device root down.

A device's certificates run to the year 9999, so no time limits an authentic report; what ages
are the manifests of its software and the answers about revocation.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from enarx.codec.der import Der
from enarx.codec.digest import same
from enarx.codec.x509 import MAX_CHAIN, Certificate, from_pem
from enarx.errors import Malformed, Reason
from enarx.evidence import nvidia_opaque, spdm
from enarx.evidence.anchor import Anchors, Vendor
from enarx.evidence.check import Trail
from enarx.evidence.claims import Claims
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.memory import Memory
from enarx.evidence.nvidia_chain import authenticate_device, device_path
from enarx.evidence.nvidia_identity import Device, device_of
from enarx.evidence.nvidia_ocsp import pairs_of, statuses
from enarx.evidence.nvidia_opaque import Opaque
from enarx.evidence.nvidia_rim import Match, Part, compare, worst
from enarx.evidence.nvidia_signature import require_signed
from enarx.evidence.spdm import Measurements

ARCHITECTURES = {"GH": "hopper", "GB": "blackwell", "GR": "rubin", "LS": "nvswitch"}
"""By the first two letters of the product in the device certificate."""
_PRODUCTS = {Kind.NVIDIA_GPU: "G", Kind.NVIDIA_SWITCH: "LS"}
"""How products of a kind are named. NVIDIA's root vouches for other devices too."""


class Report(msgspec.Struct, frozen=True):
    """A report and the certificates that came with it. Parsed, not believed."""

    kind: Kind
    measurements: Measurements
    opaque: Opaque
    certificates: tuple[bytes, ...] = ()


def parse(raw: bytes, kind: Kind, certificates: tuple[bytes, ...] = ()) -> Report:
    """Read a report of `kind` (GPU or switch) to the last byte; `certificates` are DER."""
    if kind not in _PRODUCTS:
        raise Malformed(Reason.UNKNOWN_KIND, str(kind))
    measurements = spdm.parse(raw)
    return Report(kind, measurements, nvidia_opaque.parse(measurements.opaque), certificates)


class NvidiaClaims(Claims, frozen=True, kw_only=True):
    """What a GPU or a switch says, once NVIDIA's device root vouches for it.

    bound        the nonce of the request, 32 bytes
    device       which chip, by certificate
    architecture "hopper", "blackwell", "rubin", "nvswitch", or the product in lower case
    blocks       measurement values; the first is SPDM block 1
    matches      what came of each manifest that was given
    ocsp         of the device's certificates: "good", "hold", "unknown" or "missing"
    """

    device: Device
    architecture: str
    opaque: Opaque
    blocks: tuple[bytes, ...]
    matches: tuple[Match, ...]
    ocsp: str

    def facts(self) -> dict[str, Any]:
        """The claims as plain JSON values."""
        return {
            "product": self.device.product,
            "architecture": self.architecture,
            "ueid": self.device.ueid,
            "serial": self.device.serial,
            "fwid": self.device.fwid.hex(),
            "nonce": self.bound.hex(),
            "driver_version": self.opaque.driver_version,
            "vbios_version": self.opaque.vbios_version,
            "mode": self.opaque.mode,
            "locked": self.opaque.locked,
            "measurements": {str(at): value.hex() for at, value in enumerate(self.blocks, start=1)},
            "ocsp": self.ocsp,
            "rim": [match.version for match in self.matches if match.reason is None],
        }

    def debug(self) -> bool:
        """Never so far as the report can say: a debug fuse or firmware shows in the measurements only.

        A policy's `debug = "refused"` therefore asks for manifests that agree.
        """
        return False

    def agreeing(self, part: Part) -> tuple[Match, ...]:
        """The genuine manifests for the driver or the VBIOS with which every measurement agrees."""
        return tuple(match for match in self.matches if match.part is part and match.reason is None)

    def parts(self) -> tuple[Part, ...]:
        """What needs a manifest: a switch has no driver of its own."""
        return (Part.VBIOS,) if self.opaque.driver_version is None else (Part.DRIVER, Part.VBIOS)


def authenticate(
    report: Report,
    endorsements: Endorsements,
    *,
    anchors: Anchors,
    when: datetime,
    memory: Memory[Any] | None = None,
) -> NvidiaClaims:
    """Believe a report because its device's key signed it, and NVIDIA's root vouches for that key."""
    trail = Trail()
    roots = anchors.of(Vendor.NVIDIA)
    path = device_path(report.certificates or endorsements.certificates, roots, trail)
    window = authenticate_device(path, roots, when=when, trail=trail, memory=memory)
    device = _device(report, path[0], trail)
    said = _revocation(endorsements.ocsp, path, when=when, trail=trail)
    matches = compare(
        endorsements.rims,
        endorsements.ocsp,
        anchors.of(Vendor.NVIDIA_RIM),
        product=device.product,
        opaque=report.opaque,
        blocks=report.measurements.blocks,
        when=when,
        trail=trail,
        memory=memory,
    )
    return NvidiaClaims(
        kind=report.kind,
        anchors=anchors.name,
        bound=report.measurements.nonce,
        launch=None,
        window=window,
        checks=trail.checks(),
        device=device,
        architecture=ARCHITECTURES.get(device.product[:2], device.product.lower()),
        opaque=report.opaque,
        blocks=tuple(block.value for block in report.measurements.blocks),
        matches=matches,
        ocsp=said,
    )


def _device(report: Report, leaf: Certificate, trail: Trail) -> Device:
    """Whose report it is: the leaf's device is of the right kind, and its key signed the report."""
    device = device_of(leaf)
    _require_kind(report.kind, device.product, trail)
    require_signed(report.measurements, leaf, trail)
    _require_firmware(report.opaque, device, trail)
    if report.measurements.padding:
        trail.note("zero bytes after the signature", report.measurements.padding, reason=Reason.TRAILING_BYTES)
    return device


def _require_kind(kind: Kind, product: str, trail: Trail) -> None:
    """A switch cannot stand in for a GPU, nor the reverse; the certificate says which it is."""
    trail.require(
        product.startswith(_PRODUCTS[kind]),
        Reason.ENDORSEMENT_MISMATCH,
        "device is of the kind that the evidence says",
        fact=product,
        expectation=str(kind),
        source="DSP0274 1.1 section 10.6.1: product name in the device certificate",
    )


def _require_firmware(opaque: Opaque, device: Device, trail: Trail) -> None:
    """The report names the firmware whose key signed it, since driver 550."""
    if opaque.fwid is None:
        trail.note("firmware id", "not in the report: an older driver or a switch", source="DICE 6.1.1")
        return
    trail.require(
        len(opaque.fwid) == len(device.fwid) and same(opaque.fwid, device.fwid),
        Reason.KEY_NOT_BOUND,
        "firmware id in report and certificate",
        fact=opaque.fwid,
        expectation=device.fwid,
        source="TCG DICE Attestation Architecture 1.1 section 6.1.1",
    )


def _revocation(given: tuple[bytes, ...], path: tuple[Certificate, ...], *, when: datetime, trail: Trail) -> str:
    """Of the certificates that NVIDIA issued: the leaf's issuer is the chip itself, which answers nobody."""
    pairs = pairs_of(path, first=1)
    said = worst(statuses(given, pairs, when=when, trail=trail), len(pairs))
    if said == "missing":
        trail.note(
            "device certificates: revocation",
            "no OCSP response for every certificate",
            reason=Reason.REVOCATION_UNCHECKED,
            source="RFC 6960",
            mend="give OCSP responses of NVIDIA's responder",
        )
    return said


def judge(
    evidence: Evidence,
    endorsements: Endorsements,
    *,
    anchors: Anchors,
    when: datetime,
    memory: Memory[Any] | None = None,
) -> NvidiaClaims:
    """As `authenticate`, of evidence as it arrives; part "certificates" holds the chain, PEM or DER."""
    if unknown := evidence.parts.keys() - {"certificates"}:
        raise Malformed(Reason.UNKNOWN_KEY, f"evidence of kind {evidence.kind}: part {min(unknown)!r}")
    chain = certificates_of(evidence.parts["certificates"]) if "certificates" in evidence.parts else ()
    report = parse(evidence.body, evidence.kind, chain)
    return authenticate(report, endorsements, anchors=anchors, when=when, memory=memory)


def certificates_of(raw: bytes) -> tuple[bytes, ...]:
    """DER certificates out of a chain as devices and tools hand it out: PEM, or DER one after another."""
    if raw.lstrip().startswith(b"-----BEGIN"):
        return tuple(certificate.raw for certificate in from_pem(raw, "device certificates"))
    chain = Der(raw, "device certificates")
    found: list[bytes] = []
    while chain.peek() is not None:
        found.append(chain.raw("certificate"))
        if len(found) > MAX_CHAIN:
            raise Malformed(Reason.TOO_LARGE, f"device certificates: more than {MAX_CHAIN}")
    return tuple(found)
