# SPDX-License-Identifier: Apache-2.0
"""From files in a folder to evidence with its endorsements, told apart by content, then by name."""

from __future__ import annotations

from collections.abc import Mapping

from enarx.cli.vectors.azure import parts_of
from enarx.cli.vectors.content import sorted_out
from enarx.cli.vectors.intel import collateral, loose_chain
from enarx.cli.vectors.intel_content import in_one_file
from enarx.cli.vectors.nvidia import is_ocsp
from enarx.cli.vectors.tpm_files import EVENT_LOG, SIGNATURES, beside
from enarx.evidence.endorsement import Endorsements, IntelCollateral
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind

_HERE = "here/"


def assembled(kind: Kind, body: bytes, files: Mapping[str, bytes]) -> tuple[Evidence, Endorsements]:
    """The evidence `body` with what lies beside it (`files`, by name)."""
    found = sorted_out(files)
    intel = _collateral(files)
    match kind:
        case Kind.SNP:
            parts = {"certificate_table": found.table} if found.table else {}
            return Evidence(kind, body, parts), Endorsements(found.certificates, found.crls)
        case Kind.SGX | Kind.TDX:
            return Evidence(kind, body, _boot_log(kind, files)), Endorsements(
                certificates=loose_chain(files), intel=intel
            )
        case Kind.TPM:
            return Evidence(kind, body, _quote_parts(files)), Endorsements(crls=found.crls)
        case Kind.AZURE_SNP_VTPM | Kind.AZURE_TDX_VTPM:
            return Evidence(kind, body, parts_of(beside(files, leave_out=""))), Endorsements(
                found.certificates, found.crls, intel=intel
            )
        case Kind.NVIDIA_GPU | Kind.NVIDIA_SWITCH:
            rims = tuple(raw for raw in files.values() if b"<SoftwareIdentity" in raw[:4096])
            answers = tuple(raw for raw in files.values() if is_ocsp(raw))
            return Evidence(kind, body), Endorsements(found.certificates, rims=rims, ocsp=answers)
        case _:
            return Evidence(kind, body), Endorsements(found.certificates, found.crls)


def _collateral(files: Mapping[str, bytes]) -> IntelCollateral | None:
    """Intel's documents, if any of them is there; one that is not is missing to the judge."""
    found = collateral({_HERE + name: raw for name, raw in files.items()}, _HERE)
    return found if found.tcb_info or found.qe_identity else in_one_file(files)


def _quote_parts(files: Mapping[str, bytes]) -> dict[str, bytes]:
    found = beside(files, leave_out="")
    signature = found.first(SIGNATURES)
    return {**found.parts(), **({} if signature is None else {"signature": signature})}


def _boot_log(kind: Kind, files: Mapping[str, bytes]) -> dict[str, bytes]:
    log = beside(files, leave_out="").first(EVENT_LOG)
    return {} if kind is Kind.SGX or log is None else {"event_log": log}
