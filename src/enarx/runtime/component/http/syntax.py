# SPDX-License-Identifier: Apache-2.0
"""Heads of HTTP/1.1 messages: read strictly, because two readers that differ let requests be smuggled.

Source: RFC 9112 (sections 2, 3, 5 and 6) and RFC 9110 (section 5). Where they let a recipient mend what it
gets (a bare LF, a folded line, white space before a colon, equal lengths twice), this refuses.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MOST_HEAD = 1 << 16
"""Bytes that a head may take, its empty line included."""
MOST_FIELDS = 256
MOST_TARGET = 8000
END = b"\r\n\r\n"

Entries = list[tuple[str, bytes]]

NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST = re.compile(rb"(%s) ([\x21-\x7e]+) HTTP/1\.([01])\r\n" % NAME.encode())
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?\r\n")
_FIELD = re.compile(
    rb"(%s):[ \t]*((?:[\x21-\x7e\x80-\xff]+(?:[ \t]+[\x21-\x7e\x80-\xff]+)*)?)[ \t]*\r\n" % NAME.encode()
)
_ABSOLUTE = re.compile(r"https?://([^/?#]*)([/?].*)?", re.IGNORECASE)
_LENGTH = re.compile(rb"[0-9]{1,19}")


class Refusal(Exception):
    """A message that is not accepted: the status to answer with, and why."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class Framing(NamedTuple):
    """How a body ends: after `length` bytes, with a last chunk, or (neither) with the connection."""

    length: int | None
    chunked: bool = False


class Request(NamedTuple):
    """The head of a request.

    target   path and query, or "*"
    persist  whether the client lets the connection stay open
    waits    whether it sends its body only when told to (`Expect: 100-continue`)
    """

    method: str
    target: str
    authority: str
    minor: int
    fields: Entries
    framing: Framing
    persist: bool
    waits: bool


class Response(NamedTuple):
    """The head of a response."""

    status: int
    fields: Entries
    framing: Framing


def fields_of(raw: bytes, at: int = 0) -> Entries:
    """The field lines from an offset on, up to the empty line that ends them; names in lower case."""
    found: Entries = []
    end = len(raw) - 2
    while at < end:
        match = _FIELD.match(raw, at)
        if match is None:
            raise Refusal(400, "a field line is malformed")
        if len(found) >= MOST_FIELDS:
            raise Refusal(431, f"more than {MOST_FIELDS} fields")
        name, value = match.groups()
        found.append((name.decode().lower(), value))
        at = match.end()
    return found


def values(fields: Entries, name: str) -> list[bytes]:
    """All values of a field, whose name is in lower case."""
    return [value for one, value in fields if one == name]


def _members(fields: Entries, name: str) -> set[bytes]:
    """The members of a field that is a list, in lower case."""
    return {member.strip().lower() for value in values(fields, name) for member in value.split(b",")}


def _framing(fields: Entries, minor: int) -> Framing | None:
    """RFC 9112 section 6.3; None where neither field is present."""
    codings, lengths = values(fields, "transfer-encoding"), values(fields, "content-length")
    if codings:
        if lengths or minor == 0 or len(codings) > 1:
            raise Refusal(400, "Transfer-Encoding beside Content-Length, twice, or in HTTP/1.0")
        if codings[0].lower() != b"chunked":
            raise Refusal(501, "no transfer coding but chunked is known")
        return Framing(None, chunked=True)
    if not lengths:
        return None
    if len(lengths) > 1 or not _LENGTH.fullmatch(lengths[0]):
        raise Refusal(400, "Content-Length is not one number")
    return Framing(int(lengths[0]))


def request(raw: bytes) -> Request:
    """The head of a request, its empty line included."""
    line = _REQUEST.match(raw)
    if line is None:
        raise Refusal(400, "the request line is malformed")
    method, target, minor = line[1].decode(), line[2].decode(), int(line[3])
    if len(target) > MOST_TARGET:
        raise Refusal(414, f"the target is longer than {MOST_TARGET} bytes")
    fields = fields_of(raw, line.end())
    hosts = values(fields, "host")
    if len(hosts) > 1 or (minor and not hosts):
        raise Refusal(400, "Host must be given once")
    framing = _framing(fields, minor) or Framing(0)
    authority, target = _target(method, target, hosts[0].decode("latin-1") if hosts else "")
    expected = _members(fields, "expect")
    if expected - {b"100-continue"}:
        raise Refusal(417, "no expectation but 100-continue is known")
    persist = minor == 1 and b"close" not in _members(fields, "connection")
    return Request(method, target, authority, minor, fields, framing, persist, bool(expected) and minor == 1)


def _target(method: str, target: str, host: str) -> tuple[str, str]:
    """Authority, and path with query (RFC 9112 section 3.2)."""
    if method == "CONNECT":
        raise Refusal(501, "CONNECT is for proxies")
    if target.startswith("/") or (target == "*" and method == "OPTIONS"):
        return host, target
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None or not absolute[1]:
        raise Refusal(400, "the target is neither a path nor an http URL")
    path = absolute[2] or "/"
    return absolute[1], path if path.startswith("/") else f"/{path}"


def response(raw: bytes, method: str) -> Response:
    """The head of the response to a request of this method."""
    line = _STATUS.match(raw)
    if line is None:
        raise Refusal(502, "the status line is malformed")
    status = int(line[2])
    fields = fields_of(raw, line.end())
    framing = _framing(fields, int(line[1])) or Framing(None)
    if bodiless(status, method):
        framing = Framing(0)
    return Response(status, fields, framing)


def bodiless(status: int, method: str) -> bool:
    """Whether a response has no body whatever its fields say (RFC 9112 section 6.3)."""
    return method == "HEAD" or status in (204, 304) or status < 200


def head(line: str, fields: Entries) -> bytes:
    """A head as it is sent."""
    parts = [line.encode("latin-1"), b"\r\n"]
    for name, value in fields:
        parts += (name.encode(), b": ", value, b"\r\n")
    parts.append(b"\r\n")
    return b"".join(parts)
