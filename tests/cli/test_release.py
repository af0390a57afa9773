"""`enarx release`: what is typed wrongly is said before anybody is asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.delivery import releasing as world

NOBODY = "https://127.0.0.1:1"


@pytest.fixture
def typed(tmp_path: Path) -> list[str]:
    """Arguments with which nothing is wrong but that nobody listens."""
    (tmp_path / "tenant.pem").write_bytes(world.tenant_pem())
    (tmp_path / "secret").write_bytes(b"hunter2")
    (tmp_path / "policy.toml").write_bytes(world.text().encode())
    return [
        "release", NOBODY,
        "--policy", str(tmp_path / "policy.toml"),
        "--tenant-key", str(tmp_path / "tenant.pem"),
        "--secret", f"password={tmp_path / 'secret'}",
    ]  # fmt: skip


def test_a_keep_that_does_not_answer_is_not_a_no(enarx: Callable[..., Any], typed: list[str]) -> None:
    done = enarx(*typed)

    assert (3, "") == (done.code, done.out)
    assert done.err.startswith("enarx: unreachable")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--secret", "password=other"], "duplicate: --secret password"),
        (["--secret", "password"], "--secret"),
        (["--secret", "name"], "syntax: --secret 'name'"),
        (["--secret", "name=absent"], "file-unreadable: absent"),
        (["--secret", "../name=/dev/null"], "syntax: name of a secret '../name'"),
        (["--tenant-key", "/dev/null"], "key-invalid"),
        (["--anchors", "."], "--anchors replaces the vendors' roots"),
        (["--policy", "absent.toml"], "file-unreadable: absent.toml"),
    ],
)
def test_what_is_typed_wrongly_is_said(enarx: Callable[..., Any], typed: list[str], more: list[str], said: str) -> None:
    done = enarx(*typed, *more)

    assert (2, "") == (done.code, done.out)
    assert said in done.err
    assert "hunter2" not in done.err


def test_secrets_that_are_too_large_are_not_sent(enarx: Callable[..., Any], typed: list[str], tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes((1 << 20) - 4))

    done = enarx(*typed, "--secret", f"large={tmp_path / 'large'}")

    assert 2 == done.code
    assert "too-large: secrets" in done.err
