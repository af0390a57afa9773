"""Vectors of SGX and TDX whose chains are simulated, under the names that captures have."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from enarx.cli.vectors.verdicts import judged
from enarx.evidence import intel_pem
from enarx.evidence.endorsement import IntelCollateral
from enarx.platform.simulated import pki
from enarx.platform.simulated.sgx import SimulatedSgx
from enarx.platform.simulated.tdx import SimulatedTdx

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = {
    "tcb_info": "tcb_info.json",
    "tcb_chain": "tcb_signing_chain.pem",
    "qe_identity": "qe_identity.json",
    "pck_crl": "pck_crl.der",
    "pck_crl_chain": "pck_crl_issuer_chain.pem",
    "root_crl": "root_ca_crl.der",
}


def written(folder: Path, simulated: SimulatedSgx | SimulatedTdx, case: dict[str, Any], **claims: Any) -> Path:
    intel = simulated.endorsements().intel
    assert isinstance(intel, IntelCollateral)
    root = pki.der(simulated.machine.intel.root.certificate)
    files = {f"collateral1/{name}": getattr(intel, field) for field, name in NAMES.items()}
    files |= {"quote.bin": simulated.quote(b"bound"), "root.der": root, "root.pem": intel_pem.armour(root)}
    (folder / "collateral1").mkdir(parents=True)
    for name, raw in files.items():
        (folder / name).write_bytes(raw)
    vector = {
        "kind": str(simulated.kind),
        "name": "simulated",
        "evidence": "quote.bin",
        "files": sorted(files),
        "cases": [{"when": WHEN, "verdict": "authentic", "collateral": "collateral1/", **case}],
        "claims": {"report_data": b"bound".ljust(64, b"\0").hex(), **claims},
    }
    (folder / "vector.json").write_bytes(msgspec.json.encode(vector))
    return folder / "vector.json"


@pytest.mark.parametrize("made", [SimulatedSgx.made, SimulatedTdx.made])
@pytest.mark.parametrize("root", ["root.der", "root.pem"])
def test_a_case_may_name_its_own_root(tmp_path: Path, made: Any, root: str) -> None:
    told = {"anchors": root, "debug": False, "tcb_info_version": 3, "tcb_evaluation_data_number": 19}
    (line,) = judged(written(tmp_path / "v", made(WHEN), told))
    assert line.ok, line.text()


def test_without_its_root_it_is_nobodys(tmp_path: Path) -> None:
    (line,) = judged(
        written(tmp_path / "v", SimulatedTdx.made(WHEN), {"verdict": "refused", "families": ["unauthentic"]})
    )
    assert line.ok, line.text()


@pytest.mark.parametrize(
    ("case", "claims"),
    [
        ({"debug": True}, {}),
        ({"tcb": {"platform": "OutOfDate", "tdx_module": None, "qe": "UpToDate"}}, {}),
        ({"tcb_evaluation_data_number": 18}, {}),
        ({"verdict": "refused", "families": ["unauthentic"]}, {}),
        ({}, {"isvsvn": 1}),
        ({}, {"unheard_of": 1}),
    ],
)
def test_anything_else_than_what_is_described_is_a_mismatch(
    tmp_path: Path, case: dict[str, Any], claims: dict[str, Any]
) -> None:
    (line,) = judged(written(tmp_path / "v", SimulatedSgx.made(WHEN), {"anchors": "root.der", **case}, **claims))
    assert not line.ok


@pytest.mark.parametrize("missing", ["tcb_info.json", "root_ca_crl.der"])
def test_a_folder_with_less_than_all_is_undetermined(tmp_path: Path, missing: str) -> None:
    path = written(
        tmp_path / "v", SimulatedSgx.made(WHEN),
        {"anchors": "root.der", "verdict": "refused", "families": ["undetermined"]},
    )  # fmt: skip
    vector = msgspec.json.decode(path.read_bytes())
    vector["files"].remove(f"collateral1/{missing}")
    path.write_bytes(msgspec.json.encode(vector))
    (line,) = judged(path)
    assert line.ok, line.text()


def test_a_quote_that_is_none_is_malformed(tmp_path: Path) -> None:
    path = written(
        tmp_path / "v", SimulatedSgx.made(WHEN),
        {"anchors": "root.der", "verdict": "refused", "families": ["malformed"]},
    )  # fmt: skip
    (path.parent / "quote.bin").write_bytes(b"no quote")
    (line,) = judged(path)
    assert line.ok, line.text()
