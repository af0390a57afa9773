# SPDX-License-Identifier: Apache-2.0
"""A Keep mounts its sealed volume: which root, which scope, and who holds the version (docs/formats/sealed.md)."""

from __future__ import annotations

import threading
from collections.abc import Callable

import msgspec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from enarx.codec import cbor
from enarx.codec.digest import sha256
from enarx.delivery.sealed_service import Broker
from enarx.errors import EnarxError, Misused, Reason, Undetermined
from enarx.keep.device import Device
from enarx.platform.objects import Objects
from enarx.runtime.sealed.cipher import LABEL, Scope
from enarx.runtime.sealed.mount import Mount
from enarx.runtime.sealed.record import Held
from enarx.runtime.sealed.volume import Unheld
from enarx.workload.launch import Launch
from enarx.workload.manifest import DETECTED, Manifest, Sealed
from enarx.workload.signed_launch import launched

LOOK_EVERY = 0.2
"""Seconds between two looks at whether the Keep shall stop."""


class _Brokered:
    """The broker's root; its version too, where the manifest wants rollback detected."""

    def __init__(self, broker: Broker, *, detected: bool) -> None:
        if broker.book is None:
            raise Undetermined(Reason.MISSING, "sealed volume: its root")
        self._broker = broker
        self.root = broker.book.root
        held = broker.book.held
        self.held = None if held is None else Held(held.version, held.digest)
        self.detected = detected

    def hold(self, version: int, digest: bytes) -> None:
        """See `volume.Sealing`."""
        if self.detected:
            self._broker.hold(version, digest)


def scope(sealed: Sealed, launch: Launch) -> Scope:
    """Whom the keys are for, out of the launch document alone."""
    tenant = sha256(launch.tenant)
    if sealed.bind == "launch":
        # The deployment is new each time, and everything else must be the same.
        steering = msgspec.structs.replace(launch, deployment=bytes(16))
        return Scope("launch", cbor.encode({"tenant": tenant, "launch": steering.digest()}))
    signed = launched(launch)
    if signed is None:
        hint = "give deploy --package-signature and --package-key"
        raise Misused(Reason.MISSING, 'the package\'s signature, which [sealed] bind = "signer" needs', hint=hint)
    return Scope("signer", cbor.encode({"tenant": tenant, "signer": signed.signer}), signed.security_version)


def machine_root(device: Device) -> bytes:
    """The sealing root of this image on this machine."""
    return HKDFExpand(SHA256(), 32, LABEL + b"machine").derive(device.sealing_key())


def awaited(broker: Broker, stop: threading.Event) -> None:
    """Wait for the broker, whenever it comes; `Undetermined` when the Keep is stopped before."""
    while not broker.wait(LOOK_EVERY):
        if stop.is_set():
            raise Undetermined(Reason.MISSING, "sealed volume: the keep was stopped before its root was released")


def mounted(
    manifest: Manifest,
    launch: Launch,
    *,
    objects: Objects | None,
    device: Device,
    broker: Broker,
    report: Callable[[EnarxError], None],
) -> Mount:
    """The volume that the manifest asks for, opened; `broker` has come where the manifest names the tenant."""
    sealed = manifest.sealed
    if sealed is None or objects is None:
        raise Misused(Reason.NOT_GRANTED, "/sealed: the launcher keeps no folder for it", hint="deploy --sealed FOLDER")
    limits = [one for one in (manifest.limits.sealed, launch.limits.get("sealed")) if one is not None]
    given = (
        _Brokered(broker, detected=sealed.rollback == DETECTED)
        if sealed.seal == "tenant"
        else Unheld(machine_root(device))
    )
    return Mount(sealed, objects, given, scope(sealed, launch), storage=min(limits, default=None), report=report)
