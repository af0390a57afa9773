"""What a Keep knows of the time: asked over its own nonce, counted, and asked again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from enarx.appraisal import jws
from enarx.appraisal.jws import base64url
from enarx.codec.x509 import Certificate
from enarx.errors import EnarxError, Malformed, Reason, Unacceptable, Unauthentic, Undetermined
from enarx.identity import moment, result
from enarx.identity.moment import Moment, require_valid
from enarx.identity.signer import KeySigner
from enarx.keep.timekeeper import Source, Timekeeper
from enarx.platform.simulated import pki

KEY = ec.generate_private_key(ec.SECP256R1())
NONCE = b"n" * 32
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def token(nonce: bytes = NONCE, key: ec.EllipticCurvePrivateKey = KEY, **claims: Any) -> str:
    said = {"time_ms": int(NOW.timestamp() * 1000), "eat_nonce": base64url(nonce), **claims}
    return jws.sign(said, key, kind=moment.TYPE)


def test_a_time_that_the_steward_signed_over_our_nonce_is_read() -> None:
    assert moment.read(token(), KEY.public_key(), NONCE) == NOW


@pytest.mark.parametrize(
    ("raw", "family", "reason"),
    [
        (token(b"o" * 32), Unauthentic, Reason.NONCE_MISMATCH),
        (token(key=ec.generate_private_key(ec.SECP256R1())), Unauthentic, Reason.SIGNATURE_INVALID),
        (token(time_ms=True), Malformed, Reason.WRONG_TYPE),
        (token(time_ms=1 << 62), Malformed, Reason.WRONG_TYPE),
        (token(time_ms="1"), Malformed, Reason.WRONG_TYPE),
        (jws.sign({"time_ms": 1, "eat_nonce": base64url(NONCE)}, KEY), Malformed, Reason.UNKNOWN_VALUE),
        ("nonsense", Malformed, Reason.SYNTAX),
    ],
    ids=["nonce", "key", "true", "year", "text", "another kind of token", "nonsense"],
)
def test_another_token_tells_no_time(raw: str, family: type[EnarxError], reason: Reason) -> None:
    with pytest.raises(family) as caught:
        moment.read(raw, KEY.public_key(), NONCE)
    assert reason == caught.value.reason


def test_a_steward_with_an_rsa_key_tells_the_time_too() -> None:
    signer = KeySigner(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    public = serialization.load_der_public_key(signer.spki)
    assert isinstance(public, rsa.RSAPublicKey)
    said = {"time_ms": 1, "eat_nonce": base64url(NONCE)}
    assert 1970 == moment.read(result.jwt(said, signer, kind=moment.TYPE), public, NONCE).year
    with pytest.raises(Unauthentic) as caught:
        moment.read(token(), public, NONCE)
    assert Reason.ALGORITHM == caught.value.reason


class World:
    """A counter that stands still unless it is moved, and a Steward that takes its time."""

    def __init__(self, takes: float = 0.0) -> None:
        self.counter = 1000.0
        self.time = NOW
        self.takes = takes
        self.nonces: list[bytes] = []
        self.silent = False

    def pass_(self, seconds: float) -> None:
        self.counter += seconds
        self.time += timedelta(seconds=seconds)

    def ask(self, nonce: bytes) -> datetime:
        if self.silent:
            raise Undetermined(Reason.TIMED_OUT, "the steward")
        self.nonces.append(nonce)
        self.counter += self.takes
        return self.time

    def keeper(self, *, counted: bool = False) -> Timekeeper:
        return Timekeeper(self.ask, counted=counted, clock=lambda: self.counter)


def test_the_answers_way_is_the_uncertainty() -> None:
    now = World(takes=2.0).keeper().now()
    assert (NOW, NOW + timedelta(seconds=2)) == (now.earliest, now.latest)


def test_a_minute_is_counted_and_then_it_is_asked_again_with_another_nonce() -> None:
    world = World()
    keeper = world.keeper()
    keeper.now()
    world.pass_(60)
    assert (NOW + timedelta(seconds=60), 1) == (keeper.now().earliest, len(world.nonces))
    assert keeper.stale()
    world.pass_(1)
    assert (NOW + timedelta(seconds=61), 2) == (keeper.now().earliest, len(set(world.nonces)))
    assert Source.POLLED is keeper.source


def test_without_an_answer_nothing_is_decided() -> None:
    world = World()
    keeper = world.keeper()
    keeper.now()
    world.silent = True
    world.pass_(59)
    keeper.now()
    world.pass_(2)
    with pytest.raises(Undetermined) as caught:
        keeper.now()
    assert Reason.TIMED_OUT == caught.value.reason


def test_a_counter_that_goes_back_counts_nothing() -> None:
    world = World()
    keeper = world.keeper()
    keeper.now()
    world.counter -= 5
    keeper.now()
    assert 2 == len(world.nonces)


def test_a_counter_that_the_tee_keeps_needs_one_answer() -> None:
    world = World()
    keeper = world.keeper(counted=True)
    keeper.now()
    world.silent = True
    world.pass_(86_400)
    assert (NOW + timedelta(days=1), Source.TRUSTED) == (keeper.now().earliest, keeper.source)
    assert not keeper.stale()


def test_an_answer_that_was_held_back_serves_one_decision() -> None:
    world = World(takes=45.0)
    keeper = world.keeper()
    first = keeper.now()
    assert timedelta(seconds=45) == first.latest - first.earliest
    keeper.now()
    assert 2 == len(world.nonces)


def certificate(start: datetime, end: datetime) -> Certificate:
    root = pki.authority("root", ec.SECP256R1(), start, end)
    return Certificate(pki.der(root.certificate))


def test_the_worse_end_decides() -> None:
    now = Moment(NOW, NOW + timedelta(seconds=10))
    require_valid(certificate(NOW, NOW + timedelta(seconds=10)), now)
    for start, end, reason in (
        (NOW + timedelta(seconds=1), NOW + timedelta(days=1), Reason.NOT_YET_VALID),
        (NOW - timedelta(days=1), NOW + timedelta(seconds=9), Reason.EXPIRED),
    ):
        with pytest.raises(Unacceptable) as caught:
            require_valid(certificate(start, end), now)
        assert reason == caught.value.reason


@given(st.text(max_size=80) | st.builds(lambda *parts: ".".join(parts), *[st.text("ABCabc01-_", max_size=20)] * 3))
def test_arbitrary_text_tells_no_time(raw: str) -> None:
    with pytest.raises(EnarxError) as caught:
        moment.read(raw, KEY.public_key(), NONCE)
    assert type(caught.value) in {Malformed, Unauthentic}
