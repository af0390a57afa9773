# SPDX-License-Identifier: Apache-2.0
"""Where a user's token is kept between commands: the keyring, or a helper program.

Upstream's names: keyring service `enarx`, one entry for each provider and store,
`OIDCHOST-STOREHOST`. A helper is called `HELPER insert|show|erase ID`, the token on its standard
input or output; `erase` is ours.
"""

from __future__ import annotations

import subprocess
from urllib.parse import urlsplit

from enarx.errors import Misused, Reason, Undetermined

SERVICE = "enarx"
HELPER_SECONDS = 60
NO_KEYRING = "give --credential-helper PROGRAM, or ENARX_CREDENTIAL_HELPER"


def identifier(oidc_domain: str, store_host: str) -> str:
    """The entry's name."""
    return f"{urlsplit(oidc_domain).netloc}-{store_host}"


class Credentials:
    """The keyring, or the helper at `helper`."""

    __slots__ = ("_helper",)

    def __init__(self, helper: str | None) -> None:
        self._helper = helper

    def keep(self, name: str, token: str) -> None:
        """Keep a token."""
        if self._helper is not None:
            self._ask("insert", name, token)
        else:
            import keyring
            from keyring.errors import KeyringError

            try:
                keyring.set_password(SERVICE, name, token)
            except (KeyringError, RuntimeError):
                raise Undetermined(Reason.BACKEND_UNAVAILABLE, "no keyring on this machine", hint=NO_KEYRING) from None

    def find(self, name: str) -> str | None:
        """The token, or None."""
        if self._helper is not None:
            return self._ask("show", name).strip() or None
        import keyring
        from keyring.errors import KeyringError

        try:
            return keyring.get_password(SERVICE, name)
        except (KeyringError, RuntimeError):
            return None

    def forget(self, name: str) -> None:
        """Forget the token; nothing happens when there is none."""
        if self._helper is not None:
            self._ask("erase", name)
            return
        import keyring
        from keyring.errors import KeyringError, PasswordDeleteError

        try:
            keyring.delete_password(SERVICE, name)
        except PasswordDeleteError:
            return
        except (KeyringError, RuntimeError):
            raise Undetermined(Reason.BACKEND_UNAVAILABLE, "no keyring on this machine", hint=NO_KEYRING) from None

    def _ask(self, verb: str, name: str, token: str = "") -> str:
        helper = self._helper or ""
        try:
            done = subprocess.run(
                [helper, verb, name],
                input=token,
                stdout=subprocess.PIPE,
                text=True,
                timeout=HELPER_SECONDS,
                check=False,
            )
        except OSError as error:
            raise Misused(Reason.FILE_UNREADABLE, f"credential helper {helper}: {error.strerror}") from None
        except subprocess.TimeoutExpired:
            raise Undetermined(Reason.TIMED_OUT, f"credential helper {helper}") from None
        if done.returncode:
            raise Undetermined(
                Reason.UNEXPECTED_ANSWER, f"credential helper {helper} {verb}: exit code {done.returncode}"
            )
        return done.stdout
