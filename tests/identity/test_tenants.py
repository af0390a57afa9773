"""Tenants on one database: each with its own CA, trust domain, policies and list of revoked certificates."""

from __future__ import annotations

import secrets
import ssl
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

from enarx.errors import Misused, Reason
from enarx.platform.simulated.snp import SimulatedSnp
from tests.identity.parties import Keep, Pki, anchors, policy_text, serving
from tests.postgres import Postgres


def test_tenants_share_a_database_and_a_log_and_nothing_else(
    tmp_path: Path, postgres: Postgres, chip: SimulatedSnp
) -> None:
    url = postgres.create(f"d{secrets.token_hex(4)}")
    (tmp_path / "policy.toml").write_text(policy_text())
    common = ["--database", url, "--log-key", tmp_path / "log.key", "--log-origin", "stewards.test/log"]
    common += ["--policy", tmp_path / "policy.toml", "--anchors", anchors(tmp_path, chip), "--unsafe-anchors"]
    one, two = (Pki(tmp_path, name=name, domain=f"{name}.test") for name in ("one", "two"))

    def own(pki: Pki, name: str) -> list[str | Path]:
        return ["--crt", pki.crt, "--key", pki.key, "--trust-domain", f"{name}.test", "--tenant", name]

    with serving(tmp_path, *own(one, "one"), *common) as first, serving(tmp_path, *own(two, "two"), *common) as second:
        mine, theirs = Keep(chip, one.pin, first.url), Keep(chip, two.pin, second.url)
        identities = mine.identity(), theirs.identity()
        assert ["one.test", "two.test"] == [found.spiffe_id.trust_domain for found in identities]
        with mine.client() as at_first, Keep(chip, two.pin, second.url).client() as at_second:
            nonce = at_first.nonce(mine.launch.digest())
            with pytest.raises(Misused) as refused:
                at_second.attest(
                    request=mine.request,
                    evidence=mine.evidence(nonce),
                    endorsements=chip.endorsements(),
                    nonce=nonce,
                    launch=mine.launch,
                )
        assert Reason.NONCE_UNKNOWN is refused.value.reason
        leaf, ca = (x509.load_der_x509_certificate(found.raw) for found in identities[0].chain[:2])
        asked = ocsp.OCSPRequestBuilder().add_certificate(leaf, ca, hashes.SHA256()).build()
        raw = asked.public_bytes(serialization.Encoding.DER)
        found = []
        for pki, steward in ((one, first), (two, second)):
            context = ssl.create_default_context(cadata=pki.root.certificates_pem().decode())
            answer = httpx.post(
                f"{steward.url}/v1/ocsp",
                content=raw,
                headers={"content-type": "application/ocsp-request"},
                verify=context,
            )
            found.append(ocsp.load_der_ocsp_response(answer.content).certificate_status)
        assert [ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.UNKNOWN] == found


def test_a_keep_renews_by_attesting_again_with_the_key_that_it_has(keep: Keep) -> None:
    first, second = keep.identity(), keep.identity()
    assert first.chain[0].spki == second.chain[0].spki
    assert first.spiffe_id == second.spiffe_id
    assert first.chain[0].serial != second.chain[0].serial
    assert first.ear != second.ear


def test_several_instances_know_each_others_nonces(
    tmp_path: Path, postgres: Postgres, chip: SimulatedSnp, pki: Pki, policy_file: Path
) -> None:
    url = postgres.create(f"d{secrets.token_hex(4)}")
    arguments = [
        *("--database", url, "--log-key", tmp_path / "log.key", "--crt", pki.crt, "--key", pki.key),
        *("--policy", policy_file, "--anchors", anchors(tmp_path, chip), "--unsafe-anchors"),
        *("--trust-domain", "tenant.test", "--workers", "2"),
    ]
    with serving(tmp_path, *arguments) as first, serving(tmp_path, *arguments) as second:
        one = Keep(chip, pki.pin, first.url)
        with one.client() as here, Keep(chip, pki.pin, second.url).client() as there:
            for ask, attest in ((here, there), (there, here), (here, here)):
                nonce = ask.nonce(one.launch.digest())
                said = {
                    "request": one.request,
                    "evidence": one.evidence(nonce),
                    "endorsements": chip.endorsements(),
                    "nonce": nonce,
                    "launch": one.launch,
                }
                attest.attest(**said)
                for again in (here, there):
                    with pytest.raises(Misused):
                        again.attest(**said)
