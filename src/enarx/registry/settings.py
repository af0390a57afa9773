# SPDX-License-Identifier: Apache-2.0
"""What a Drawbridge is told when it starts. Read at the door, whole and strictly."""

from __future__ import annotations

from pathlib import Path

import msgspec

from enarx.errors import Malformed, Misused, Reason


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How one Drawbridge works.

    store          folder of the blobs
    database       SQLAlchemy URL of the catalog; "" is a SQLite file in the store
    oidc_issuer    whose tokens speak for users, with `oidc_audience`
    oidc_ca        PEM file: trust this CA, and no other, for the issuer's TLS
    static_tokens  token -> subject: for tests and demonstrations, never expires, has every scope
    any_certificate  upstream's rule: every certificate of the clients' CA reads every private tree
    quota          bytes that the trees of one subject's users may hold
    node           bytes that one node may have
    seconds        that one request may take
    """

    store: Path
    database: str = ""
    oidc_issuer: str | None = None
    oidc_audience: str | None = None
    oidc_ca: Path | None = None
    static_tokens: dict[str, str] = {}
    any_certificate: bool = False
    quota: int = 10_000_000_000
    node: int = 100_000_000
    seconds: float = 300.0

    def __post_init__(self) -> None:
        if (self.oidc_issuer is None) != (self.oidc_audience is None):
            raise Misused(Reason.INCONSISTENT, "--oidc-issuer and --oidc-audience go together")
        if self.oidc_issuer is None and not self.static_tokens:
            raise Misused(
                Reason.MISSING,
                "nobody could publish",
                hint="give --oidc-issuer and --oidc-audience, or for a test --insecure-static-tokens FILE",
            )


def static_tokens(text: str) -> dict[str, str]:
    """The tokens of a file: a line `TOKEN SUBJECT` each, `#` begins a comment."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) != 2:
            raise Malformed(Reason.SYNTAX, f"static tokens: line {number} is not TOKEN SUBJECT")
        if words[0] in found:
            raise Malformed(Reason.DUPLICATE, f"static tokens: line {number}")
        found[words[0]] = words[1]
    return found


def read_static_tokens(file: Path | None) -> dict[str, str]:
    """The tokens of a file, or none without one."""
    if file is None:
        return {}
    try:
        return static_tokens(file.read_text("utf-8"))
    except OSError as error:
        raise Misused(Reason.FILE_UNREADABLE, f"{file}: {(error.strerror or 'cannot be read').lower()}") from None
    except UnicodeDecodeError:
        raise Malformed(Reason.SYNTAX, f"{file}: not UTF-8") from None
