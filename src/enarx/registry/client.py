# SPDX-License-Identifier: Apache-2.0
"""The Drawbridge's client: publish and fetch; no byte is returned before its digests hold."""

from __future__ import annotations

import ssl
from typing import Self

import msgspec

from enarx.codec import json
from enarx.codec.digest import same, sha256
from enarx.errors import EnarxError, Malformed, Reason, Unacceptable, Unauthentic, Undetermined
from enarx.registry.connection import SECONDS, Answer, Connection, Identity, client_context
from enarx.registry.meta import headers
from enarx.workload import signature
from enarx.workload.package import Package, bare, bare_root, receive
from enarx.workload.tree import ENTRY, MAX_DIRECTORY, MAX_ENTRY, MAX_WASM, WASM, Entry, parse_entry, weigh

JSON = "application/json"


class Tag(msgspec.Struct, frozen=True):
    """A tag as received, and what it says of its tree. A JWS is read, not verified."""

    content: bytes
    type: str
    entry: Entry


class Drawbridge:
    """One client. URLs are those of tags: `https://HOST/api/v0.1.0/USER/REPO/_tag/TAG`."""

    __slots__ = ("_connection",)

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        token: str | None = None,
        seconds: float = SECONDS,
    ) -> None:
        self._connection = Connection(context, token=token, seconds=seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def create_user(self, url: str, subject: str) -> None:
        """Register a user for the token's subject."""
        self._put(url, msgspec.json.encode({"subject": subject}), JSON)

    def create_repository(self, url: str, *, public: bool) -> None:
        """Create a repository."""
        self._put(url, msgspec.json.encode({"public": public}), JSON)

    def record(self, url: str) -> object:
        """The JSON of a user, a repository, or the list of a repository's tags."""
        answer = self._connection.ask("GET", url, limit=MAX_DIRECTORY)
        try:
            return json.decode(answer.body, "answer", limit=MAX_DIRECTORY)
        except Malformed as error:
            raise Undetermined(Reason.UNEXPECTED_ANSWER, str(error)) from None

    def tag(self, url: str) -> Tag:
        """A tag."""
        answer = self._connection.ask("GET", url, limit=MAX_ENTRY)
        kind = _media_type(answer)
        if kind == signature.MEDIA_TYPE:
            return Tag(answer.body, kind, parse_entry(signature.parse(answer.body).payload, "signed tag"))
        if kind != ENTRY:
            raise Undetermined(Reason.UNEXPECTED_ANSWER, f"tag of type {kind[:80]!r}")
        return Tag(answer.body, kind, parse_entry(answer.body, "tag"))

    def fetch(self, url: str, digest: bytes | None) -> Package:
        """The package of a tag.

        digest  the package's name (32 bytes): the answer is that package or an error. None takes
                the tag's word, which is as good as the service and its TLS.
        """
        if digest is None:
            digest = _named(self.tag(url).entry)
        root = self._connection.ask("GET", f"{url}/tree", limit=MAX_WASM)
        if _media_type(root) == WASM:
            package = bare(root.body)
            if not same(package.digest, digest):
                raise Unauthentic(Reason.DIGEST_MISMATCH, f"main.wasm: not the package {digest.hex()}")
            return package
        return receive(lambda path, limit: self._node(url, path, limit) if path else root.body, digest)

    def node(self, url: str, path: str, entry: Entry) -> bytes:
        """One node whose entry is known and believed."""
        raw = self._node(url, path, entry.length)
        entry.require(raw, f"node {path}")
        return raw

    def _node(self, url: str, path: str, limit: int) -> bytes:
        where = f"{url}/tree/{path}" if path else f"{url}/tree"
        try:
            return self._connection.ask("GET", where, limit=limit).body
        except Unacceptable as error:
            if error.reason is Reason.NOT_FOUND:
                raise Unauthentic(Reason.NODE_MISSING, f"node {path or 'root'}") from None
            raise

    def publish(self, url: str, package: Package, *, jws: bytes | None = None) -> None:
        """Put a package under a tag, signed by `jws` if given.

        An upload that failed earlier is continued, or begun again when it was another package's.
        `Unacceptable` (already-exists) when the tag is there whole with other contents.
        """
        entry = package.entry
        content, kind = (entry.encoded(), ENTRY) if jws is None else (jws, signature.MEDIA_TYPE)
        self._put_tag(url, content, kind)
        self._put_once(f"{url}/tree", package.root, entry)
        for path, one in package.entries().items():
            self._put_once(f"{url}/tree/{path}", package.nodes[path], one)

    def _put_tag(self, url: str, content: bytes, kind: str) -> None:
        try:
            self._put(url, content, kind)
        except Unacceptable as error:
            if error.reason is not Reason.ALREADY_EXISTS:
                raise
            if not self._same_tag(url, content):
                self._replace_tag(url, content, kind, error)

    def _same_tag(self, url: str, content: bytes) -> bool:
        try:
            return self._connection.ask("GET", url, limit=MAX_ENTRY).body == content
        except Unacceptable:
            return False  # yanked

    def _replace_tag(self, url: str, content: bytes, kind: str, refused: EnarxError) -> None:
        try:
            self._connection.ask("DELETE", url, limit=0, params={"unfinished": "true"})
        except Unacceptable:
            raise refused from None
        self._put(url, content, kind)

    def _put_once(self, url: str, raw: bytes, entry: Entry) -> None:
        try:
            self._connection.ask("PUT", url, limit=MAX_ENTRY, content=raw, headers=headers(entry))
        except Unacceptable as error:
            if error.reason is not Reason.ALREADY_EXISTS:  # its directory says what it is, so it is the same
                raise

    def _put(self, url: str, raw: bytes, kind: str) -> None:
        self._connection.ask("PUT", url, limit=MAX_ENTRY, content=raw, headers=headers(weigh(raw, kind)))


def _media_type(answer: Answer) -> str:
    return answer.headers.get("content-type", "").partition(";")[0].strip().lower()


def _named(root: Entry) -> bytes:
    """The package that a tag's entry names."""
    if root.type == WASM:
        return sha256(bare_root(root))
    if "sha-256" not in root.digest:
        raise Malformed(Reason.MISSING, "tag: SHA-256 of the root")
    return root.digest["sha-256"]


def connect(
    *,
    ca: bytes | None = None,
    ca_spki: bytes | None = None,
    identity: Identity | None = None,
    token: str | None = None,
    seconds: float = SECONDS,
) -> Drawbridge:
    """A client. The parameters are those of `connection.client_context`, and a bearer token."""
    return Drawbridge(client_context(ca=ca, ca_spki=ca_spki, identity=identity), token=token, seconds=seconds)
