"""Releasing secrets: they leave for one key of one accepted Keep, and for nothing else."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enarx.codec.digest import sha256
from enarx.delivery.release import (
    MAX_BYTES,
    Ask,
    Parcel,
    Receipt,
    Secrets,
    parse_ask,
    parse_offer,
    parse_parcel,
    parse_receipt,
    parse_secrets,
)
from enarx.delivery.release_seal import TenantKey, seal, signed
from enarx.errors import EnarxError, Faulty, Malformed, Misused, Reason, Unacceptable, Unauthentic
from enarx.evidence import cmw
from enarx.evidence.binding import Binding, Purpose
from enarx.evidence.endorsement import NOTHING
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from tests.delivery import releasing as world
from tests.delivery.releasing import NONCE, SECRETS, SPKI

OTHER = bytes(32)[:-1] + b"\x09"
"""A valid X25519 public key: the base point."""


def test_secrets_arrive_as_they_were_sent() -> None:
    keep = world.session()
    judged = world.judged(world.offered(keep))

    parcel = judged.parcel(SECRETS, world.tenant())
    secrets, receipt = keep.take(parcel)

    assert judged.refusal() is None
    assert SECRETS == secrets
    assert parcel.receipt() == receipt


def test_what_is_sealed_has_nothing_of_the_secrets_in_it() -> None:
    parcel = world.judged(world.offered(world.session())).parcel(SECRETS, world.tenant())

    raw = parcel.encoded()

    assert not [value for value in SECRETS.values.values() if value in raw]


def test_the_one_time_key_opens_one_parcel() -> None:
    keep = world.session()
    parcel = world.judged(world.offered(keep)).parcel(SECRETS, world.tenant())
    keep.take(parcel)

    with pytest.raises(Unacceptable) as error:
        keep.take(parcel)

    assert Reason.NONCE_SPENT == error.value.reason


def test_a_parcel_that_does_not_open_leaves_no_second_try() -> None:
    keep = world.session()
    parcel = world.judged(world.offered(keep)).parcel(SECRETS, world.tenant())
    with pytest.raises(Unauthentic):
        keep.take(Parcel(parcel.sealed, b"nothing"))

    with pytest.raises(Unacceptable) as error:
        keep.take(parcel)

    assert Reason.NONCE_SPENT == error.value.reason


def test_every_challenge_gets_a_key_of_its_own() -> None:
    assert world.session().binding.hpke != world.session().binding.hpke


def refused(offer_of: object, **more: object) -> Reason:
    """Why the tenant refuses; sealing for it must then be impossible."""
    judged = world.judged(offer_of, **more)  # type: ignore[arg-type]
    refusal = judged.refusal()
    assert refusal is not None
    with pytest.raises(type(refusal)):
        judged.parcel(SECRETS, world.tenant())
    return refusal.reason


def test_a_recorded_offer_is_refused_for_another_nonce() -> None:
    assert Reason.BINDING_MISMATCH == refused(world.offered(world.session()), ask=Ask(bytes(32)))


def test_an_offer_is_refused_from_another_tls_key() -> None:
    assert Reason.BINDING_MISMATCH == refused(world.offered(world.session()), spki=b"the key of a host in between")


def test_another_one_time_key_is_refused() -> None:
    assert Reason.BINDING_MISMATCH == refused(world.with_hpke(world.offered(world.session()), OTHER))


@pytest.mark.parametrize(
    "binding",
    [
        Binding(purpose=Purpose.CHANNEL, spki=bytes(48), nonce=NONCE, launch=bytes(32), exporter=bytes(32)),
        Binding(purpose=Purpose.ISSUE, spki=bytes(48), nonce=NONCE, launch=bytes(32)),
        Binding(purpose=Purpose.HANDOVER, spki=bytes(48), nonce=NONCE, launch=bytes(32)),
        Binding(purpose=Purpose.GUEST, spki=bytes(48), nonce=NONCE, launch=bytes(32), data=b"from the guest"),
    ],
    ids=lambda one: str(one.purpose),
)
def test_evidence_for_another_purpose_is_refused(binding: Binding) -> None:
    keep = world.session()
    same_values = msgspec.structs.replace(binding, spki=keep.binding.spki, launch=keep.binding.launch)

    assert Reason.BINDING_MISMATCH == refused(world.offered(keep, over=same_values))


def test_evidence_for_a_release_is_none_for_a_channel() -> None:
    keep = world.session()
    channel = Binding(
        purpose=Purpose.CHANNEL,
        spki=keep.binding.spki,
        nonce=NONCE,
        launch=keep.binding.launch,
        exporter=keep.binding.hpke,
    )

    assert channel.sha512() != keep.binding.sha512()


def test_another_measurement_is_refused() -> None:
    policy = world.loaded((world.MEASUREMENT.hex(), "33" * 48))

    assert Reason.MEASUREMENT_NOT_ACCEPTED == refused(world.offered(world.session()), terms=world.terms(loaded=policy))


def test_a_keep_of_another_tenant_is_refused() -> None:
    stranger = TenantKey(world.tenant_pem(), "stranger")

    assert Reason.LAUNCH_MISMATCH == refused(world.offered(world.session()), terms=world.terms(tenant=stranger))


def test_a_launch_document_that_steers_is_refused_unless_it_is_given() -> None:
    document = world.launch(args=("--leak",))
    offer = world.offered(world.session(document), document=document)

    assert Reason.LAUNCH_MISMATCH == refused(offer)
    assert world.judged(offer, terms=world.terms(launch=document)).refusal() is None


def test_another_launch_document_than_the_one_given_is_refused() -> None:
    given_ = world.launch(deployment=b"\x01" * 16)

    assert Reason.LAUNCH_MISMATCH == refused(world.offered(world.session()), terms=world.terms(launch=given_))


def test_a_policy_that_does_not_check_the_binding_releases_nothing() -> None:
    policy = world.loaded(
        ('binding = "enarx-binding-1"', 'binding = "unchecked"'), ('freshness = "nonce"', 'freshness = "unchecked"')
    )
    stolen = world.with_hpke(world.offered(world.session()), OTHER)

    assert Reason.BINDING_FORM == refused(stolen, terms=world.terms(loaded=policy))


def test_a_machine_without_a_tee_gets_nothing_even_where_a_policy_accepts_it() -> None:
    policy = world.loaded(("[snp]", '[none]\ninsecure = "accepted"\n\n[snp]'))
    keep = world.session()
    offer = keep.offer((Evidence(Kind.NONE, keep.binding.sha512()),), NOTHING)

    judged = world.judged(offer, terms=world.terms(loaded=policy))

    assert policy.policy.none is not None
    assert Reason.NO_TEE in {check.reason for check in judged.checks}
    assert judged.refusal() is not None


def test_production_anchors_refuse_a_simulated_keep() -> None:
    from enarx.evidence.production import production

    with pytest.raises(Unauthentic):
        world.judged(world.offered(world.session()), terms=world.terms(anchors=production()))


def test_a_parcel_of_another_tenant_is_not_opened() -> None:
    keep = world.session()
    stranger = TenantKey(world.tenant_pem(), "stranger")
    sealed = seal(SECRETS.encoded(), keep.binding.hpke or b"", keep.binding)

    with pytest.raises(Unauthentic) as error:
        keep.take(Parcel(sealed, stranger.sign(signed(keep.binding, sealed))))

    assert Reason.SIGNATURE_INVALID == error.value.reason


def test_a_parcel_for_another_keep_is_not_opened() -> None:
    first, second = world.session(), world.session()
    parcel = world.judged(world.offered(first)).parcel(SECRETS, world.tenant())

    with pytest.raises(Unauthentic):
        second.take(parcel)


def test_a_one_time_key_of_low_order_is_refused() -> None:
    keep = world.session()

    with pytest.raises(Malformed) as error:
        seal(b"secret", bytes(32), keep.binding)

    assert Reason.KEY_INVALID == error.value.reason


def test_an_offer_with_any_byte_changed_gets_nothing_for_another_key() -> None:
    keep = world.session()
    raw = world.offered(keep).encoded()
    terms = world.terms()
    released = []
    for at in range(len(raw)):
        changed = bytearray(raw)
        changed[at] ^= 1 << at % 8
        try:
            judged = world.judged(parse_offer(bytes(changed)), terms=terms)
            judged.parcel(SECRETS, world.tenant())
        except Faulty:
            raise
        except EnarxError:
            continue
        released.append(judged.binding == keep.binding)

    # what no signature covers and nobody reads may change: never the key that secrets are sealed to
    assert all(released)


def test_a_parcel_with_any_bit_changed_is_never_taken() -> None:
    keep = world.session()
    raw = world.judged(world.offered(keep)).parcel(SECRETS, world.tenant()).encoded()
    taken = []
    for at in range(len(raw)):
        for bit in range(8):
            changed = bytearray(raw)
            changed[at] ^= 1 << bit
            try:
                world.session().take(parse_parcel(bytes(changed)))
            except Faulty:
                raise
            except EnarxError:
                continue
            taken.append((at, bit))

    assert [] == taken


def test_a_receipt_with_any_bit_changed_is_none() -> None:
    parcel = Parcel(b"sealed", b"signature")
    raw = parcel.receipt().encoded()

    for at in range(len(raw)):
        changed = bytearray(raw)
        changed[at] ^= 1
        with contextlib.suppress(Malformed):
            assert parse_receipt(bytes(changed)) != parcel.receipt()


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_whatever_is_read_ends_in_a_value_or_an_error_of_the_family(raw: bytes) -> None:
    for parse in (parse_ask, parse_offer, parse_parcel, parse_receipt, parse_secrets):
        with contextlib.suppress(Malformed):
            parse(raw)


def test_messages_come_back_as_they_were() -> None:
    offer = world.offered(world.session())

    assert Ask(NONCE) == parse_ask(Ask(NONCE).encoded())
    assert offer == parse_offer(offer.encoded())
    assert Parcel(b"a", b"b") == parse_parcel(Parcel(b"a", b"b").encoded())
    assert Receipt(sha256(b"")) == parse_receipt(Receipt(sha256(b"")).encoded())
    assert SECRETS == parse_secrets(SECRETS.encoded())
    assert cmw.decode(offer.evidence)[0].kind is Kind.SNP


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "../ca.key", "a\nb", "ä", "a" * 65])
def test_a_name_that_could_be_a_path_is_refused(name: str) -> None:
    with pytest.raises(Misused):
        Secrets({name: b"secret"})


def test_too_much_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(Misused) as error:
        Secrets({"big": bytes(MAX_BYTES)}).encoded()

    assert Reason.TOO_LARGE == error.value.reason


def test_no_secret_is_shown() -> None:
    assert "Secrets(['ca.key', 'password'])" == repr(SECRETS)


def test_no_error_of_a_secret_quotes_it() -> None:
    raw = Secrets({"password": b"correct horse"}).encoded().replace(b"password", b"/assword")

    with pytest.raises(Malformed) as error:
        parse_secrets(raw)

    assert "horse" not in str(error.value)


@pytest.mark.parametrize("spki", [b"", b"key", SPKI])
def test_a_tenant_that_is_no_key_opens_no_keep(spki: bytes) -> None:
    keep = world.session(world.launch(tenant=spki or b"\0"))

    with pytest.raises(Malformed) as error:
        keep.take(Parcel(b"sealed", b"signature"))

    assert Reason.KEY_INVALID == error.value.reason
