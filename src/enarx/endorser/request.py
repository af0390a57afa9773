# SPDX-License-Identifier: Apache-2.0
"""What may be asked of a vendor's server, and what comes back: values, before anything is sent."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from datetime import datetime
from urllib.parse import urlsplit

import msgspec

from enarx.errors import Misused, Reason

DER_TYPES = frozenset(
    (
        "application/pkix-cert",
        "application/pkix-crl",
        "application/x-x509-ca-cert",
        "application/octet-stream",
        "binary/octet-stream",
    )
)
"""Servers label DER as what it is, or as bytes. What it is, its verification says."""


class Services(msgspec.Struct, frozen=True):
    """Where the vendors' servers are; each may be a mirror.

    Nothing is believed for having come from the right place.

    nvidia_key is sent as a bearer token to NVIDIA's RIM service, if there is one
    """

    amd: str = "https://kdsintf.amd.com"
    intel: str = "https://api.trustedservices.intel.com"
    nvidia_rim: str = "https://rim.attestation.nvidia.com"
    nvidia_ocsp: str = "https://ocsp.ndis.nvidia.com"
    nvidia_key: str = ""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request.

    what    the thing asked for, in lower-case words, for errors
    accept  media types that the answer may have; empty: any
    limit   bytes that the answer may have
    """

    what: str
    url: str
    accept: frozenset[str]
    limit: int
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None

    def __post_init__(self) -> None:
        if not is_safe(self.url):
            raise Misused(Reason.USAGE, f"{self.what}: {self.url}", hint="only https, or http on this machine")


class Answer(msgspec.Struct, frozen=True):
    """A successful answer: its body, and the headers that some vendors put endorsements into.

    headers by lower-case name
    """

    body: bytes
    headers: dict[str, str]


class Kept(msgspec.Struct, frozen=True):
    """What a verified answer holds, and how it compares with another answer to the same question.

    items  the endorsements in it: DER, XML, JSON as a judge takes them
    rank   of two, the one with the higher rank counts (a CRL's thisUpdate, an evaluation number)
    until  ask again after this instant; None: it never changes
    """

    items: tuple[bytes, ...]
    rank: int = 0
    until: datetime | None = None


Read = Callable[[bytes], Kept]
"""Verifies an answer's body to the anchors and takes it apart; raises in our families."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A document that is wanted: how to ask for it, and how to believe it.

    key    under which it is kept; by default the URL
    verify called on what came from the network and on what is read back from disk, each time
    first  called on what came from the network only: what cannot be checked later (a nonce)
    """

    request: Request
    verify: Read
    key: str = ""
    first: Callable[[Answer], None] | None = None
    pack: Callable[[Answer], bytes] | None = None
    """Makes the bytes to keep, where more than the body counts (headers)."""

    def name(self) -> str:
        """The key, or the URL."""
        return self.key or self.request.url


def is_safe(url: str) -> bool:
    """Https anywhere; http only to a loopback address, where tests and sidecars listen."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.username or parts.password or not host:
        return False
    if parts.scheme == "https":
        return True
    try:
        return parts.scheme == "http" and ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
