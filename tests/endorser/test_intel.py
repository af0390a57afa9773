# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest

from enarx.endorser import intel
from enarx.endorser.ask import Endorser
from enarx.endorser.client import Client, Patience
from enarx.endorser.gather import gather
from enarx.endorser.request import Answer, Services
from enarx.endorser.store import Store
from enarx.errors import EnarxError, Malformed, Reason, Undetermined
from enarx.evidence import intel_chain, sgx
from enarx.evidence.anchor import Vendor as Whose
from enarx.evidence.authenticate import authenticate
from enarx.evidence.check import Trail
from enarx.evidence.endorsement import NOTHING, Endorsements, IntelCollateral
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.memory import Memory
from enarx.evidence.production import production
from enarx.platform.simulated import intel_documents
from enarx.platform.simulated.intel_pki import SimulatedIntel
from enarx.platform.simulated.sgx import SimulatedSgx
from enarx.platform.simulated.tdx import SimulatedTdx
from tests.endorser.conftest import Vendor, answer

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
QUICK = Patience(connect=1, read=0.5, total=2, attempts=2, pause=0.01)
DOMAIN = SimulatedTdx.made(WHEN)
GIVEN = DOMAIN.endorsements().intel
assert GIVEN is not None
FMSPC = DOMAIN.machine.platform.fmspc.hex().upper()
TCB = f"/tdx/certification/v4/tcb?fmspc={FMSPC}&update=standard"
IDENTITY = "/tdx/certification/v4/qe/identity?update=standard"
PCK_CRL = "/sgx/certification/v4/pckcrl?ca=platform&encoding=der"
ROOT_CRL = "/sgx/certification/v4/rootcacrl"


@pytest.fixture
def troubles() -> list[EnarxError]:
    return []


@pytest.fixture
def endorser(vendor: Vendor, tmp_path: Path, troubles: list[EnarxError]) -> Endorser:
    services = Services(intel=vendor.url)
    return Endorser(Client(QUICK), Store(tmp_path / "cache"), services=services, on_trouble=troubles.append)


def stocked(vendor: Vendor, has: IntelCollateral = GIVEN) -> None:
    """A PCCS with what a simulated Intel says."""
    json_ = "application/json"
    vendor.tell(TCB, answer(200, has.tcb_info, kind=json_, TCB_Info_Issuer_Chain=quote(has.tcb_chain)))
    vendor.tell(
        IDENTITY, answer(200, has.qe_identity, kind=json_, SGX_Enclave_Identity_Issuer_Chain=quote(has.qe_chain))
    )
    vendor.tell(PCK_CRL, answer(200, has.pck_crl, SGX_PCK_CRL_Issuer_Chain=quote(has.pck_crl_chain)))
    vendor.tell(ROOT_CRL, answer(200, has.root_crl.hex().encode()))


def got(endorser: Endorser, given: Endorsements = NOTHING, *, when: datetime = WHEN) -> Endorsements:
    evidence = Evidence(Kind.TDX, DOMAIN.quote(b""))
    return gather(evidence, given, endorser, anchors=DOMAIN.anchors(), when=when)


def test_a_pccs_supplies_all_that_a_quote_needs(vendor: Vendor, endorser: Endorser, troubles: list[EnarxError]) -> None:
    stocked(vendor)
    found = got(endorser)
    assert [] == troubles
    assert GIVEN == found.intel
    claims = authenticate(Evidence(Kind.TDX, DOMAIN.quote(b"")), found, anchors=DOMAIN.anchors(), when=WHEN)
    assert "UpToDate" == claims.facts()["tcb_status"]
    assert 4 == len(vendor.seen)


def test_what_is_kept_is_not_asked_for_again_until_its_time_is_over(vendor: Vendor, endorser: Endorser) -> None:
    stocked(vendor)
    assert got(endorser) == got(endorser)
    assert 4 == len(vendor.seen)
    got(endorser, when=WHEN + 31 * DAY)
    assert 7 == len(vendor.seen)  # the root's CRL holds for a year


def test_the_highest_evaluation_number_counts_whoever_supplied_it(vendor: Vendor, endorser: Endorser) -> None:
    stocked(vendor)
    value = json.loads(GIVEN.tcb_info)["tcbInfo"]
    higher = intel_documents.document(
        "tcbInfo", {**value, "tcbEvaluationDataNumber": 20}, DOMAIN.machine.intel.signer.key
    )
    given = Endorsements(intel=msgspec.structs.replace(GIVEN, tcb_info=higher))
    found = got(endorser, given).intel
    assert found is not None
    assert higher == found.tcb_info
    again = got(endorser).intel
    assert again is not None
    assert higher == again.tcb_info


def test_a_server_that_lies_leaves_nothing_behind(
    vendor: Vendor, endorser: Endorser, troubles: list[EnarxError], tmp_path: Path
) -> None:
    other = SimulatedTdx.made(WHEN).endorsements().intel
    assert other is not None
    stocked(vendor, other)
    assert NOTHING == got(endorser)
    assert {Reason.UNKNOWN_ANCHOR, Reason.SIGNATURE_INVALID, Reason.CHAIN_BROKEN} >= {one.reason for one in troubles}
    assert not list((tmp_path / "cache").glob("*"))


def test_genuine_documents_about_another_platform_are_not_kept(
    vendor: Vendor, endorser: Endorser, troubles: list[EnarxError]
) -> None:
    value = json.loads(GIVEN.tcb_info)["tcbInfo"]
    other = intel_documents.document(
        "tcbInfo", {**value, "fmspc": "00806F050000", "tcbEvaluationDataNumber": 99}, DOMAIN.machine.intel.signer.key
    )
    stocked(vendor, msgspec.structs.replace(GIVEN, tcb_info=other))
    found = got(endorser).intel
    assert found is not None
    assert b"" == found.tcb_info
    assert [Reason.COLLATERAL_MISMATCH] == [one.reason for one in troubles]
    with pytest.raises(Undetermined):
        authenticate(Evidence(Kind.TDX, DOMAIN.quote(b"")), got(endorser), anchors=DOMAIN.anchors(), when=WHEN)


def test_an_answer_without_its_chain_is_no_answer(
    vendor: Vendor, endorser: Endorser, troubles: list[EnarxError]
) -> None:
    stocked(vendor)
    vendor.tell(TCB, answer(200, GIVEN.tcb_info, kind="application/json"))
    found = got(endorser).intel
    assert found is not None
    assert (b"", GIVEN.qe_identity) == (found.tcb_info, found.qe_identity)
    assert [Reason.UNEXPECTED_ANSWER] == [one.reason for one in troubles]


def test_a_server_that_is_not_there_leaves_what_was_given(
    vendor: Vendor, endorser: Endorser, troubles: list[EnarxError]
) -> None:
    given = Endorsements(intel=GIVEN)
    assert given == got(endorser, given)
    assert 4 == len(troubles)


def test_a_quote_under_another_root_is_asked_about_nowhere(
    vendor: Vendor, endorser: Endorser, troubles: list[EnarxError]
) -> None:
    evidence = Evidence(Kind.TDX, DOMAIN.quote(b""))
    assert NOTHING == gather(evidence, NOTHING, endorser, anchors=production(), when=WHEN)
    assert ([], [Reason.UNKNOWN_ANCHOR]) == (vendor.seen, [one.reason for one in troubles])


def test_intels_own_service_is_asked_as_its_documentation_says() -> None:
    enclave = SimulatedSgx.made(WHEN)
    report = sgx.parse(enclave.quote(b""))
    roots = enclave.anchors().of(Whose.INTEL)
    chain = intel_chain.authenticate_pck(report.quote.certification, roots, when=WHEN, trail=Trail(), memory=Memory())
    urls = [document.wanted.request.url for document in intel.wants(0, chain, roots, Services())]
    base = "https://api.trustedservices.intel.com/sgx/certification/v4"
    assert [
        f"{base}/tcb?fmspc={FMSPC}&update=standard",
        f"{base}/qe/identity?update=standard",
        f"{base}/pckcrl?ca=platform&encoding=der",
        "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der",
    ] == urls


def test_an_evaluation_can_be_asked_for_early_or_by_its_number() -> None:
    roots = DOMAIN.anchors().of(Whose.INTEL)
    text = DOMAIN.machine.intel.chain(DOMAIN.machine.pck, DOMAIN.machine.intel.ca.certificate)
    chain = intel_chain.authenticate_pck(text, roots, when=WHEN, trail=Trail(), memory=Memory())
    for more, query in (({"update": "early"}, "update=early"), ({"number": 17}, "tcbEvaluationDataNumber=17")):
        info, identity, *_ = intel.wants(0x81, chain, roots, Services(), **more)
        base = "https://api.trustedservices.intel.com/tdx/certification/v4"
        assert f"{base}/tcb?fmspc={FMSPC}&{query}" == info.wanted.request.url
        assert f"{base}/qe/identity?{query}" == identity.wanted.request.url


def test_the_processor_ca_has_a_crl_of_its_own() -> None:
    vendor = SimulatedIntel.made(WHEN, ca="Processor")
    from enarx.platform.simulated.intel_quote import Machine

    enclave = SimulatedSgx.made(WHEN, machine=Machine.made(WHEN, 0, intel=vendor))
    report = sgx.parse(enclave.quote(b""))
    roots = enclave.anchors().of(Whose.INTEL)
    chain = intel_chain.authenticate_pck(report.quote.certification, roots, when=WHEN, trail=Trail(), memory=Memory())
    (crl,) = [d for d in intel.wants(0, chain, roots, Services()) if "pck_crl" in d.fields]
    assert crl.wanted.request.url.endswith("pckcrl?ca=processor&encoding=der")


def test_headers_are_read_in_both_spellings() -> None:
    for name in ("tcb-info-issuer-chain", "sgx-tcb-info-issuer-chain"):
        assert GIVEN.tcb_chain == intel.chain_of(Answer(b"", {name: quote(GIVEN.tcb_chain)}), "tcb info")
    with pytest.raises(Undetermined):
        intel.chain_of(Answer(b"", {}), "tcb info")


def test_a_crl_is_read_from_hexadecimal_and_left_as_it_is_otherwise() -> None:
    crl = GIVEN.root_crl
    assert [crl, crl, crl] == [intel.unhexed(body) for body in (crl, crl.hex().encode(), crl.hex().upper().encode())]
    assert b"abc" == intel.unhexed(b"abc")


def test_kept_collateral_is_two_byte_strings() -> None:
    assert (b"a", b"b") == intel.unpacked(intel.packed(b"a", b"b"))
    for raw in (b"", b"\x80", b"\x81\x41a", b"\x82\x41a\x01"):
        with pytest.raises(Malformed):
            intel.unpacked(raw)


def test_a_quote_that_names_its_certificate_only_is_trouble(
    endorser: Endorser, troubles: list[EnarxError], evidence_dir: Path
) -> None:
    raw = (evidence_dir / "sgx" / "intel-qvl-sample-sgx-ct1-NEG" / "quote.bin").read_bytes()
    assert NOTHING == gather(Evidence(Kind.SGX, raw), NOTHING, endorser, anchors=production(), when=WHEN)
    assert [Reason.KEY_MISSING] == [one.reason for one in troubles]
