# SPDX-License-Identifier: Apache-2.0
"""A doubter's door to a Steward's log: that it has a certificate, and that it only grows."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Callable
from typing import Any

import httpx
import msgspec

from enarx.codec.x509 import Certificate
from enarx.errors import Malformed, Misused, Reason, Unauthentic, Undetermined
from enarx.evidence.check import Check, Verdict
from enarx.identity import tiles
from enarx.identity.issued import identity_of
from enarx.identity.log import Checkpoint, entry_of, parse_checkpoint
from enarx.identity.merkle import (
    EMPTY,
    TILE_WIDTH,
    Peaks,
    consistency,
    consistent,
    leaf_hash,
    range_root,
    root_by_inclusion,
)
from enarx.identity.tiles import Tile

PATIENCE = 15.0
MAX_ANSWER = 32 << 20
"""A bundle of 256 entries of 64 kB is the most that a log may answer."""


class LogClient:
    """One log over HTTPS."""

    def __init__(self, url: str, key: bytes, *, ca_pem: str | None = None) -> None:
        """`key`: Ed25519, 32 bytes; `ca_pem`: the CAs of the Steward's TLS, or None: the system's."""
        self._url = url.rstrip("/")
        self._key = key
        try:
            context = ssl.create_default_context(cadata=ca_pem)
        except (ssl.SSLError, ValueError):
            raise Misused(Reason.FILE_UNREADABLE, "CA of the log's TLS: not PEM") from None
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        self._http = httpx.Client(verify=context, timeout=PATIENCE, trust_env=False)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def checkpoint(self) -> Checkpoint:
        """The log as it is now, signed by its key."""
        return parse_checkpoint(self._get("/checkpoint"), self._key)

    def proved(self, leaf: bytes) -> Checkpoint:
        """The checkpoint under which the log proves that it has this leaf; `Unauthentic` when it does not."""
        raw = self._get(f"/proof?leaf={leaf.hex()}")
        try:
            answer: Any = msgspec.json.decode(raw)
            path = tuple(base64.b64decode(one, validate=True) for one in answer["path"])
            position, note = int(answer["position"]), answer["checkpoint"].encode()
        except (msgspec.DecodeError, KeyError, TypeError, ValueError, AttributeError):
            raise Undetermined(Reason.UNEXPECTED_ANSWER, f"the log at {self._url} answers nonsense") from None
        checkpoint = parse_checkpoint(note, self._key)
        if root_by_inclusion(leaf, position, checkpoint.size, path) != checkpoint.root:
            raise Unauthentic(Reason.NOT_LOGGED, "the log's proof does not hold")
        return checkpoint

    def tile(self, tile: Tile) -> bytes:
        """One tile."""
        return self._get(f"/{tile.path()}")

    def grew_from(self, old: Checkpoint, new: Checkpoint) -> None:
        """The newer tree begins with the older one; `Unauthentic` when something in it was changed."""
        if new.origin != old.origin or new.size < old.size:
            raise Unauthentic(Reason.INCONSISTENT, f"the log shrank from {old.size} to {new.size} entries")
        if old.size == 0:
            return
        subtree = tiles.subtree_reader(self.tile, new.size)
        path = consistency(subtree, old.size, new.size)
        if not consistent(old.size, old.root, new.size, new.root, path):
            raise Unauthentic(Reason.INCONSISTENT, f"what was the log at {old.size} entries is not its beginning now")

    def recomputed(self, checkpoint: Checkpoint, progress: Callable[[int], None]) -> None:
        """Every entry read, and the root made again of them; `Unauthentic` when it is another."""
        peaks = Peaks()
        while peaks.size < checkpoint.size:
            width = min(TILE_WIDTH, checkpoint.size - peaks.size)
            entries = tiles.unbundle(self.tile(Tile(-1, peaks.size // TILE_WIDTH, width)))
            if len(entries) != width:
                raise Malformed(Reason.WRONG_LENGTH, "bundle of entries")
            for one in entries:
                peaks.append(leaf_hash(one))
            progress(peaks.size)
        root = peaks.root() if checkpoint.size else EMPTY
        by_tiles = range_root(tiles.subtree_reader(self.tile, checkpoint.size), 0, checkpoint.size)
        if root != checkpoint.root or by_tiles != checkpoint.root:
            raise Unauthentic(Reason.DIGEST_MISMATCH, "the log's entries do not make the root that it signed")

    def _get(self, path: str) -> bytes:
        try:
            answer = self._http.get(self._url + path)
        except httpx.TimeoutException:
            raise Undetermined(Reason.TIMED_OUT, f"the log at {self._url} does not answer") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Undetermined(Reason.UNREACHABLE, f"the log at {self._url}: {type(error).__name__}") from None
        if answer.status_code == 404 and path.startswith("/proof"):
            raise Unauthentic(Reason.NOT_LOGGED, "the log does not have this certificate")
        if answer.status_code != 200 or len(answer.content) > MAX_ANSWER:
            raise Undetermined(Reason.UNEXPECTED_ANSWER, f"the log at {self._url} answers {answer.status_code}")
        return answer.content


def inclusion_check(chain: tuple[Certificate, ...], *, ca_pem: str | None = None) -> Check:
    """Whether a Keep's certificate is in the log that it names, as a check for the tree that people see.

    chain   own certificate first, its issuer second; both believed by the caller already
    ca_pem  the CAs of the log's TLS; by default the chain's own last certificate
    Raises `Unauthentic` (NOT_LOGGED) or `Undetermined`.
    """
    entry, promise = entry_of(chain[0], chain[1], str(identity_of(chain[0])))
    anchor = ca_pem or ssl.DER_cert_to_PEM_cert(chain[-1].raw)
    log = LogClient(promise.url, promise.key, ca_pem=anchor)
    try:
        checkpoint = log.proved(leaf_hash(entry))
    finally:
        log.close()
    return Check(
        "issuance log",
        Verdict.PASSED,
        None,
        f"in {checkpoint.origin} at {checkpoint.size} entries",
        "an inclusion proof under a signed checkpoint",
        "RFC 6962 section 2.1.1",
    )
