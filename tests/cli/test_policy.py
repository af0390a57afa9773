"""`enarx policy`: words, upstream's files, the schema."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from enarx.appraisal.policy import load
from enarx.cli.main import main

GENUINE = Path(__file__).resolve().parents[2] / "vectors" / "policy" / "snp" / "genuine" / "policy.toml"
SNP, SGX = "7d" * 48, "7A" * 32


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["policy", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def imported(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> tuple[int, str, str]:
    path = tmp_path / "steward.toml"
    path.write_text(text)
    return run(capsys, "import", str(path))


def test_check_explains_and_warns(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "check", str(GENUINE))
    assert code == 0
    assert "accepts AMD SEV-SNP when" in out
    assert "asks  snp.vmpl: 0 or 1" in out
    assert "warning: freshness: evidence may be a recording" in out


def test_check_says_the_same_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "check", str(GENUINE), "--json")
    found = json.loads(out)
    assert (code, found["name"], set(found["sections"])) == (0, "vector", {"AMD SEV-SNP"})
    assert found["sha256"] == load(GENUINE.read_bytes(), "x").digest.hex()


def test_check_refuses_what_is_no_policy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "policy.toml"
    broken.write_text(GENUINE.read_text().replace("vmpl = [0, 1]", 'vmpl = [0, 1]\nmore = "x"'))
    code, out, err = run(capsys, "check", str(broken))
    assert (code, out) == (2, "")
    assert "more" in err
    assert "snp" in err
    assert run(capsys, "check", str(tmp_path / "none.toml"))[0] == 2


def test_init_writes_a_policy_with_every_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "init", "snp", "tdx", "--name", "mine")
    assert (code, err) == (0, "")
    policy = load(out.encode(), "x").policy
    assert (policy.name, policy.snp is not None, policy.tdx is not None, policy.sgx) == ("mine", True, True, None)
    (tmp_path / "policy.toml").write_text(out)
    assert run(capsys, "check", str(tmp_path / "policy.toml"))[0] == 0


def test_init_of_what_there_is_not_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "init", "vax")
    assert (code, out) == (2, "")
    assert err.splitlines()[0] == "enarx: unknown-kind: section 'vax'"
    assert err.splitlines()[1].startswith("hint: one of snp, sgx, tdx")


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"\xff\xfe", "syntax: POLICY: not UTF-8 at byte 0"),
        (b"name = \n", "syntax: POLICY:1:8: invalid value"),
        (b'name = "x', "syntax: POLICY: unterminated string at the end"),
        (b"", "missing: POLICY: key 'name' is missing"),
        (b'colour = "red"', "unknown-key: POLICY: unknown key 'colour'"),
    ],
)
def test_what_is_wrong_with_a_policy_is_one_line_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], raw: bytes, said: str
) -> None:
    path = tmp_path / "policy.toml"
    path.write_bytes(raw)
    code, out, err = run(capsys, "check", str(path))
    first, *hints = err.splitlines()
    assert (code, out, first) == (2, "", f"enarx: {said.replace('POLICY', str(path))}")
    assert all(line.startswith("hint: ") for line in hints)


def test_the_schema_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "schema")
    assert (code, json.loads(out)["title"]) == (0, "Enarx policy")


def test_import_writes_every_expectation_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = imported(
        tmp_path, capsys,
        f'[snp]\nsigner = ["{SNP}"]\nabi = ">=1.51"\nplatform_info_flags = "SME"\npolicy_flags = ["SingleSocket"]\n'
        f'[sgx]\nsigner = ["{SGX}"]\nenclave_security_version = 3\nfeatures = ["KSS"]\nmisc_select = ["EXINFO"]\n',
    )  # fmt: skip
    policy = load(out.encode(), "imported").policy
    assert code == 0
    assert (policy.binding, policy.freshness, policy.workload) == ("legacy-spki", "unchecked", "unchecked")
    assert policy.snp is not None
    assert policy.sgx is not None
    assert (policy.snp.signer, policy.snp.abi, policy.snp.debug) == ({SNP}, ">=1.51", "refused")
    assert policy.snp.vmpl == {0}
    table = tomllib.loads(out)
    assert table["snp"]["policy_flags"] == {"required": ["SingleSocket"], "refused": ["SMT"]}
    assert table["snp"]["platform_info_flags"] == {"required": ["SMT"], "refused": ["TSME"]}
    assert table["sgx"]["signer"] == [SGX.lower()]
    assert (table["sgx"]["tcb_statuses"], table["sgx"]["features"]) == (["UpToDate"], ["KSS"])
    assert table["sgx"]["enclave_security_version"] == 3


def test_allowed_advisories_never_accept_a_revoked_platform(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = imported(tmp_path, capsys, f'[sgx]\nhash = ["{SGX}"]\nallowed_advisories = ["INTEL-SA-00381"]\n')
    found = tomllib.loads(out)["sgx"]
    assert found["allowed_advisories"] == ["INTEL-SA-00381"]
    assert "OutOfDate" in found["tcb_statuses"]
    assert "Revoked" not in found["tcb_statuses"]


def test_an_empty_upstream_file_accepts_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = imported(tmp_path, capsys, "")
    policy = load(out.encode(), "imported").policy
    assert (policy.snp, policy.sgx) == (None, None)


@pytest.mark.parametrize(
    "text",
    [
        "[snp]\n",
        '[snp]\nabi = ">=1.51"\n',
        f'[snp]\nhash = ["{SNP}"]\nhash_blacklist = ["{SNP}"]\n',
        f'[snp]\nsigner = ["{SGX}"]\n',
        f'[sgx]\nsigner = ["{SGX}"]\nunknown = 1\n',
        "[kvm]\nx = 1\n",
        "[snp",
    ],
)  # fmt: skip
def test_files_that_upstream_refused_too(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    code, out, err = imported(tmp_path, capsys, text)
    assert (code, out) == (2, "")
    assert err.startswith("enarx: ")
