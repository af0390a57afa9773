# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from enarx.codec.x509 import Certificate
from enarx.endorser import amd
from enarx.endorser.ask import Endorser
from enarx.endorser.client import Client, Patience
from enarx.endorser.gather import gather
from enarx.endorser.request import Services
from enarx.endorser.store import Store
from enarx.errors import EnarxError, Reason
from enarx.evidence import azure_hcl, snp_table
from enarx.evidence.anchor import Anchors
from enarx.evidence.anchor import Vendor as Whose
from enarx.evidence.authenticate import authenticate
from enarx.evidence.endorsement import NOTHING, Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.production import production
from enarx.evidence.snp import parse
from enarx.evidence.snp_report import SigningKey
from enarx.evidence.snp_tcb import Product
from enarx.platform.simulated import pki
from enarx.platform.simulated.snp import SimulatedAmd, SimulatedSnp
from tests.endorser.conftest import Vendor, answer

WHEN = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
QUICK = Patience(connect=5, read=5, total=20, attempts=2, pause=0.01)


AMD = SimulatedAmd.made(WHEN)


@pytest.fixture(scope="module")
def chip() -> SimulatedSnp:
    return SimulatedSnp.made(WHEN, amd=AMD)


@pytest.fixture
def troubles() -> list[EnarxError]:
    return []


@pytest.fixture
def endorser(vendor: Vendor, tmp_path: Path, troubles: list[EnarxError]) -> Endorser:
    services = Services(amd=vendor.url)
    return Endorser(Client(QUICK), Store(tmp_path / "cache"), services=services, on_trouble=troubles.append)


def pem(*raws: bytes) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    return b"".join(x509.load_der_x509_certificate(raw).public_bytes(Encoding.PEM) for raw in raws)


def stocked(vendor: Vendor, chip: SimulatedSnp, *, crl_from: datetime = WHEN - DAY) -> str:
    """A KDS that has everything for the chip; returns the path of its VCEK."""
    leaf, ask, ark = chip.certificates
    report = parse(chip.report(bytes(64)))
    path = amd.vcek_url(report, Product.MILAN, "")
    vendor.tell("/vcek/v1/Milan/cert_chain", answer(200, pem(ask, ark), kind="application/x-pem-file"))
    vendor.tell(path.partition("?")[0], answer(200, leaf, kind="application/pkix-cert"))
    vendor.tell("/vcek/v1/Milan/crl", answer(200, AMD.crl(crl_from, crl_from + 30 * DAY)))
    return path


def gathered(chip: SimulatedSnp, endorser: Endorser, given: Endorsements = NOTHING) -> Endorsements:
    evidence = Evidence(Kind.SNP, chip.report(bytes(64)))
    return gather(evidence, given, endorser, anchors=chip.anchors(), when=WHEN)


def test_what_kds_has_is_enough_for_the_judge(vendor: Vendor, chip: SimulatedSnp, endorser: Endorser) -> None:
    path = stocked(vendor, chip)
    found = gathered(chip, endorser)
    claims = authenticate(Evidence(Kind.SNP, chip.report(bytes(64))), found, anchors=chip.anchors(), when=WHEN)
    assert Reason.REVOCATION_UNCHECKED not in {check.reason for check in claims.checks}
    assert f"GET {path} HTTP/1.1".encode() in [request.split(b"\r\n")[0] for request in vendor.seen]


def test_a_report_that_does_not_name_its_product_is_looked_for_under_both(
    vendor: Vendor, endorser: Endorser, troubles: list[EnarxError]
) -> None:
    genoa = SimulatedAmd.made(WHEN, Product.GENOA)
    chip = SimulatedSnp.made(WHEN, amd=genoa, version=2)
    anchors = Anchors("both", {Whose.AMD: (*AMD.anchors().of(Whose.AMD), *chip.anchors().of(Whose.AMD))})
    evidence = Evidence(Kind.SNP, chip.report(bytes(64)))
    url = amd.vcek_url(parse(evidence.body), Product.GENOA, "").partition("?")[0]
    for product, one in ((Product.MILAN, AMD), (Product.GENOA, genoa)):
        above = pem(pki.der(one.ask.certificate), one.root)
        vendor.tell(f"/vcek/v1/{product}/cert_chain", answer(200, above, kind="application/x-pem-file"))
    vendor.tell(url, answer(200, chip.certificates[0]))
    vendor.tell("/vcek/v1/Genoa/crl", answer(200, genoa.crl(WHEN - DAY, WHEN + DAY)))
    found = gather(evidence, NOTHING, endorser, anchors=anchors, when=WHEN)
    claims = authenticate(evidence, found, anchors=anchors, when=WHEN)
    assert Reason.REVOCATION_UNCHECKED not in {check.reason for check in claims.checks}
    assert [Reason.NOT_FOUND] == [error.reason for error in troubles]


def test_a_vlek_comes_from_the_host_and_only_its_chain_is_asked_for(vendor: Vendor, endorser: Endorser) -> None:
    chip = SimulatedSnp.made(WHEN, amd=AMD, signing_key=SigningKey.VLEK)
    given = Endorsements(certificates=chip.certificates[:1])
    above = answer(200, pem(*chip.certificates[1:]), kind="application/x-pem-file")
    vendor.tell("/vlek/v1/Milan/cert_chain", above)
    vendor.tell("/vlek/v1/Milan/crl", answer(200, AMD.crl(WHEN - DAY, WHEN + DAY)))
    evidence = Evidence(Kind.SNP, chip.report(bytes(64)))
    found = gather(evidence, given, endorser, anchors=chip.anchors(), when=WHEN)
    authenticate(evidence, found, anchors=chip.anchors(), when=WHEN)
    assert [b"/vlek/v1/Milan/cert_chain", b"/vlek/v1/Milan/crl"] == [seen.split(b" ")[1] for seen in vendor.seen]


def test_what_the_host_sent_along_is_not_asked_for_again(
    vendor: Vendor, chip: SimulatedSnp, endorser: Endorser
) -> None:
    stocked(vendor, chip)
    gathered(chip, endorser, Endorsements(certificates=(b"junk", *chip.certificates)))
    assert [b"/vcek/v1/Milan/crl"] == [seen.split(b" ")[1] for seen in vendor.seen]


def test_a_certificate_table_behind_the_report_is_looked_at_first(
    vendor: Vendor, chip: SimulatedSnp, endorser: Endorser
) -> None:
    stocked(vendor, chip)
    leaf, ask, _ = chip.certificates
    rows = b"".join(
        guid.bytes + at.to_bytes(4, "little") + len(raw).to_bytes(4, "little")
        for guid, at, raw in ((snp_table.VCEK, 72, leaf), (snp_table.ASK, 72 + len(leaf), ask))
    )
    evidence = Evidence(Kind.SNP, chip.report(bytes(64)) + rows + bytes(24) + leaf + ask)
    found = gather(evidence, NOTHING, endorser, anchors=chip.anchors(), when=WHEN)
    authenticate(evidence, found, anchors=chip.anchors(), when=WHEN)
    assert [b"/vcek/v1/Milan/crl"] == [seen.split(b" ")[1] for seen in vendor.seen]


def test_a_masked_chip_id_is_not_asked_about(vendor: Vendor, endorser: Endorser) -> None:
    chip = SimulatedSnp.made(WHEN, amd=AMD, chip_id=bytes(64))
    gather(Evidence(Kind.SNP, chip.report(bytes(64))), NOTHING, endorser, anchors=chip.anchors(), when=WHEN)
    assert not any(b"/vcek/v1/Milan/00" in seen for seen in vendor.seen)


def test_the_url_names_chip_and_tcb_by_component(chip: SimulatedSnp) -> None:
    report = msgspec.structs.replace(parse(chip.report(bytes(64))), reported_tcb=bytes.fromhex("03000000000816d1"))
    url = amd.vcek_url(report, Product.GENOA, "https://kds")
    assert url == f"https://kds/vcek/v1/Genoa/{report.chip_id.hex()}?blSPL=03&teeSPL=00&snpSPL=22&ucodeSPL=209"


def test_turin_has_eight_bytes_of_chip_id_and_a_fmc(chip: SimulatedSnp) -> None:
    report = msgspec.structs.replace(parse(chip.report(bytes(64))), reported_tcb=bytes.fromhex("0102030400000005"))
    url = amd.vcek_url(report, Product.TURIN, "https://kds")
    assert (
        url
        == f"https://kds/vcek/v1/Turin/{report.chip_id[:8].hex()}?fmcSPL=01&blSPL=02&teeSPL=03&snpSPL=04&ucodeSPL=05"
    )


def test_the_second_time_nothing_is_asked(vendor: Vendor, chip: SimulatedSnp, endorser: Endorser) -> None:
    stocked(vendor, chip)
    first = gathered(chip, endorser)
    asked = len(vendor.seen)
    assert (first, asked) == (gathered(chip, endorser), len(vendor.seen))


def test_a_vcek_of_another_chip_is_neither_used_nor_kept(
    vendor: Vendor, chip: SimulatedSnp, endorser: Endorser, troubles: list[EnarxError], tmp_path: Path
) -> None:
    path = stocked(vendor, chip)
    other = SimulatedSnp.made(WHEN, amd=AMD, chip_id=b"\x99" * 64)
    vendor.tell(path.partition("?")[0], answer(200, other.certificates[0]))
    found = gathered(chip, endorser)
    assert "SEV-VCEK" not in {Certificate(raw).common_name() for raw in found.certificates}
    assert [error.reason for error in troubles] == [Reason.ENDORSEMENT_MISMATCH]


def test_a_chain_of_another_root_is_a_lie(
    vendor: Vendor, chip: SimulatedSnp, endorser: Endorser, troubles: list[EnarxError]
) -> None:
    stocked(vendor, chip)
    forged = SimulatedSnp.made(WHEN)
    vendor.tell("/vcek/v1/Milan/cert_chain", answer(200, pem(*forged.certificates[1:]), kind="text/plain"))
    assert chip.certificates[1] not in gathered(chip, endorser).certificates
    assert Reason.UNKNOWN_ANCHOR in {error.reason for error in troubles}


def test_a_crl_that_the_root_did_not_sign_is_not_used(
    vendor: Vendor, chip: SimulatedSnp, endorser: Endorser, troubles: list[EnarxError]
) -> None:
    stocked(vendor, chip)
    vendor.tell("/vcek/v1/Milan/crl", answer(200, SimulatedAmd.made(WHEN).crl(WHEN - DAY, WHEN + DAY)))
    assert gathered(chip, endorser).crls == ()
    assert Reason.SIGNATURE_INVALID in {error.reason for error in troubles}


def test_the_newest_crl_counts_whoever_supplied_it(vendor: Vendor, chip: SimulatedSnp, endorser: Endorser) -> None:
    stocked(vendor, chip, crl_from=WHEN - 40 * DAY)
    newer = AMD.crl(WHEN - DAY, WHEN + DAY, revoked=(Certificate(chip.certificates[1]).serial,))
    first = gathered(chip, endorser, Endorsements(crls=(newer,)))
    assert newer in first.crls
    assert newer in gathered(chip, endorser).crls


def test_a_server_that_is_behind_takes_nothing_back(vendor: Vendor, chip: SimulatedSnp, endorser: Endorser) -> None:
    stocked(vendor, chip, crl_from=WHEN - 31 * DAY)
    newer = AMD.crl(WHEN - 2 * DAY, WHEN - DAY)
    gathered(chip, endorser, Endorsements(crls=(newer,)))
    assert (newer,) == gathered(chip, endorser).crls


def test_no_crl_is_no_end(vendor: Vendor, chip: SimulatedSnp, endorser: Endorser, troubles: list[EnarxError]) -> None:
    stocked(vendor, chip)
    vendor.tell("/vcek/v1/Milan/crl", answer(503))
    found = gathered(chip, endorser)
    claims = authenticate(Evidence(Kind.SNP, chip.report(bytes(64))), found, anchors=chip.anchors(), when=WHEN)
    assert Reason.REVOCATION_UNCHECKED in {check.reason for check in claims.checks}
    assert [error.reason for error in troubles] == [Reason.UNEXPECTED_ANSWER]


def test_a_cache_that_cannot_be_written_costs_only_the_cache(
    vendor: Vendor, chip: SimulatedSnp, tmp_path: Path, troubles: list[EnarxError]
) -> None:
    stocked(vendor, chip)
    (tmp_path / "file").write_bytes(b"")
    store = Store(tmp_path / "file" / "cache")
    endorser = Endorser(Client(QUICK), store, services=Services(amd=vendor.url), on_trouble=troubles.append)
    assert len(gathered(chip, endorser).certificates) == 3
    assert {Reason.FILE_UNWRITABLE} == {error.reason for error in troubles}


def test_evidence_that_cannot_be_read_asks_nothing(
    vendor: Vendor, endorser: Endorser, troubles: list[EnarxError]
) -> None:
    anchors = Anchors("none", {Whose.AMD: ()})
    assert gather(Evidence(Kind.SNP, b"\0" * 1184), NOTHING, endorser, anchors=anchors, when=WHEN) == NOTHING
    assert (vendor.seen, len(troubles)) == ([], 1)


def test_a_kind_without_a_server_brings_nothing(endorser: Endorser) -> None:
    anchors = Anchors("none", {})
    assert gather(Evidence(Kind.CCA, b""), NOTHING, endorser, anchors=anchors, when=WHEN) == NOTHING


def test_azures_report_is_asked_about_as_the_snp_report_inside_it(
    vendor: Vendor, endorser: Endorser, evidence_dir: Path
) -> None:
    folder = min((evidence_dir / "azure-snp-vtpm").iterdir())
    body = (folder / json.loads((folder / "vector.json").read_bytes())["evidence"]).read_bytes()
    gather(Evidence(Kind.AZURE_SNP_VTPM, body), NOTHING, endorser, anchors=production(), when=WHEN)
    chip = azure_hcl.parse(body).hardware[0x1A0:0x1E0].hex()
    asked = [request.split(b" ")[1].decode().partition("?")[0] for request in vendor.seen]
    assert f"/vcek/v1/Milan/{chip}" in asked or f"/vcek/v1/Genoa/{chip}" in asked
