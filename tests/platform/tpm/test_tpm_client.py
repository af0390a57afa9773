"""Our TPM commands against a real software TPM, without a machine around it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from enarx.errors import EnarxError, Malformed, Reason, Undetermined
from enarx.evidence import tpm
from enarx.evidence.check import Trail
from enarx.evidence.tpm_credential import make_credential, name_of
from enarx.evidence.tpm_key import parse as parse_key
from enarx.platform.tpm import command, device, nv
from enarx.platform.tpm.device import Transport
from enarx.platform.tpm.evidence import quoted
from tests.platform.tpm.software import running


@pytest.fixture(scope="module")
def send(programs: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Transport]:
    with running(tmp_path_factory.mktemp("tpm")) as transport:
        yield transport


def believed(evidence: tpm.Evidence) -> tpm.Boot:
    quote = tpm.parse(evidence)
    assert quote.key is not None
    return tpm.believed(quote, quote.key, trail=Trail())


def test_a_quote_is_believed_by_the_judge_and_shows_what_was_extended(send: Transport) -> None:
    before = device.registers(send)[11]
    device.extend(send, 11, b"L" * 32)
    evidence, _ = quoted(send, b"c" * 32, b"")
    boot = believed(evidence)
    assert b"c" * 32 == boot.extra_data
    assert hashlib.sha256(before + b"L" * 32).digest() == boot.pcrs["sha-256"][11]
    assert set(range(16)) == set(boot.pcrs["sha-256"])


def test_the_attestation_key_is_restricted_and_the_same_until_the_tpm_is_cleared(send: Transport) -> None:
    first, second = (quoted(send, b"1" * 32, b"")[0].parts["ak_public"] for _ in range(2))
    assert first == second
    assert parse_key(first).is_attestation_key() is True


def test_a_credential_opens_in_the_tpm_that_has_both_keys(send: Transport) -> None:
    with device.loaded(send, command.create_ek()) as ek, device.loaded(send, command.create_ak()) as ak:
        key, name = parse_key(ek.public).key, ak.name
        assert name == name_of(ak.public)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    made = make_credential(b"s" * 32, ek=key, ak_name=name, randomness=os.urandom)
    assert b"s" * 32 == device.activate(send, made.blob, made.secret, os.urandom(32))


@pytest.mark.parametrize("other", ["endorsement key", "attestation key"])
def test_a_credential_for_another_key_does_not_open(send: Transport, other: str) -> None:
    with device.loaded(send, command.create_ek()) as ek, device.loaded(send, command.create_ak()) as ak:
        key, name = parse_key(ek.public).key, ak.name
    stranger = ec.generate_private_key(ec.SECP256R1())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    made = make_credential(
        b"s" * 32,
        ek=stranger.public_key() if other == "endorsement key" else key,
        ak_name=b"\0\x0b" + bytes(32) if other == "attestation key" else name,
        randomness=os.urandom,
    )
    with pytest.raises(Undetermined) as caught:
        device.activate(send, made.blob, made.secret, os.urandom(32))
    assert Reason.UNEXPECTED_ANSWER == caught.value.reason


def test_many_quotes_leave_no_key_in_the_tpm(send: Transport) -> None:
    assert 12 == len({quoted(send, bytes([number]) * 32, b"")[0].body for number in range(12)})


def test_a_tpm_that_asks_for_another_try_gets_it_and_not_for_ever() -> None:
    retry = bytes.fromhex("80010000000a00000922")
    answers = [retry, retry, bytes.fromhex("80010000000a00000000")]
    done = answers[-1]
    assert done == device.patient(lambda _: answers.pop(0), lambda _: None)(b"?")
    with pytest.raises(Undetermined) as caught:
        device.patient(lambda _: retry, lambda _: None)(b"?")
    assert Reason.TIMED_OUT == caught.value.reason


def test_a_tpm_that_refuses_is_quoted_with_its_code() -> None:
    with pytest.raises(Undetermined) as caught:
        command.quoted(bytes.fromhex("80010000000a00000101"))
    assert (Reason.UNEXPECTED_ANSWER, True) == (caught.value.reason, "0x101" in caught.value.subject)


def test_a_machine_without_a_tpm_says_so(tmp_path: Path) -> None:
    with pytest.raises(Undetermined) as caught:
        device.open_device(str(tmp_path / "none"))
    assert Reason.UNREACHABLE == caught.value.reason


@given(st.binary(max_size=200))
def test_arbitrary_answers_are_malformed_or_undetermined(raw: bytes) -> None:
    for read in (
        command.created,
        command.quoted,
        command.pcrs,
        command.session,
        command.activated,
        nv.size,
        nv.contents,
    ):
        with pytest.raises(EnarxError) as caught:
            read(raw)
        assert type(caught.value) in {Malformed, Undetermined}
