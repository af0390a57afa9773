"""An attestation key that the Steward believes because its TPM opened a credential; swtpm is the TPM."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from enarx.appraisal import tpm
from enarx.errors import EnarxError, Reason, Unauthentic, Undetermined
from enarx.evidence.binding import Binding, Purpose, spki_digest
from enarx.evidence.endorsement import NOTHING
from enarx.evidence.tpm_key import parse as parse_key
from enarx.identity import result
from enarx.identity.client import StewardClient
from enarx.identity.issued import Identity
from enarx.identity.message import Activation
from enarx.identity.request import make, spki_of
from enarx.identity.told import activated_key
from enarx.keep.activation import activated
from enarx.keep.device import TpmDevice
from enarx.platform.tpm import maker
from enarx.platform.tpm.device import Transport
from enarx.platform.tpm.evidence import quoted
from enarx.platform.tpm.maker import Maker
from enarx.workload.launch import Launch
from tests.identity.parties import POLICY, TRUST_DOMAIN, Pki, Serving, serving
from tests.parts import program
from tests.platform.tpm.software import running

NOW = datetime.now(UTC)


class SoftwareDevice(TpmDevice):
    """The Keep's device, over a software TPM's socket in place of /dev/tpmrm0."""

    def __init__(self, send: Transport) -> None:
        self._send = send
        self._extended = True


@pytest.fixture(scope="module")
def factory() -> Maker:
    program("swtpm", "swtpm")
    return maker.made("tests", when=NOW)


@pytest.fixture(scope="module")
def device(factory: Maker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftwareDevice]:
    with running(tmp_path_factory.mktemp("tpm")) as send:
        maker.manufacture(send, factory, when=NOW)
        yield SoftwareDevice(send)


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftwareDevice]:
    """A TPM of another maker."""
    with running(tmp_path_factory.mktemp("stranger")) as send:
        maker.manufacture(send, maker.made("elsewhere", when=NOW), when=NOW)
        yield SoftwareDevice(send)


@pytest.fixture(scope="module")
def steward(factory: Maker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Serving, Pki]]:
    folder = tmp_path_factory.mktemp("steward")
    pki = Pki(folder, words="none, simulated")
    (folder / "anchors").mkdir()
    (folder / "anchors" / "tpm.pem").write_bytes(factory.root.public_bytes(serialization.Encoding.PEM))
    section = msgspec.to_builtins(tpm.unchecked()) | {"authorities": ["activated"], "pcrs_blacklist": {}}
    lines = [f"{key} = {'{}' if value == {} else json.dumps(value)}" for key, value in section.items()]
    policy = folder / "policy.toml"
    text = POLICY.replace("[snp]", "[tpm]").replace('launch_field = "required"', 'launch_field = "late"')
    policy.write_text(text + "\n".join(lines))
    with serving(
        folder,
        *("--crt", pki.crt, "--key", pki.key, "--policy", policy, "--trust-domain", TRUST_DOMAIN),
        *("--anchors", folder / "anchors", "--unsafe-anchors"),
    ) as one:
        yield one, pki


class Applicant:
    """A Keep up to its request for an identity."""

    def __init__(self, device: TpmDevice, steward: tuple[Serving, Pki]) -> None:
        serving_, pki = steward
        self.device = device
        self.key = ec.generate_private_key(ec.SECP256R1())
        tenant = spki_of(self.key.public_key())
        self.launch = Launch(
            package=secrets.token_bytes(32),
            tenant=tenant,
            deployment=secrets.token_bytes(16),
            steward=serving_.url,
            steward_ca=pki.pin,
        )
        self.client = StewardClient(serving_.url, ca_pins=[pki.pin])
        self.nonce = self.client.nonce(self.launch.digest())

    def evidence(self) -> Any:
        spki = spki_digest(spki_of(self.key.public_key()))
        binding = Binding(purpose=Purpose.ISSUE, spki=spki, nonce=self.nonce, launch=self.launch.digest())
        return quoted(self.device._send, binding.sha256(), b"")[0]

    def identity(self, activation: Activation | None) -> Identity:
        return self.client.attest(
            request=make(self.key),
            evidence=(self.evidence(),),
            endorsements=NOTHING,
            nonce=self.nonce,
            launch=self.launch,
            activation=activation,
        )


def test_an_activated_key_gets_an_identity_that_says_none(device: SoftwareDevice, steward: Any) -> None:
    keep = Applicant(device, steward)
    issued = keep.identity(activated(device, keep.client, keep.nonce))
    leaf = issued.chain[0]
    assert "OU=none" in leaf.name
    assert "boot measured (host-trusted)" in leaf.name
    key = activated_key(leaf, (keep.evidence(),))
    endorsement = device.endorsement()
    assert endorsement is not None
    assert parse_key(endorsement.ak_public).spki() == key


def refused(attempt: Any) -> EnarxError:
    with pytest.raises(EnarxError) as caught:
        attempt()
    return caught.value


def test_a_certificate_beside_the_key_proves_nothing(device: SoftwareDevice, steward: Any) -> None:
    error = refused(lambda: Applicant(device, steward).identity(None))
    assert (Undetermined, Reason.KEY_MISSING) == (type(error), error.reason)


def test_a_secret_is_good_for_its_request_alone(device: SoftwareDevice, steward: Any) -> None:
    first, second = Applicant(device, steward), Applicant(device, steward)
    answer = activated(device, first.client, first.nonce)
    error = refused(lambda: second.identity(answer))
    assert (Unauthentic, Reason.KEY_NOT_BOUND) == (type(error), error.reason)
    error = refused(lambda: first.identity(answer))
    assert Reason.KEY_NOT_BOUND == error.reason, "and it was spent"


def test_a_guessed_secret_is_refused(device: SoftwareDevice, steward: Any) -> None:
    guess = Activation(handle=b"", secret=secrets.token_bytes(32))
    assert Reason.KEY_NOT_BOUND == refused(lambda: Applicant(device, steward).identity(guess)).reason


def test_a_nonce_is_no_secret(device: SoftwareDevice, steward: Any) -> None:
    other, keep = Applicant(device, steward), Applicant(device, steward)
    guess = Activation(handle=b"", secret=other.nonce)
    assert Reason.KEY_NOT_BOUND == refused(lambda: keep.identity(guess)).reason


def test_the_key_of_another_tpm_is_not_vouched_for(
    device: SoftwareDevice, stranger: SoftwareDevice, steward: Any
) -> None:
    keep = Applicant(stranger, steward)
    answer = activated(device, keep.client, keep.nonce)
    assert Reason.KEY_NOT_BOUND == refused(lambda: keep.identity(answer)).reason


def test_a_tpm_of_an_unknown_maker_gets_no_credential(stranger: SoftwareDevice, steward: Any) -> None:
    keep = Applicant(stranger, steward)
    error = refused(lambda: activated(stranger, keep.client, keep.nonce))
    assert (Unauthentic, Reason.UNKNOWN_ANCHOR) == (type(error), error.reason)


def test_a_policy_that_does_not_say_activated_refuses(device: SoftwareDevice) -> None:
    checks = tpm.key_checks(
        "activated", b"", msgspec.structs.replace(tpm.unchecked(), authorities=frozenset({"tpm"})), ""
    )
    assert [Reason.SIGNER_NOT_ACCEPTED] == [one.reason for one in checks if one.says_no()]


class Leaf:
    """A certificate with this attestation result in it."""

    def __init__(self, value: bytes) -> None:
        self.value = value

    def extension(self, _oid: str) -> Any:
        return self


@given(st.binary(max_size=80) | st.builds(lambda token: result.certificate_value(token), st.text(max_size=60)))
def test_a_certificate_that_says_something_else_names_no_key(value: bytes) -> None:
    assert activated_key(Leaf(value), ()) is None  # type: ignore[arg-type]
