"""Which policy judges: the one that was named, or the one that lists the workload; and who signed the package."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from enarx.codec.digest import sha256
from enarx.errors import Misused, Reason, Unacceptable, Unauthentic
from enarx.identity.request import spki_of
from enarx.platform.simulated.snp import SimulatedSnp
from enarx.workload.package import Package, build
from enarx.workload.signature import sign
from tests.identity.parties import TRUST_DOMAIN, Keep, Pki, anchors, policy_text, serving

LISTED, TWICE, SIGNED = secrets.token_bytes(32), secrets.token_bytes(32), ec.generate_private_key(ec.SECP256R1())


def policy(name: str, **lines: str) -> str:
    text = policy_text().replace('name = "test"', f'name = "{name}"')
    for key, value in lines.items():
        text = text.replace(f'{key} = "unchecked"\n', f"{key} = {value}\n", 1)
    return text


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory, pki: Pki, chip: SimulatedSnp) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("policies")
    signer = sha256(spki_of(SIGNED.public_key())).hex()
    texts = {
        "first": policy("first", workload=f'["{LISTED.hex()}", "{TWICE.hex()}"]'),
        "second": policy("second", workload=f'["{TWICE.hex()}"]'),
        "signed": policy("signed", package_signers=f'["{signer}"]', minimum_package_security_version="3"),
    }
    arguments: list[str | Path] = []
    for name, text in texts.items():
        (folder / f"{name}.toml").write_text(text)
        arguments += ["--policy", folder / f"{name}.toml"]
    with serving(
        folder,
        *("--crt", pki.crt, "--key", pki.key, "--trust-domain", TRUST_DOMAIN, *arguments),
        *("--anchors", anchors(folder, chip), "--unsafe-anchors"),
    ) as steward:
        yield lambda **launch: Keep(chip, pki.pin, steward.url, **launch)


def package() -> Package:
    return build({"main.wasm": b"\0asm\1\0\0\0", "data": secrets.token_bytes(8)})


def test_the_policy_that_lists_the_workload_judges_it(make: Any) -> None:
    identity = make(package=LISTED).identity()
    assert LISTED == identity.spiffe_id.package


def test_a_workload_that_no_policy_lists_is_refused_unless_one_is_named(make: Any) -> None:
    with pytest.raises(Unacceptable) as refused:
        make().identity()
    assert Reason.WORKLOAD_MISMATCH is refused.value.reason
    assert "first, second, signed" in refused.value.hint


def test_a_workload_that_two_policies_list_has_to_name_one(make: Any) -> None:
    with pytest.raises(Misused) as refused:
        make(package=TWICE).identity()
    assert Reason.MISSING is refused.value.reason
    make(package=TWICE).identity("second")


def test_a_nonce_for_one_policy_is_no_nonce_for_another(make: Any) -> None:
    keep = make(package=TWICE)
    with keep.client() as steward:
        for asked, said in (("first", "second"), (None, "second")):
            nonce = steward.nonce(keep.launch.digest(), policy=asked)
            with pytest.raises(Misused) as refused:
                steward.attest(
                    request=keep.request,
                    evidence=keep.evidence(nonce),
                    endorsements=keep.chip.endorsements(),
                    nonce=nonce,
                    launch=keep.launch,
                    policy=said,
                )
            assert Reason.NONCE_UNKNOWN is refused.value.reason


@pytest.mark.parametrize(
    ("key", "version", "reason"),
    [
        (SIGNED, 3, None),
        (SIGNED, 2, Reason.SECURITY_VERSION_TOO_LOW),
        (ec.generate_private_key(ec.SECP256R1()), 3, Reason.SIGNER_NOT_ACCEPTED),
        (None, 0, Reason.SIGNER_NOT_ACCEPTED),
    ],
    ids=["the right one", "an old version", "a stranger", "nobody"],
)
def test_a_package_is_signed_by_whom_the_policy_lists(
    make: Any, key: ec.EllipticCurvePrivateKey | None, version: int, reason: Reason | None
) -> None:
    found = package()
    launch: dict[str, Any] = {"package": found.digest}
    if key is not None:
        launch |= {"signature": sign(found.entry, key, security_version=version), "signer": spki_of(key.public_key())}
    keep = make(**launch)
    if reason is None:
        assert found.digest == keep.identity("signed").spiffe_id.package
        return
    with pytest.raises(Unacceptable) as refused:
        keep.identity("signed")
    assert reason is refused.value.reason


def test_a_signature_over_another_package_is_refused_whatever_the_policy_asks(make: Any) -> None:
    signed = sign(package().entry, SIGNED, security_version=3)
    keep = make(package=LISTED, signature=signed, signer=spki_of(SIGNED.public_key()))
    with pytest.raises(Unauthentic) as refused:
        keep.identity("first")
    assert Reason.DIGEST_MISMATCH is refused.value.reason
