"""Releasing secrets over real connections: slow, strange and dishonest peers end in our errors."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from enarx.codec.digest import sha256
from enarx.codec.x509 import from_pem
from enarx.delivery import exchange, release
from enarx.delivery.client import ask, connected
from enarx.delivery.exchange import Answer
from enarx.delivery.listener import Listener, server_context
from enarx.delivery.release import Ask, Secrets
from enarx.delivery.release_client import release as hand_over
from enarx.delivery.release_seal import TenantKey, seal, signed
from enarx.delivery.release_service import Delivery, releasing
from enarx.delivery.release_tenant import Judged
from enarx.delivery.service import attesting
from enarx.delivery.tls import Tls
from enarx.errors import EnarxError, Faulty, Reason, Unacceptable, Undetermined
from enarx.evidence import cmw
from enarx.evidence.binding import Binding, Purpose, spki_digest
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from tests.delivery import releasing as world
from tests.delivery.releasing import SECRETS, WHEN
from tests.delivery.test_channel import identity


def evidence(binding: Binding) -> tuple[Evidence, Endorsements]:
    hardware = world.chip().launched(measurement=world.MEASUREMENT, host_data=sha256(world.launch()))
    return hardware.evidence(binding.sha512())


@contextmanager
def listening(handler: Callable[[Tls, bytes], None], *, protocol: bytes = release.ALPN) -> Iterator[str]:
    """A server of this protocol; its handler gets the connection and the key that TLS shows."""
    key, chain = identity()
    spki = from_pem(chain, "chain")[0].spki
    listener = Listener(
        server_context(key, chain, [protocol]), {protocol: lambda tls: handler(tls, spki)}, patience=5.0
    )
    listener.start()
    host, port = listener.address
    yield f"https://{host}:{port}"
    listener.stop()


@contextmanager
def keep(delivery: Delivery) -> Iterator[str]:
    """An honest Keep that waits for secrets."""

    def handle(tls: Tls, spki: bytes) -> None:
        releasing(evidence, delivery, spki=spki, launch=world.launch())(tls)

    with listening(handle) as url:
        yield url


def released(url: str, **more: object) -> Judged:
    return hand_over(url, SECRETS, world.terms(**more), when=WHEN)


def test_a_keep_that_is_accepted_has_the_secrets() -> None:
    delivery = Delivery()

    with keep(delivery) as url:
        judged = released(url)

    assert judged.refusal() is None
    assert SECRETS == delivery.take()


def test_secrets_are_taken_from_a_delivery_once() -> None:
    delivery = Delivery()
    with delivery.put(SECRETS):
        pass
    delivery.take()

    with pytest.raises(Unacceptable) as taken:
        delivery.take()
    with pytest.raises(Unacceptable) as put, delivery.put(SECRETS):
        pass

    assert (Reason.MISSING, Reason.ALREADY_EXISTS) == (taken.value.reason, put.value.reason)


def test_a_second_release_is_not_taken() -> None:
    delivery = Delivery()

    with keep(delivery) as url:
        released(url)
        with pytest.raises(Undetermined):
            hand_over(url, Secrets({"password": b"another"}), world.terms(), when=WHEN)

    assert SECRETS == delivery.take()


def test_nothing_is_sent_after_a_refusal() -> None:
    heard: list[object] = []
    done = threading.Event()

    def handle(tls: Tls, spki: bytes) -> None:
        session = world.session(ask=release.parse_ask(tls.receive(1024)), spki=spki)
        made, endorsements = evidence(session.binding)
        tls.send(session.offer((made,), endorsements).encoded())
        try:
            heard.append(tls.receive(release.MAX_PARCEL))
        except EnarxError as error:
            heard.append(error.reason)
        done.set()

    other = world.loaded((world.MEASUREMENT.hex(), "33" * 48))
    with listening(handle) as url:
        judged = released(url, loaded=other)
        assert done.wait(60)

    refusal = judged.refusal()
    assert refusal is not None
    assert Reason.MEASUREMENT_NOT_ACCEPTED == refusal.reason
    assert [Reason.UNEXPECTED_ANSWER] == heard  # the tenant closed the connection


def test_a_host_that_plays_a_recorded_offer_gets_nothing() -> None:
    recorded: list[bytes] = []
    with keep(Delivery()) as url, connected(url, release.ALPN) as tls:
        tls.send(Ask(bytes(32)).encoded())
        recorded.append(tls.receive(release.MAX_OFFER))

    def replay(tls: Tls, _: bytes) -> None:
        tls.receive(release.MAX_ASK)
        tls.send(recorded[0])

    with listening(replay) as url:
        refusal = released(url).refusal()

    assert refusal is not None
    assert Reason.BINDING_MISMATCH == refusal.reason


def test_a_host_between_tenant_and_keep_gets_nothing() -> None:
    with keep(Delivery()) as true:

        def relay(tls: Tls, _: bytes) -> None:
            asked = tls.receive(release.MAX_ASK)
            with connected(true, release.ALPN) as inner:
                inner.send(asked)
                tls.send(inner.receive(release.MAX_OFFER))

        with listening(relay) as url:
            refusal = released(url).refusal()

    assert refusal is not None
    assert Reason.BINDING_MISMATCH == refusal.reason


def test_evidence_of_the_attested_channel_is_refused_for_a_release() -> None:
    """The Keep's own answer to a relying party's question, under the same nonce and key."""

    def handle(tls: Tls, spki: bytes) -> None:
        nonce = release.parse_ask(tls.receive(1024)).nonce
        channel = Binding(
            purpose=Purpose.CHANNEL,
            spki=spki_digest(spki),
            nonce=nonce,
            launch=sha256(world.launch()),
            exporter=tls.exporter(nonce),
        )
        made, endorsements = evidence(channel)
        offer = release.Offer(
            evidence=cmw.encode((made,)), endorsements=endorsements, launch=world.launch(), hpke=bytes(31) + b"\x09"
        )
        tls.send(offer.encoded())

    with listening(handle) as url:
        refusal = released(url).refusal()

    assert refusal is not None
    assert Reason.BINDING_MISMATCH == refusal.reason


def test_each_protocol_is_refused_where_the_other_is_spoken() -> None:
    def answer(tls: Tls, _: bytes) -> None:
        attesting(lambda *_: Answer(b"", Endorsements(), b""))(tls)

    with listening(answer, protocol=exchange.ALPN) as attests, keep(Delivery()) as releases:
        with pytest.raises(Undetermined) as first:
            released(attests)
        with pytest.raises(Undetermined) as second:
            ask(releases)

    assert [Reason.UNEXPECTED_ANSWER] * 2 == [first.value.reason, second.value.reason]


def test_a_stranger_that_seals_for_a_keep_is_not_heard() -> None:
    delivery = Delivery()
    stranger = TenantKey(world.tenant_pem(), "stranger")

    with keep(delivery) as url, connected(url, release.ALPN) as tls:
        tls.send(Ask(bytes(32)).encoded())
        offer = release.parse_offer(tls.receive(release.MAX_OFFER))
        binding = Binding(
            purpose=Purpose.RELEASE,
            spki=spki_digest(tls.peer_chain()[0].spki),
            nonce=bytes(32),
            launch=sha256(world.launch()),
            hpke=offer.hpke,
        )
        sealed = seal(SECRETS.encoded(), offer.hpke, binding)
        tls.send(release.Parcel(sealed, stranger.sign(signed(binding, sealed))).encoded())
        with pytest.raises(Undetermined):
            tls.receive(release.MAX_RECEIPT)

    assert not delivery.wait(0)


ODD: list[Callable[[Tls], None]] = [
    lambda tls: tls.send(b""),
    lambda tls: tls.send(b"\xa0"),
    lambda tls: tls.send(bytes(100_000)),
    lambda tls: tls.close(),
    lambda tls: tls.send(Ask(bytes(32)).encoded()),
]


@pytest.mark.parametrize("odd", ODD, ids=["empty", "a map", "zeros", "closed", "an ask"])
def test_a_keep_that_answers_oddly_ends_in_an_error_of_the_family(odd: Callable[[Tls], None]) -> None:
    def handle(tls: Tls, _: bytes) -> None:
        tls.receive(release.MAX_ASK)
        odd(tls)

    with listening(handle) as url, pytest.raises(EnarxError) as error:
        released(url)

    assert not isinstance(error.value, Faulty)


def test_a_message_beyond_the_limit_is_not_read() -> None:
    def handle(tls: Tls, _: bytes) -> None:
        tls.receive(release.MAX_ASK)
        tls.send(bytes(release.MAX_OFFER + 1))

    with listening(handle) as url, pytest.raises(EnarxError) as error:
        released(url)

    assert Reason.TOO_LARGE == error.value.reason


def test_a_receipt_for_something_else_is_not_a_yes() -> None:
    def handle(tls: Tls, spki: bytes) -> None:
        session = world.session(ask=release.parse_ask(tls.receive(1024)), spki=spki)
        made, endorsements = evidence(session.binding)
        tls.send(session.offer((made,), endorsements).encoded())
        tls.receive(release.MAX_PARCEL)
        tls.send(release.Receipt(bytes(32)).encoded())

    with listening(handle) as url, pytest.raises(Undetermined) as error:
        released(url)

    assert Reason.UNEXPECTED_ANSWER == error.value.reason


def test_a_keep_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("enarx.delivery.client.PATIENCE", 0.4)
    silence = threading.Event()

    def handle(tls: Tls, _: bytes) -> None:
        silence.wait(5)

    with listening(handle) as url, pytest.raises(Undetermined) as error:
        released(url)
    silence.set()

    assert Reason.TIMED_OUT == error.value.reason


@pytest.mark.parametrize("first", [b"", b"GET / HTTP/1.1\r\n\r\n", bytes(600)])
def test_a_stranger_without_tls_costs_a_keep_nothing(first: bytes) -> None:
    delivery = Delivery()

    with keep(delivery) as url:
        host, _, port = url.removeprefix("https://").rpartition(":")
        with socket.create_connection((host, int(port))) as stranger:
            stranger.sendall(first)
        judged = released(url)

    assert judged.refusal() is None
