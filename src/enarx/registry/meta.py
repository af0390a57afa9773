# SPDX-License-Identifier: Apache-2.0
"""An entry as HTTP headers: Content-Digest (RFC 9530), Content-Length and Content-Type."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping

from enarx.errors import Malformed, Reason
from enarx.workload.tree import Entry, parse_digests

_MEMBER = re.compile(r"([a-z0-9*][a-z0-9_.*-]*)=:([A-Za-z0-9+/=]*):", re.ASCII)


def content_digest(digests: Mapping[str, bytes]) -> str:
    """The value of a Content-Digest header, as upstream writes it: no spaces, sorted."""
    return ",".join(f"{name}=:{base64.b64encode(digests[name]).decode()}:" for name in sorted(digests))


def parse_content_digest(text: str) -> dict[str, bytes]:
    """The digests of a Content-Digest header, at least one; `Malformed` otherwise."""
    found: dict[str, str] = {}
    for member in text.split(","):
        match = _MEMBER.fullmatch(member.strip())
        if match is None:
            raise Malformed(Reason.SYNTAX, "Content-Digest header")
        if match[1] in found:
            raise Malformed(Reason.DUPLICATE, f"Content-Digest header: {match[1]}")
        found[match[1]] = match[2]
    return parse_digests(found, "Content-Digest header")


def headers(entry: Entry) -> dict[str, str]:
    """The headers that go with the bytes of an entry."""
    return {
        "content-digest": content_digest(entry.digest),
        "content-length": str(entry.length),
        "content-type": entry.type,
    }


def parse_headers(given: Mapping[str, str]) -> Entry:
    """The entry that headers (lower-case names) describe; `Malformed` when one is missing or wrong.

    Without a Content-Digest the entry has no digests: whether it needs some, the caller knows.
    """
    length = given.get("content-length", "")
    if not (length.isascii() and length.isdigit() and len(length) <= 18):
        raise Malformed(Reason.MISSING, "Content-Length header")
    if not given.get("content-type"):
        raise Malformed(Reason.MISSING, "Content-Type header")
    digests = parse_content_digest(given["content-digest"]) if "content-digest" in given else {}
    return Entry(digests, int(length), given["content-type"])
