"""Policies change while the Steward runs: by whom, after whom, and with what overlap."""

from __future__ import annotations

import hashlib
import ssl
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509

from enarx.errors import Misused, Reason, Unacceptable
from enarx.platform.simulated.snp import SimulatedSnp
from tests.identity.parties import TRUST_DOMAIN, Keep, Pki, anchors, policy_text, serving

ANNA, BEN = "token-of-anna", "token-of-ben"
OLD, NEW = "11" * 48, "22" * 48


def administrators(path: Path) -> Path:
    path.write_text(
        "".join(
            f'[[administrator]]\nname = "{name}"\ntoken_sha256 = "{hashlib.sha256(token.encode()).hexdigest()}"\n'
            for name, token in (("anna", ANNA), ("ben", BEN))
        )
    )
    return path


def text(measurement: str, name: str = "test") -> str:
    return policy_text(hash=f'["{measurement}"]').replace('name = "test"', f'name = "{name}"')


class Office:
    def __init__(self, web: httpx.Client, chip: SimulatedSnp, pki: Pki, url: str, log: Path) -> None:
        self.web = web
        self.chip = chip
        self.pki = pki
        self.url = url
        self.log = log

    def post(self, path: str, token: str = ANNA, **body: Any) -> httpx.Response:
        return self.web.post(f"/v1/admin/{path}", json=body, headers={"authorization": f"Bearer {token}"})

    def get(self, path: str, token: str = ANNA) -> httpx.Response:
        return self.web.get(f"/v1/admin/{path}", headers={"authorization": f"Bearer {token}"})

    def identity(self, measurement: str, policy: str = "test") -> Any:
        chip = self.chip.launched(measurement=bytes.fromhex(measurement))
        return Keep(chip, self.pki.pin, self.url).identity(policy)


def opened(folder: Path, pki: Pki, chip: SimulatedSnp, persons: int) -> Iterator[Office]:
    (folder / "policy.toml").write_text(text(OLD))
    with serving(
        folder,
        *("--crt", pki.crt, "--key", pki.key, "--policy", folder / "policy.toml", "--trust-domain", TRUST_DOMAIN),
        *("--anchors", anchors(folder, chip), "--unsafe-anchors", "--persons", str(persons)),
        *("--administrators", administrators(folder / "administrators.toml")),
    ) as steward:
        context = ssl.create_default_context(cadata=pki.root.certificates_pem().decode())
        with httpx.Client(base_url=steward.url, verify=context) as web:
            yield Office(web, chip, pki, steward.url, steward.log)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory, pki: Pki, chip: SimulatedSnp) -> Iterator[Office]:
    yield from opened(tmp_path_factory.mktemp("office"), pki, chip, 1)


@pytest.fixture(params=[1, 2])
def persons(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def fresh(tmp_path: Path, pki: Pki, chip: SimulatedSnp, persons: int) -> Iterator[Office]:
    yield from opened(tmp_path, pki, chip, persons)


def in_force(office: Office, persons: int, **proposal: Any) -> int:
    answer = office.post("policies", **proposal)
    assert 201 == answer.status_code, answer.text
    key = answer.json()["id"]
    if persons == 2:
        assert answer.json()["since"] is None
        own = office.post(f"policies/{key}/approve")
        assert (403, "forbidden") == (own.status_code, own.json()["reason"])
        assert 200 == office.post(f"policies/{key}/approve", token=BEN).status_code
    return int(key)


def eventually(ask: Callable[[], Any], holds: Callable[[Any], bool]) -> Any:
    """What is written beside the answers, once it has been written."""
    deadline = time.monotonic() + 60
    while not holds(found := ask()):
        assert time.monotonic() < deadline, f"still {found}"
        time.sleep(0.1)
    return found


def test_a_policy_is_tried_proposed_approved_and_used_with_an_overlap(fresh: Office, persons: int) -> None:
    fresh.identity(OLD)
    with pytest.raises(Unacceptable):
        fresh.identity(NEW)
    tried = eventually(lambda: fresh.post("policies/try", text=text(NEW)).json(), lambda found: len(found) == 2)
    assert [(False, True), (True, False)] == [(one["was_accepted"], one["accepted"]) for one in tried]
    assert "measurement-not-accepted" == tried[1]["reason"]
    with pytest.raises(Unacceptable):
        fresh.identity(NEW)
    in_force(fresh, persons, text=text(NEW), overlap=0.0)
    in_force(fresh, persons, text=text(OLD), overlap=60.0)
    fresh.identity(NEW)
    fresh.identity(OLD)
    in_force(fresh, persons, text=text(NEW), overlap=0.0)
    fresh.identity(NEW)
    with pytest.raises(Unacceptable) as refused:
        fresh.identity(OLD)
    assert Reason.MEASUREMENT_NOT_ACCEPTED is refused.value.reason
    history = fresh.get("policies").json()
    assert ["anna"] * 3 == [one["proposed_by"] for one in history]
    assert ["anna" if persons == 1 else "ben"] * 3 == [one["approved_by"] for one in history]
    assert {"test"} == {one["name"] for one in history}
    assert 200 == fresh.post("policies/retire", name="test").status_code
    with pytest.raises(Misused):
        fresh.identity(NEW)
    assert "administration" in {line.get("event") for line in _lines(fresh)}


def _lines(office: Office) -> list[dict[str, Any]]:
    import json

    return [json.loads(line) for line in office.log.read_text().splitlines() if line.startswith("{")]


def test_policies_are_chosen_by_name(office: Office) -> None:
    in_force(office, 1, text=text(NEW, name="other"), lifetime=1.0, dns=["a.test"])
    identity = office.identity(NEW, "other")
    leaf = x509.load_der_x509_certificate(identity.chain[0].raw)
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc <= timedelta(hours=1, minutes=2)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert ["a.test"] == names.get_values_for_type(x509.DNSName)
    with pytest.raises(Unacceptable):
        office.identity(OLD, "other")
    office.identity(OLD, "test")


def test_strangers_change_nothing(office: Office) -> None:
    for headers in ({}, {"authorization": "Bearer what"}, {"authorization": ANNA}, {"authorization": f"Basic {ANNA}"}):
        for path in ("policies", "refusals"):
            answer = office.web.get(f"/v1/admin/{path}", headers=headers)
            assert (401, "unauthenticated") == (answer.status_code, answer.json()["reason"])
        for path, body in (("policies", {"text": text(NEW)}), ("revoke", {"measurement": OLD})):
            assert 401 == office.web.post(f"/v1/admin/{path}", json=body, headers=headers).status_code


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("policies", {"text": "name = 1"}, 400),
        ("policies", {"text": "["}, 400),
        ("policies", {}, 400),
        ("policies", {"text": "", "more": 1}, 400),
        ("policies/99/approve", {}, 404),
        ("policies/retire", {"name": "nothing"}, 404),
        ("revoke", {}, 400),
        ("revoke", {"measurement": "zz"}, 400),
        ("revoke", {"policy": "test", "reason": "whim"}, 400),
        ("policies/try", {"text": "x", "last": 100000}, 400),
    ],
)
def test_wrong_changes_are_refused(office: Office, path: str, body: dict[str, Any], status: int) -> None:
    assert status == office.post(path, **body).status_code


def test_a_policy_that_this_ca_may_not_issue_under_is_not_taken(office: Office) -> None:
    answer = office.post("policies", text=text(NEW) + '\n[none]\ninsecure = "accepted"\n')
    assert (400, "no-tee") == (answer.status_code, answer.json()["reason"])


def test_refusals_are_kept_with_their_reason(office: Office) -> None:
    def kept() -> int:
        told = [(one["reason"], one["policy"], one["technology"]) for one in office.get("refusals").json()]
        return told.count(("measurement-not-accepted", "test", "snp simulated"))

    before = kept()
    with pytest.raises(Unacceptable):
        office.identity(NEW)
    eventually(kept, lambda now: now > before)


def test_revoked_certificates_are_on_the_crl_and_ocsp_says_so(office: Office) -> None:
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.x509 import ocsp

    first, second = office.identity(OLD), office.identity(OLD)
    leaf, ca = (x509.load_der_x509_certificate(one.raw) for one in first.chain[:2])
    serial = leaf.serial_number
    answer = office.post("revoke", serial=serial.to_bytes(16, "big").hex(), reason="key-compromise")
    assert {"count": 1} == answer.json()
    crl = x509.load_der_x509_crl(office.web.get("/v1/crl").content)
    assert serial in [one.serial_number for one in crl]
    assert crl.is_signature_valid(ca.public_key())
    asked = ocsp.OCSPRequestBuilder().add_certificate(leaf, ca, hashes.SHA256()).build()
    raw = asked.public_bytes(serialization.Encoding.DER)
    said = ocsp.load_der_ocsp_response(
        office.web.post("/v1/ocsp", content=raw, headers={"content-type": "application/ocsp-request"}).content
    )
    assert (ocsp.OCSPCertStatus.REVOKED, x509.ReasonFlags.key_compromise) == (
        said.certificate_status,
        said.revocation_reason,
    )
    assert office.post("revoke", measurement=OLD, reason="superseded").json()["count"] >= 1
    crl = x509.load_der_x509_crl(office.web.get("/v1/crl").content)
    assert len(crl) >= 2
    assert crl.get_revoked_certificate_by_serial_number(
        x509.load_der_x509_certificate(second.chain[0].raw).serial_number
    )
