"""Genuine captures of Intel quotes, and both judges over them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import dcap_qvl
import msgspec

from enarx.cli.vectors.descriptor import Case, Vector
from enarx.cli.vectors.intel import collateral
from enarx.evidence import intel_document, sgx, tdx
from enarx.evidence.anchor import Anchors, Vendor
from enarx.evidence.endorsement import Endorsements, IntelCollateral
from enarx.evidence.intel_claims import IntelClaims
from enarx.evidence.memory import Memory
from enarx.evidence.production import production

FORMATS: dict[str, Any] = {"sgx": sgx, "tdx": tdx}


class Capture(NamedTuple):
    """A quote, its collateral, and the time at which they are to be judged."""

    kind: str
    quote: bytes
    intel: IntelCollateral | None
    when: datetime

    def judge(self, *, quote: bytes | None = None, memory: Memory[Any] | None = None, **replaced: Any) -> IntelClaims:
        """Authenticate; `replaced` are fields of the collateral, or `when` and `anchors`."""
        when, anchors = replaced.pop("when", self.when), replaced.pop("anchors", production())
        intel = self.intel and msgspec.structs.replace(self.intel, **replaced)
        report = FORMATS[self.kind].parse(self.quote if quote is None else quote)
        claims = FORMATS[self.kind].authenticate(
            report, Endorsements(intel=intel), anchors=anchors, when=when, memory=memory
        )
        assert isinstance(claims, IntelClaims)
        return claims


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def capture(evidence_dir: Path, kind: str, name: str, case: int = 0) -> Capture:
    files = files_of(evidence_dir / kind / name)
    described = msgspec.json.decode(files["vector.json"], type=Vector).cases[case]
    return of_case(kind, files, described)


def of_case(kind: str, files: dict[str, bytes], case: Case) -> Capture:
    assert case.when is not None
    intel = collateral(files, case.collateral) if case.collateral else None
    return Capture(kind, files["quote.bin"], intel, case.when)


def oracle(quote: bytes, intel: IntelCollateral, when: datetime, anchors: Anchors | None = None) -> Any:
    """The answer of dcap-qvl: a report with `status` and `advisory_ids`; raises ValueError for a refusal."""
    info = intel_document.parse(intel.tcb_info, "tcbInfo")
    identity = intel_document.parse(intel.qe_identity, "enclaveIdentity")
    theirs = dcap_qvl.QuoteCollateralV3(
        pck_crl_issuer_chain=intel.pck_crl_chain.decode(),
        root_ca_crl=intel.root_crl,
        pck_crl=intel.pck_crl,
        tcb_info_issuer_chain=intel.tcb_chain.decode(),
        tcb_info=info.body.decode(),
        tcb_info_signature=info.signature,
        qe_identity_issuer_chain=intel.qe_chain.decode(),
        qe_identity=identity.body.decode(),
        qe_identity_signature=identity.signature,
    )
    seconds = int(when.timestamp())
    if anchors is None:
        return dcap_qvl.verify(quote, theirs, seconds)
    return dcap_qvl.verify_with_root_ca(quote, theirs, anchors.of(Vendor.INTEL)[0].raw, seconds)
