# SPDX-License-Identifier: Apache-2.0
"""The name of a running workload: a SPIFFE ID made of its package and launch digests.

`spiffe://TRUST-DOMAIN/keep/PACKAGE/LAUNCH`, both digests SHA-256 in lower-case hexadecimal
(SPIFFE-ID section 2: trust domain and path are case-sensitive and compared as bytes).
"""

from __future__ import annotations

import re

import msgspec

from enarx.errors import Malformed, Misused, Reason

_TRUST_DOMAIN = re.compile(r"[a-z0-9._-]{1,255}")
_ID = re.compile(r"spiffe://(?P<domain>[a-z0-9._-]{1,255})/keep/(?P<package>[0-9a-f]{64})/(?P<launch>[0-9a-f]{64})")


class SpiffeId(msgspec.Struct, frozen=True):
    """Who a Keep is: whose trust domain, which package (32 bytes), which launch (32 bytes)."""

    trust_domain: str
    package: bytes
    launch: bytes

    def __post_init__(self) -> None:
        if not _TRUST_DOMAIN.fullmatch(self.trust_domain):
            raise Misused(Reason.SYNTAX, f"trust domain {self.trust_domain!r}")
        if len(self.package) != 32 or len(self.launch) != 32:
            raise Misused(Reason.WRONG_LENGTH, "SPIFFE ID: digests have 32 bytes")

    def __str__(self) -> str:
        return f"spiffe://{self.trust_domain}/keep/{self.package.hex()}/{self.launch.hex()}"


def parse(uri: str) -> SpiffeId:
    """The identity that a certificate's URI names; `Malformed` for any other URI."""
    found = _ID.fullmatch(uri)
    if not found:
        raise Malformed(Reason.SYNTAX, f"SPIFFE ID {uri[:200]!r}")
    return SpiffeId(found["domain"], bytes.fromhex(found["package"]), bytes.fromhex(found["launch"]))
