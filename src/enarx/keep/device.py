# SPDX-License-Identifier: Apache-2.0
"""Where a Keep gets its evidence: the agent's end of an evidence device.

A simulated device is a stream to the launcher, which plays the chip: it holds the chip's key,
so that the Keep has no more of it than a guest has of the real one.
"""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from enarx.errors import Reason, Undetermined
from enarx.evidence.binding import Binding, bound_digest
from enarx.evidence.endorsement import NOTHING, Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.platform.chip import SEALING_REQUEST, read_answer, read_sealing_key, request
from enarx.platform.control import Deframer, frame
from enarx.platform.tpm import device
from enarx.platform.tpm.evidence import quoted

if TYPE_CHECKING:
    from enarx.platform.tee.evidence import Tee

PATIENCE = 30.0
"""Seconds for one answer; the slowest real device needs about one."""
_NONCE = 32
OWN = "own"
"""The machine's own evidence device, whichever it has."""


def no_sealing_key(kind: Kind) -> Undetermined:
    """This platform derives no key for an image."""
    hint = 'write seal = "tenant" under [sealed], and run a broker'
    return Undetermined(Reason.BACKEND_UNAVAILABLE, f"{kind}: a sealing key of this machine", hint=hint)


class Device(Protocol):
    """Anything that makes evidence over a binding."""

    def evidence(self, binding: Binding) -> tuple[Evidence, Endorsements]:
        """Fresh evidence, and the endorsements that the platform has at hand."""

    def sealing_key(self) -> bytes:
        """32 bytes that the TEE derives for this image on this machine; `Undetermined` where it has none."""


class NoDevice:
    """A machine without a TEE: the Keep says so."""

    def evidence(self, binding: Binding) -> tuple[Evidence, Endorsements]:
        """The binding's digest, vouched for by nobody."""
        return Evidence(Kind.NONE, bound_digest(Kind.NONE, binding)), NOTHING

    def sealing_key(self) -> bytes:
        """There is no TEE."""
        raise no_sealing_key(Kind.NONE)


class TeeDevice:
    """The TEE that this machine runs in."""

    def __init__(self, tee: Tee) -> None:
        self._tee = tee
        self._turn = threading.Lock()

    @property
    def counted(self) -> bool:
        """Whether the TEE keeps the machine's counter from the host: the TDX module does (TSC virtualization)."""
        return self._tee.kind is Kind.TDX

    def evidence(self, binding: Binding) -> tuple[Evidence, Endorsements]:
        """What its device answers, one question at a time."""
        with self._turn:
            return self._tee.evidence(binding)

    def sealing_key(self) -> bytes:
        """The TEE's own derivation."""
        key = self._tee.sealing_key()
        if key is None:
            raise no_sealing_key(self._tee.kind)
        return key


def own_device(tpm: str = device.DEVICE) -> Device:
    """What this machine has, probed: a TEE's device, else a TPM, else nothing."""
    from enarx.platform.tee.evidence import Paths, found  # a Keep that is a process has none of these

    tee = found(Paths())
    if tee is not None:
        return TeeDevice(tee)
    return TpmDevice(tpm) if Path(tpm).exists() else NoDevice()


class TpmDevice:
    """The TPM of the machine. Its owner is the host, so what it quotes never satisfies a policy that asks for a TEE."""

    def __init__(self, path: str) -> None:
        self._send = device.open_device(path)
        self._extended = False

    def endorsement(self) -> device.Endorsement | None:
        """What a Steward needs to tie the attestation key to its TPM; None for a TPM without a certificate."""
        return device.endorsement(self._send)

    def activate(self, endorsement: device.Endorsement, blob: bytes, secret: bytes) -> bytes:
        """The credential that a Steward made for both keys."""
        return device.activate(self._send, blob, secret, os.urandom(_NONCE), endorsement.create)

    def evidence(self, binding: Binding) -> tuple[Evidence, Endorsements]:
        """A quote. The first one extends the launch digest before, and so before anything else runs."""
        if not self._extended:
            device.extend(self._send, device.LAUNCH_REGISTER, binding.launch)
            self._extended = True
        return quoted(self._send, bound_digest(Kind.TPM, binding), device.event_log())

    def sealing_key(self) -> bytes:
        """What the host's own TPM derives, the host has."""
        raise no_sealing_key(Kind.TPM)


class SimulatedDevice:
    """A chip that the launcher plays at the other end of `stream`."""

    def __init__(self, kind: Kind, stream: socket.socket) -> None:
        self._kind = kind
        self._stream = stream
        self._stream.settimeout(PATIENCE)
        self._turn = threading.Lock()

    def evidence(self, binding: Binding) -> tuple[Evidence, Endorsements]:
        """Ask the chip to sign over the binding's digest."""
        with self._turn:  # one question at a time: an answer does not say whose it is
            message = self._exchange(request(bound_digest(self._kind, binding)))
        return read_answer(message)

    def sealing_key(self) -> bytes:
        """Ask the chip to derive one."""
        with self._turn:
            message = self._exchange(SEALING_REQUEST)
        key = read_sealing_key(message)
        if key is None:
            raise no_sealing_key(self._kind)
        return key

    def _exchange(self, asked: dict[str, Any]) -> dict[str, Any]:
        deframer = Deframer()
        try:
            self._stream.sendall(frame(asked))
            while True:
                received = self._stream.recv(65536)
                if not received:
                    raise Undetermined(Reason.UNREACHABLE, "the evidence device is gone")
                if messages := deframer.feed(received):
                    return messages[0]
        except TimeoutError:
            raise Undetermined(Reason.TIMED_OUT, "the evidence device does not answer") from None
        except OSError as error:
            raise Undetermined(Reason.UNREACHABLE, f"the evidence device: {error.strerror}") from None


def named(text: str) -> Device:
    """What the launcher or process 1 names: "KIND:DESCRIPTOR" of a simulated chip, `OWN`, or "" for none."""
    if text == OWN:
        return own_device()
    kind, _, fd = text.partition(":")
    return SimulatedDevice(Kind(kind), socket.socket(fileno=int(fd))) if fd else NoDevice()
