# SPDX-License-Identifier: Apache-2.0
"""The agent: performs the acts of the story, each with what the acts before it made.

Everything that steers it stands in the launch document. What it holds alone is the identity key.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

from enarx.codec.digest import sha256
from enarx.codec.x509 import Certificate, from_pem
from enarx.delivery import exchange, release
from enarx.delivery import sealed as sealed_protocol
from enarx.delivery.exchange import Answer, Question
from enarx.delivery.listener import PATIENCE, Handler, Listener, server_context
from enarx.delivery.release_service import PATIENCE as RELEASE_PATIENCE
from enarx.delivery.release_service import Delivery, releasing
from enarx.delivery.sealed_service import Broker, brokering
from enarx.delivery.service import attesting
from enarx.errors import EnarxError, Misused, Reason
from enarx.evidence import cmw
from enarx.evidence.binding import Binding, Purpose, spki_digest
from enarx.identity import request
from enarx.identity.client import StewardClient
from enarx.identity.moment import require_valid
from enarx.keep import awaiting, guest, naming, renewal, sealed, steering
from enarx.keep.activation import activated
from enarx.keep.device import Device
from enarx.keep.link import Link, Opening
from enarx.keep.story import Act
from enarx.keep.told_time import ToldTime
from enarx.platform.objects import Objects
from enarx.registry import connection
from enarx.registry.client import Drawbridge
from enarx.runtime.process import Guest
from enarx.runtime.sealed.mount import Mount
from enarx.runtime.store import CodeStore
from enarx.runtime.workload import Exit, Identity
from enarx.workload import launch as launch_document
from enarx.workload import manifest as manifests
from enarx.workload.package import Package, receive


class Agent:
    """One Keep's agent. Each act may be performed once, in the order of the story."""

    def __init__(
        self,
        opening: Opening,
        link: Link,
        device: Device,
        stdio: Mapping[str, int],
        store: CodeStore | None,
        objects: Objects | None = None,
        *,
        own_clock: bool = False,
    ) -> None:
        self._opening = opening
        self._link = link
        self._device = device
        self._stdio = stdio
        self._store = store
        self._objects = objects
        self._broker = Broker()
        self.launch = launch_document.parse(opening.launch)
        self._time = ToldTime(link, self.launch, own_clock=own_clock)
        self.stop = threading.Event()
        self.exit: Exit | None = None
        self._acts = {
            Act.MAKE_KEY: self._make_key,
            Act.ASK_NONCE: self._ask_nonce,
            Act.MAKE_EVIDENCE: self._make_evidence,
            Act.ASK_IDENTITY: self._ask_identity,
            Act.FETCH: self._fetch,
            Act.START: self._start,
            Act.WAIT: self._wait,
        }
        self._attestation: Listener | None = None
        self._watching = False
        self._waiting: Guest | None = None
        self._handlers: dict[bytes, Handler] = {}

    def perform(self, act: Act) -> None:
        """Do one act; raises what kept it from being done."""
        self._acts[act]()

    def close(self) -> None:
        """Answer no more questions."""
        self._broker.detach()
        if self._waiting is not None:
            self._waiting.dismiss()
        if self._attestation is not None:
            self._attestation.stop()

    def _make_key(self) -> None:
        # P-256: what TLS peers, SPIFFE verifiers and the Steward all take.
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._spki = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def _ask_nonce(self) -> None:
        if self.launch.steward is None or self.launch.steward_ca is None:
            raise Misused(Reason.MISSING, "launch document: steward", hint="a Keep without a Steward has no identity")
        self._steward = StewardClient(self.launch.steward, ca_pins=[self.launch.steward_ca])
        self._nonce = self._steward.nonce(self.launch.digest())

    def _binding(self, purpose: Purpose, nonce: bytes, **more: bytes) -> Binding:
        return Binding(purpose=purpose, spki=spki_digest(self._spki), nonce=nonce, launch=self.launch.digest(), **more)

    def _make_evidence(self) -> None:
        self._evidence = self._device.evidence(self._binding(Purpose.ISSUE, self._nonce))

    def _ask_identity(self) -> None:
        evidence, endorsements = self._evidence
        with self._steward as steward:
            issued = steward.attest(
                request=request.make(self._key),
                evidence=(evidence,),
                endorsements=endorsements,
                nonce=self._nonce,
                launch=self.launch,
                activation=activated(self._device, steward, self._nonce),
            )
        chain_pem = "".join(one.pem() for one in issued.chain).encode()
        self._identity = Identity(self._private(), chain_pem, self._believed_roots(issued.chain))
        require_valid(issued.chain[0], self._time.begin(issued.chain[1].public_key, self._device))
        self._leaf = issued.chain[0]
        self._renew_at = renewal.due(self._leaf.not_before, self._leaf.not_after)
        self._link.report("identified", chain=chain_pem, ear=issued.ear)

    def _believed_roots(self, chain: tuple[Certificate, ...]) -> bytes:
        """The Steward's trust bundle: CAs with the key that the launch document pins, whoever sent them.

        The launcher's other certificates are the host's, and the guest must not believe them.
        """
        sent = from_pem(self._opening.cas, "CA certificates") if self._opening.cas else ()
        pinned = {one.raw: one for one in (*chain, *sent) if sha256(one.spki) == self.launch.steward_ca}
        return "".join(one.pem() for one in pinned.values()).encode()

    def _renew(self, when: datetime) -> None:
        """Attest again and go on under a new certificate; open connections keep the one they began with."""
        try:
            for act in (Act.ASK_NONCE, Act.MAKE_EVIDENCE, Act.ASK_IDENTITY):
                self.perform(act)
        except EnarxError as error:
            self._renew_at = renewal.again(self._leaf.not_after, when=when)
            self._link.report("not-renewed", family=error.family, reason=str(error.reason), subject=error.subject)
            return
        self._guest.renew(self._identity)
        if self._attestation is not None:
            self._attestation.renew(self._context())

    def _private(self) -> bytes:
        return self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def _fetch(self) -> None:
        # The guest's process gets ready meanwhile: it loads the engine and closes its sandbox.
        self._waiting = Guest()
        self._package = self._received()
        self._manifest = manifests.parse(self._package.manifest)
        steering.require_same_steward(self._manifest, self.launch)
        steering.require_input(self._manifest, self.launch)

    def _received(self) -> Package:
        if self.launch.source is None:
            return receive(self._link.node, self.launch.package)
        self._time.require()
        context = connection.client_context(
            ca=self._opening.cas,
            ca_spki=self.launch.source_ca,
            identity=connection.Identity(self._identity.key_pem, self._identity.chain_pem),
        )
        with Drawbridge(context) as registry:
            return registry.fetch(self.launch.source, self.launch.package)

    def _start(self) -> None:
        naming.tell(self._link.report, self._manifest, self.launch)
        self._guest = guest.started(
            self._package,
            self._manifest,
            self.launch,
            stdio=self._stdio,
            store=self._store,
            secrets=self._secrets(),
            identity=self._identity,
            attest=self._guest_evidence,
            mount=self._mounted(),
            waiting=self._waiting,
            resolve=naming.chosen(self.launch, self._opening.cas),
        )
        for bound in self._guest.bound:
            self._link.report("listening", name=bound.name, prot=bound.prot, address=f"{bound.address}:{bound.port}")
        self._attest_from_now_on()

    def _secrets(self) -> Mapping[str, bytes]:
        """What the launch document says the guest needs, released by its tenant to this Keep alone."""
        if not self.launch.secrets:
            return {}
        delivery = Delivery()
        self._handlers[release.ALPN] = releasing(
            self._device.evidence, delivery, spki=self._spki, launch=self._opening.launch
        )
        self._attest_from_now_on()
        self._link.report("awaiting", secrets=list(self.launch.secrets))
        self._watch()
        return awaiting.awaited(delivery, self.launch, self.stop)

    def _mounted(self) -> Mount | None:
        """The sealed volume, if the manifest asks for one; waits for the broker that releases its root."""
        wanted = self._manifest.sealed
        if wanted is None:
            return None
        if wanted.seal == "tenant":
            self._attest_from_now_on()
            self._link.report("awaiting-broker")
            self._watch()
            sealed.awaited(self._broker, self.stop)
        mount = sealed.mounted(
            self._manifest,
            self.launch,
            objects=self._objects,
            device=self._device,
            broker=self._broker,
            report=self._not_sealed,
        )
        self._link.report("sealed", seal=mount.seal, rollback=mount.rollback)
        return mount

    def _not_sealed(self, error: EnarxError) -> None:
        """The guest was told EIO; its owner hears why."""
        self._link.report("not-sealed", family=error.family, reason=str(error.reason), subject=error.subject)

    def _watch(self) -> None:
        if not self._watching:
            self._watching = True
            self._link.watch(self.stop)

    def _patience(self) -> float:
        """A tenant judges while it is connected; relying parties ask and go."""
        return RELEASE_PATIENCE if len(self._handlers) > 1 else PATIENCE

    def _context(self) -> SSL.Context:
        return server_context(self._identity.key_pem, self._identity.chain_pem, self._handlers)

    def _attest_from_now_on(self) -> None:
        if self._attestation is not None:
            return
        self._handlers[exchange.ALPN] = attesting(self._answer)
        if self._manifest.sealed is not None:
            self._handlers[sealed_protocol.ALPN] = brokering(
                self._device.evidence, self._broker, spki=self._spki, launch=self._opening.launch
            )
        host, port = self._opening.attest
        self._attestation = Listener(self._context(), self._handlers, host=host, port=port, patience=self._patience())
        self._attestation.start()
        host, port = self._attestation.address
        self._link.report("attesting", address=f"{host}:{port}")

    def _answer(self, question: Question, exporter: bytes) -> Answer:
        return self._answered(self._binding(Purpose.CHANNEL, question.nonce, exporter=exporter))

    def _guest_evidence(self, data: bytes) -> bytes:
        """Evidence that the guest asked for, over bytes of its own (docs/formats/attested-channel.md).

        Whoever relies on it has its challenge in these bytes, so their digest is the nonce.
        """
        return self._answered(self._binding(Purpose.GUEST, sha256(data), data=data)).encoded()

    def _answered(self, binding: Binding) -> Answer:
        evidence, endorsements = self._device.evidence(binding)
        return Answer(cmw.encode((evidence,)), endorsements, self._opening.launch)

    def _wait(self) -> None:
        self._watch()
        self.exit = guest.awaited(self._guest, self.stop, self._renew_in_time)

    def _renew_in_time(self) -> None:
        self._time.keep()
        now = datetime.now(UTC)  # noqa: TID251 - a certificate ends by the clock
        if now >= self._renew_at:
            self._renew(now)
