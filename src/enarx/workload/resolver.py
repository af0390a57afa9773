# SPDX-License-Identifier: Apache-2.0
"""Who turns names into addresses, as a launch document says it.

""                          nobody: only literal addresses are reached
"host"                      the host, whom nobody believes; also when nothing is said
"tls://HOST[:PORT]"         DNS over TLS (RFC 7858), port 853
"https://HOST[:PORT]/PATH"  DNS over HTTPS (RFC 8484)
"""

from __future__ import annotations

import re

import msgspec

from enarx.errors import Misused, Reason

HOST = "host"
_URL = re.compile(r"(tls|https)://(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+))(?::([0-9]{1,5}))?(/[\x21-\x7e]*)?")
_PORTS = {"tls": 853, "https": 443}


class Server(msgspec.Struct, frozen=True):
    """A resolver that shows who it is. `path` is "" for DNS over TLS."""

    host: str
    port: int
    path: str = ""


def server(text: str) -> Server:
    """The server that a URL names; `Misused` for a text that is none."""
    found = _URL.fullmatch(text)
    if found is None or not 0 < int(found[4] or 1) <= 65535 or (found[1] == "tls") != (found[5] is None):
        raise Misused(
            Reason.SYNTAX, f"resolver {text!r}", hint="tls://HOST, https://HOST/dns-query, host, or nothing at all"
        )
    return Server(found[2] or found[3], int(found[4] or _PORTS[found[1]]), found[5] or "")


def require(text: str) -> None:
    """`Misused` unless it is one of the four forms."""
    if text not in {"", HOST}:
        server(text)
