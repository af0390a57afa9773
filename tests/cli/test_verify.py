"""`enarx verify` on files: what a relying party types, sees and gets."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from enarx.appraisal import jws, snp
from enarx.cli.main import main

WHEN = "2025-09-01T00:00:00Z"


def toml(value: object) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple | frozenset | list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return str(value)


def policy(path: Path, **changed: object) -> Path:
    """A policy that leaves everything open but debug, and what is changed."""
    top = dict.fromkeys(
        (
            "binding", "freshness", "launch_field", "workload", "package_signers",
            "minimum_package_security_version", "revocation", "expires", "log",
        ),
        "unchecked",
    )  # fmt: skip
    lines = ['name = "test"', "security_version = 1", *(f'{key} = "{value}"' for key, value in top.items()), "[snp]"]
    section = {**msgspec.structs.asdict(snp.unchecked()), **changed}
    path.write_text("\n".join([*lines, *(f"{key} = {toml(value)}" for key, value in section.items())]))
    return path


@pytest.fixture
def turin(evidence_dir: Path) -> Path:
    return evidence_dir / "snp" / "oak-turin-v5"


def verify(capture: Path, *more: str | Path) -> int:
    given = ("--format", "snp", "--endorsements", capture, "--offline", "--at", WHEN)
    return main(["verify", str(capture / "report.bin"), *map(str, given), *map(str, more)])


def test_a_genuine_report_is_accepted_and_says_as_of_when(
    turin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = verify(turin, "--policy", policy(tmp_path / "p.toml"))
    out = capsys.readouterr().out

    assert 0 == code
    assert f"as of {WHEN}, not now" in out
    assert "report signature" in out
    assert "open MEASUREMENT" in out


def test_json_holds_every_check_that_the_tree_shows(
    turin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verify(turin, "--policy", policy(tmp_path / "p.toml"))
    tree = capsys.readouterr().out
    verify(turin, "--policy", policy(tmp_path / "p.toml"), "--json")
    found = json.loads(capsys.readouterr().out)

    assert "accepted" == found["verdict"]
    assert found["as_of_past"]
    assert [] == [check["name"] for check in found["checks"] if check["name"] not in tree]
    assert "production" == found["claims"][0]["anchors"]


def test_a_policy_that_wants_another_measurement_says_no(
    turin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = verify(turin, "--policy", policy(tmp_path / "p.toml", hash=("00" * 48,)))

    assert 1 == code
    assert "measurement-not-accepted" in capsys.readouterr().out


def test_a_changed_report_is_nobodys(turin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = bytearray((turin / "report.bin").read_bytes())
    raw[0x90] ^= 1
    changed = tmp_path / "report.bin"
    changed.write_bytes(raw)

    code = main(
        [
            "verify",
            str(changed),
            "--format",
            "snp",
            "--endorsements",
            str(turin),
            "--offline",
            "--at",
            WHEN,
            "--policy",
            str(policy(tmp_path / "p.toml")),
        ]
    )

    assert 1 == code
    assert "unauthentic: signature-invalid" in capsys.readouterr().out


def test_without_endorsements_and_offline_it_cannot_be_found_out(turin: Path, tmp_path: Path) -> None:
    target = str(turin / "report.bin")
    code = main(
        ["verify", target, "--format", "snp", "--offline", "--at", WHEN, "--policy", str(policy(tmp_path / "p.toml"))]
    )

    assert 3 == code


def test_a_nonce_is_compared_with_what_was_signed(turin: Path, tmp_path: Path) -> None:
    signed = (turin / "report.bin").read_bytes()[0x50:0x90].hex()
    wanted = policy(tmp_path / "p.toml")

    assert 0 == verify(turin, "--policy", wanted, "--nonce", signed)
    assert 0 == verify(turin, "--policy", wanted, "--nonce", signed[:64])  # the rest is zero
    assert 1 == verify(turin, "--policy", wanted, "--nonce", "00" * 32)
    assert 4 == verify(turin, "--policy", wanted, "--nonce", "xy")


def test_a_bundle_is_judged_by_the_verifiers_policy_and_time(
    turin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "bundle"
    verify(turin, "--policy", policy(tmp_path / "p.toml"), "--save-bundle", saved)
    capsys.readouterr()
    strict = policy(tmp_path / "strict.toml", hash=("00" * 48,))
    later = ["verify", str(saved), "--offline", "--json"]

    assert 0 == main([*later, "--policy", str(policy(tmp_path / "p.toml")), "--at", "2031-01-01T00:00:00Z"])
    said = json.loads(capsys.readouterr().out)
    assert "accepted" == said["bearer_says"]["verdict"]
    assert 1 == main([*later, "--policy", str(strict)])
    capsys.readouterr()
    assert 1 == main([*later, "--policy", str(policy(tmp_path / "p.toml")), "--at", "2040-01-01T00:00:00Z"])
    assert "expired" == json.loads(capsys.readouterr().out)["reason"]


def test_a_result_is_signed_by_the_verifiers_own_key(turin: Path, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = tmp_path / "key.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    ear = tmp_path / "ear.jwt"

    verify(turin, "--policy", policy(tmp_path / "p.toml"), "--ear", ear, "--ear-key", pem)

    claims = jws.verify(ear.read_text().strip(), key.public_key())
    assert "tag:ietf.org,2026:rats/ear#04" == claims["eat_profile"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nothing"], 2, "file-unreadable: nothing"),
        (["{p}"], 2, "is not a bundle"),
        (["{p}", "--format", "sparc"], 2, "unknown-kind: --format sparc"),
        (["{p}", "--format", "snp", "--at", "yesterday"], 2, "--at 'yesterday'"),
        (["{p}", "--format", "snp", "--at", "2026-01-01T00:00:00"], 2, "no time zone"),
        (["{p}", "--format", "snp", "--anchors", "/nowhere"], 2, "--anchors replaces the vendors' roots"),
        (["{p}", "--format", "snp", "--unsafe-anchors"], 2, "--unsafe-anchors without --anchors"),
        (["https://127.0.0.1:1"], 3, "unreachable: 127.0.0.1:1"),
        (["https://no.such.host.invalid"], 3, "name-not-resolved"),
        (["https://127.0.0.1:1", "--at", "2026-01-01T00:00:00Z"], 2, "--at with a running Keep"),
        (["https://127.0.0.1:1", "--nonce", "00"], 2, "--nonce with a running Keep"),
        (["{p}", "--format", "snp", "--issuer", "{p}"], 2, "--issuer with a file"),
        (["http://127.0.0.1:1"], 2, "a Keep is asked over https"),
        (["{p}", "--format", "snp", "--ear-key", "{p}"], 2, "--ear-key without --ear"),
        (["{p}", "--format", "snp", "--ear", "/nowhere/x"], 2, "file-unwritable: /nowhere/x"),
        (["{p}", "--format", "snp", "--ear", "{p}.ear", "--ear-key", "{p}"], 2, "not an unencrypted PEM"),
        (["{p}", "--format", "snp", "--save-bundle", "/nowhere/x"], 2, "file-unwritable: /nowhere/x"),
        (["{p}", "--format", "snp", "--reference-key", "{p}"], 2, "--reference-key without --reference-values"),
        (["{p}", "--format", "snp", "--reference-values", "{p}"], 2, "--reference-values without --reference-key"),
        (["{p}", "--format", "snp", "--package-key", "{p}"], 2, "--package-key without --package-signature"),
        (["{p}", "--format", "snp", "--package-signature", "{p}"], 2, "--package-signature without --package-key"),
    ],
)
def test_what_is_asked_wrongly_is_said_in_one_line(
    arguments: list[str], code: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = policy(tmp_path / "p.toml")

    found = main(["verify", *(one.format(p=wanted) for one in arguments), "--policy", str(wanted), "--offline"])

    assert code == found
    line, *hints = capsys.readouterr().err.splitlines()
    assert line.startswith("enarx: ")
    assert said in line
    assert all(hint.startswith("hint: ") for hint in hints)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = ", "syntax"),
        ('name = "x"\nsurprise = 1', "unknown-key"),
        ('name = "x"', "missing"),
    ],
)
def test_a_policy_that_cannot_be_read_is_the_callers_fault(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = tmp_path / "p.toml"
    wanted.write_text(text)

    assert 2 == main(["verify", str(wanted), "--format", "snp", "--policy", str(wanted)])
    assert f"enarx: {said}: {wanted}" in capsys.readouterr().err
