# SPDX-License-Identifier: Apache-2.0
"""Tokens between commands: in the keyring where there is one, else by a helper, else nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring
from keyring.errors import PasswordDeleteError

from enarx.errors import Misused, Reason, Undetermined
from enarx.registry.credential import Credentials, identifier

NAME = "auth.test-store.test"


class InMemory(KeyringBackend):
    """A keyring that forgets everything with the process."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError


@pytest.fixture
def ring() -> Iterator[InMemory]:
    before, ring = keyring.get_keyring(), InMemory()
    keyring.set_keyring(ring)
    yield ring
    keyring.set_keyring(before)


def test_upstreams_name_of_an_entry() -> None:
    assert identifier("https://auth.test/", "store.test") == NAME


def test_a_token_is_kept_in_the_keyring_and_forgotten(ring: InMemory) -> None:
    credentials = Credentials(None)
    assert credentials.find(NAME) is None
    credentials.keep(NAME, "secret")
    assert ring.kept == {("enarx", NAME): "secret"}
    assert credentials.find(NAME) == "secret"
    credentials.forget(NAME)
    credentials.forget(NAME)
    assert credentials.find(NAME) is None


def test_a_machine_without_a_keyring_says_what_to_do(ring: InMemory) -> None:
    keyring.set_keyring(NoKeyring())
    assert Credentials(None).find(NAME) is None
    for act in (lambda: Credentials(None).keep(NAME, "secret"), lambda: Credentials(None).forget(NAME)):
        with pytest.raises(Undetermined) as refused:
            act()
        assert refused.value.reason == Reason.BACKEND_UNAVAILABLE
        assert "--credential-helper" in refused.value.hint


def test_a_helper_that_fails_or_is_not_there(tmp_path: Path) -> None:
    helper = tmp_path / "helper"
    with pytest.raises(Misused):
        Credentials(str(helper)).find(NAME)
    helper.write_text("#!/bin/sh\nexit 3\n")
    helper.chmod(0o755)
    with pytest.raises(Undetermined) as refused:
        Credentials(str(helper)).find(NAME)
    assert refused.value.subject == f"credential helper {helper} show: exit code 3"
