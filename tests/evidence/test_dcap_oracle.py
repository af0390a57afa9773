"""A second opinion: dcap-qvl's answer on the same quote, collateral and time.

Where it gives a status, ours is the same, with the same advisories. Where it refuses, its error is
in `ERRORS`, which says what ours must be then; any other difference fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from enarx.cli.vectors.descriptor import Case, Vector
from enarx.errors import EnarxError, Reason
from enarx.evidence.check import Verdict
from enarx.evidence.intel_claims import IntelClaims
from enarx.evidence.intel_tcb_status import TcbStatus
from enarx.evidence.tdx import TdxClaims
from enarx.platform.simulated import intel_documents
from enarx.platform.simulated.sgx import SimulatedSgx
from enarx.platform.simulated.tdx import SimulatedTdx
from tests.conftest import ROOT
from tests.evidence.intel_world import FORMATS, Capture, files_of, of_case, oracle

Ours = IntelClaims | EnarxError


def _debug(ours: Ours) -> bool:
    """Its own policy: debug is refused. Here it is authentic, and the claims say so."""
    return isinstance(ours, IntelClaims) and ours.debug()


def _sept_ve(ours: Ours) -> bool:
    """Its own policy: SEPT_VE_DISABLE is required. Here it is authentic, with a finding."""
    return isinstance(ours, TdxClaims) and _found(ours, "SEPT_VE_DISABLE")


def _service(ours: Ours) -> bool:
    """Its own policy: MRSERVICETD must be zero. Here it is authentic, with a finding."""
    return isinstance(ours, TdxClaims) and _found(ours, "MRSERVICETD")


def _no_level(ours: Ours) -> bool:
    """No level matches: `NotSupported`, which nobody vouches for."""
    return isinstance(ours, EnarxError) and ours.reason is Reason.TCB_STATUS


def _version_2(ours: Ours) -> bool:
    """It cannot read a TCB info of version 2. We can."""
    return isinstance(ours, IntelClaims) and ours.tcb_info_version == 2


ERRORS: dict[str, Callable[[Ours], bool]] = {
    "Debug mode is enabled": _debug,
    "SEPT_VE_DISABLE is not enabled": _sept_ve,
    "MRSERVICETD": _service,
    "No matching TCB level found": _no_level,
    "missing field `sgxtcbcomponents`": _version_2,
}


def _found(claims: IntelClaims, name: str) -> bool:
    return any(c.name == name and c.verdict is Verdict.NOTED and c.reason is not None for c in claims.checks)


def _captures(evidence_dir: Path) -> Iterator[tuple[str, Case, Capture]]:
    for kind in FORMATS:
        for path in sorted((evidence_dir / kind).glob("*/vector.json")):
            files = files_of(path.parent)
            for at, case in enumerate(msgspec.json.decode(files["vector.json"], type=Vector).cases):
                if case.collateral is not None:
                    yield f"{kind}/{path.parent.name}[{at}]", case, of_case(kind, files, case)


def _agree(name: str, ours: Ours, quote: Capture, anchors: Any = None) -> str:
    """Both judges say the same, or the table says why not. Returns what the oracle said."""
    assert quote.intel is not None
    try:
        theirs = oracle(quote.quote, quote.intel, quote.when, anchors)
    except ValueError as error:
        wanted = [test for said, test in ERRORS.items() if said in str(error)]
        assert wanted, f"{name}: an error of the oracle that the table does not know: {error}"
        assert wanted[0](ours), f"{name}: {error}, and ours: {ours!r}"
        return str(error)
    assert isinstance(ours, IntelClaims), f"{name}: {theirs.status}, and ours: {ours}"
    assert str(theirs.status) == str(ours.standing.merged), name
    assert sorted(theirs.advisory_ids) == sorted(ours.standing.advisories), name
    return str(theirs.status)


def _ours(quote: Capture, **more: Any) -> Ours:
    try:
        return quote.judge(**more)
    except EnarxError as error:
        return error


def test_every_capture_has_the_same_status_or_a_difference_that_is_known(evidence_dir: Path) -> None:
    said = {name: _agree(name, _ours(quote), quote) for name, _, quote in _captures(evidence_dir)}
    assert len(said) >= 60
    assert {"UpToDate", "SWHardeningNeeded", "OutOfDate"} <= set(said.values())


def test_the_answers_recorded_with_the_captures_are_what_it_says_today(evidence_dir: Path) -> None:
    for name, case, quote in _captures(evidence_dir):
        if case.dcap_qvl_0_7_0 is None or str(case.dcap_qvl_0_7_0[0]).startswith("n/a"):
            continue
        recorded = str(case.dcap_qvl_0_7_0[0]).removeprefix("ERR Verification failed: ")
        assert recorded in _agree(name, _ours(quote), quote), name


def test_the_library_is_the_version_that_the_captures_name() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    assert "dcap-qvl==0.7.0" in text


WHEN = datetime(2026, 1, 1, tzinfo=UTC)
PUBLISHED = (
    "UpToDate",
    "SWHardeningNeeded",
    "ConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded",
    "OutOfDate",
    "OutOfDateConfigurationNeeded",
)
OF_PARTS = ("UpToDate", "OutOfDate")


@pytest.mark.parametrize("platform", PUBLISHED)
@pytest.mark.parametrize("qe", OF_PARTS)
def test_simulated_enclaves_have_the_same_status_in_every_combination(platform: str, qe: str) -> None:
    enclave = SimulatedSgx.made(WHEN)
    info = _info("SGX", enclave, platform)
    intel = enclave.endorsements(info=info, identity=_identity("QE", enclave, qe)).intel
    quote = Capture("sgx", enclave.quote(b""), intel, WHEN)
    _agree(f"{platform}, {qe}", _ours(quote, anchors=enclave.anchors()), quote, enclave.anchors())


@pytest.mark.parametrize("platform", PUBLISHED)
@pytest.mark.parametrize("module", OF_PARTS)
@pytest.mark.parametrize("qe", OF_PARTS)
def test_simulated_trust_domains_have_the_same_status_in_every_combination(platform: str, module: str, qe: str) -> None:
    domain = SimulatedTdx.made(WHEN)
    info = _info("TDX", domain, platform)
    info["tdxModuleIdentities"][0]["tcbLevels"] = [intel_documents.isv_level(5, module, WHEN, "INTEL-SA-00010")]
    intel = domain.endorsements(info=info, identity=_identity("TD_QE", domain, qe)).intel
    for version, td in ((4, "1.0"), (5, "1.0"), (5, "1.5")):
        quote = Capture("tdx", domain.quote(b"", version=version, td=td), intel, WHEN)
        name = f"{platform}, {module}, {qe}, version {version}, TD {td}"
        _agree(name, _ours(quote, anchors=domain.anchors()), quote, domain.anchors())


@pytest.mark.parametrize("now", PUBLISHED)
@pytest.mark.parametrize("launch", PUBLISHED)
def test_a_domain_whose_module_was_updated_since_its_launch_has_the_same_status(launch: str, now: str) -> None:
    """TD 1.5: launched at one microcode version, running at another."""
    domain = SimulatedTdx.made(WHEN)
    svn = domain.fields["tee_tcb_svn"]
    newer = svn[:2] + bytes((svn[2] + 1,)) + svn[3:]
    described = domain.machine.platform
    levels = [
        intel_documents.level(3, described.components, described.pcesvn, at, "TDX", status, WHEN)
        for at, status in ((newer, now), (svn, launch))
    ]
    info = intel_documents.tcb_info("TDX", described, svn, WHEN, tcbLevels=levels)
    quote = Capture(
        "tdx", domain.quote(b"", version=5, tee_tcb_svn_2=newer), domain.endorsements(info=info).intel, WHEN
    )
    said = _agree(f"{launch} to {now}", _ours(quote, anchors=domain.anchors()), quote, domain.anchors())
    if (launch, now) == ("OutOfDate", "UpToDate"):
        assert said == TcbStatus.TD_RELAUNCH_ADVISED


def _info(tee: str, simulated: SimulatedSgx | SimulatedTdx, status: str) -> dict[str, Any]:
    svn = simulated.fields.get("tee_tcb_svn", bytes(16))
    described = simulated.machine.platform
    level = intel_documents.level(3, described.components, described.pcesvn, svn, tee, status, WHEN, "INTEL-SA-00011")
    return intel_documents.tcb_info(tee, described, svn, WHEN, tcbLevels=[level])


def _identity(name: str, simulated: SimulatedSgx | SimulatedTdx, status: str) -> dict[str, Any]:
    level = intel_documents.isv_level(8, status, WHEN, "INTEL-SA-00012")
    return intel_documents.qe_identity(name, simulated.machine.qe, WHEN, tcbLevels=[level])
