# SPDX-License-Identifier: Apache-2.0
"""The agent of a Keep that runs a service of ours: it proves what it is, and is entrusted with secrets only then.

Nobody has to certify it: its TLS key is its own, and the tenant believes its evidence over that
key. What the tenant then releases makes it the service.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from enarx.delivery import exchange, release
from enarx.delivery.exchange import Answer, Question
from enarx.delivery.listener import Listener, server_context
from enarx.delivery.release_service import PATIENCE, Delivery, releasing
from enarx.delivery.service import attesting
from enarx.errors import Faulty, Reason
from enarx.evidence import cmw
from enarx.evidence.binding import Binding, Purpose, spki_digest
from enarx.identity import main as steward
from enarx.keep import native_steward
from enarx.keep.device import Device
from enarx.keep.link import Link, Opening
from enarx.keep.native_memory import MemoryFiles
from enarx.keep.native_part import require_part
from enarx.web.serve import bound
from enarx.workload import launch as launch_document

LOOK_EVERY = 0.2
"""Seconds between two looks at whether the Keep shall stop."""
_ALWAYS = datetime(2020, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""The second is RFC 5280 4.1.2.5's for "no well-defined expiration date"; the evidence is what is fresh."""


class State(StrEnum):
    """How far such a Keep has come."""

    OPENED = "opened"
    KEYED = "keyed"
    """The TLS key was made, inside, and never leaves. Tenants may ask from now on."""
    ENTRUSTED = "entrusted"
    """The tenant accepted the evidence and released the secrets."""
    RUNNING = "running"
    ENDED = "ended"


class NativeAgent:
    """One Keep with a part of the image in it."""

    def __init__(self, opening: Opening, link: Link, device: Device) -> None:
        self._opening = opening
        self._link = link
        self._device = device
        self.launch = launch_document.parse(opening.launch)
        self.stop = threading.Event()
        self._delivery = Delivery()

    def run(self) -> None:
        """The whole story; raises what ends it before its end."""
        signal.signal(signal.SIGTERM, lambda *_: self.stop.set())
        require_part(self.launch)
        listener = self._keyed()
        self._link.watch(self.stop)
        try:
            while not (self._delivery.wait(LOOK_EVERY) or self.stop.is_set()):
                pass
            if not self.stop.is_set():
                self._reached(State.ENTRUSTED)
                self._serve()
        finally:
            listener.stop()
        self._reached(State.ENDED)
        self._link.report("ended", code=0)

    def _reached(self, state: State) -> None:
        self._link.report("state", state=str(state))

    def _keyed(self) -> Listener:
        key = ec.generate_private_key(ec.SECP256R1())
        self._spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        handlers = {
            exchange.ALPN: attesting(self._answer),
            release.ALPN: releasing(
                self._device.evidence, self._delivery, spki=self._spki, launch=self._opening.launch
            ),
        }
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        host, port = self._opening.attest
        context = server_context(pem, _self_signed(key), handlers)
        listener = Listener(context, handlers, host=host, port=port, patience=PATIENCE)
        listener.start()
        self._reached(State.KEYED)
        host, port = listener.address
        self._link.report("attesting", address=f"{host}:{port}")
        return listener

    def _answer(self, question: Question, exporter: bytes) -> Answer:
        binding = Binding(
            purpose=Purpose.CHANNEL,
            spki=spki_digest(self._spki),
            nonce=question.nonce,
            launch=self.launch.digest(),
            exporter=exporter,
        )
        evidence, endorsements = self._device.evidence(binding)
        return Answer(cmw.encode((evidence,)), endorsements, self._opening.launch)

    def _serve(self) -> None:
        entrusted = native_steward.sorted_out(self._delivery.take())
        with MemoryFiles() as files:
            when = datetime.now(UTC)  # noqa: TID251 - the door
            settings = native_steward.settings(entrusted, files, when=when)
            listener = bound(settings.host, settings.port)
            host, port = listener.getsockname()[:2]
            self._reached(State.RUNNING)
            self._link.report("listening", name="steward", prot="https", address=f"{host}:{port}")
            with _ended_by(self.stop):
                code = steward.run(settings, listener)
        if code:
            raise Faulty(Reason.INTERNAL, f"the steward ended with {code}")


@contextlib.contextmanager
def _ended_by(stop: threading.Event) -> Iterator[None]:
    """While inside, `stop` becomes the signal that ends a service."""
    over = threading.Event()

    def watch() -> None:
        stop.wait()
        while not over.wait(LOOK_EVERY):  # the service may not have its handler yet
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="stop", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _self_signed(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A certificate that says nothing, PEM: TLS has to show one."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Enarx Keep, to be judged by its evidence")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_ALWAYS[0])
        .not_valid_after(_ALWAYS[1])
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM)
