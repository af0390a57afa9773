# SPDX-License-Identifier: Apache-2.0
"""What a Drawbridge does for a request, whatever carried it: the catalog, the blobs and the rules of access together.

Every method may block, and is called in a thread.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import BinaryIO

from enarx.codec.digest import sha256
from enarx.errors import Malformed, Reason, Unacceptable, Unauthentic
from enarx.registry.access import Bearer, Caller, Context, Level, may_read_tree
from enarx.registry.catalog import Catalog, Node, Repository, Tag
from enarx.registry.store import Blobs, Incoming
from enarx.registry.upload import Weighed
from enarx.workload import signature
from enarx.workload.package import bare_root
from enarx.workload.tree import DIRECTORY, ENTRY, WASM, Entry, parse_directory, parse_entry, size_limit


class Place:
    """One repository, and a tag of it if the path names one."""

    __slots__ = ("repository", "tag", "user")

    def __init__(self, user: str, repository: str, tag: str = "") -> None:
        self.user = user
        self.repository = repository
        self.tag = tag


class Desk:
    """See the module."""

    __slots__ = ("_any_certificate", "_node", "_quota", "blobs", "catalog")

    def __init__(self, catalog: Catalog, blobs: Blobs, *, quota: int, node: int, any_certificate: bool) -> None:
        self.catalog = catalog
        self.blobs = blobs
        self._quota = quota
        self._node = node
        self._any_certificate = any_certificate

    def owner(self, bearer: Bearer, user: str, level: Level, context: Context) -> None:
        """The bearer is this user, with a token good for this."""
        bearer.require(level, context)
        try:
            subject = self.catalog.subject(user)
        except Unacceptable as error:
            raise Unauthentic(Reason.UNAUTHENTICATED, error.subject) from None
        bearer.require_owner(user, subject)

    def create_user(self, bearer: Bearer, name: str, subject: str) -> None:
        """Register a user for the bearer's own subject."""
        bearer.require(Level.WRITE, Context.USERS)
        if subject != bearer.subject:
            raise Unauthentic(Reason.UNAUTHENTICATED, "Subject mismatch")
        self.catalog.create_user(name, subject)

    def readable(self, place: Place, who: Callable[[], Bearer]) -> Repository:
        """The repository, if the caller may read its tags. `who` is asked only for a private one."""
        found = self.catalog.repository(place.user, place.repository)
        if not found.public:
            self.owner(who(), place.user, Level.READ, Context.TAGS)
        return found

    def opened(self, place: Place, path: str, caller: Callable[[], Caller], *, when: datetime) -> tuple[Node, BinaryIO]:
        """A node and its bytes, if they are here and the caller may read them."""
        repository = self.catalog.repository(place.user, place.repository)
        tag = None
        if not repository.public:
            tag = self._by_certificate(repository, place, caller(), when)
        found = self.catalog.node((tag or self.catalog.tag(repository.id, place.tag)).id, path)
        if found.blob is None:
            raise Unacceptable(Reason.NOT_FOUND, "Not found")
        return found, self.blobs.open(found.blob)

    def _by_certificate(self, repository: Repository, place: Place, caller: Caller, when: datetime) -> Tag | None:
        """The tag of a private repository that the caller's certificate opens; or None for its owner."""
        if caller.certificate is not None:
            try:
                tag = self.catalog.tag(repository.id, place.tag)
            except Unacceptable:
                tag = None
            package = tag.package if tag else None
            if tag and may_read_tree(caller, package, any_certificate=self._any_certificate, when=when):
                return tag
            if caller.bearer is None:
                raise Unacceptable(Reason.FORBIDDEN, "the client certificate does not name this package")
        self.owner(caller.user(), place.user, Level.READ, Context.TAGS)
        return None

    def create_tag(self, place: Place, content: bytes, media_type: str, *, when: datetime) -> None:
        """Add a tag as received."""
        match media_type:
            case _ if media_type == ENTRY:
                root = parse_entry(content, "tag")
            case signature.MEDIA_TYPE:
                root = parse_entry(signature.parse(content).payload, "signed tag")
            case _:
                raise Malformed(Reason.MEDIA_TYPE, "tag", hint=f"send {ENTRY} or {signature.MEDIA_TYPE}")
        repository = self.catalog.repository(place.user, place.repository)
        self.catalog.create_tag(repository.id, place.tag, content, media_type, root, when=when)

    def delete_tag(self, place: Place, *, unfinished_only: bool) -> None:
        """Yank a tag, or forget one whose tree is not whole."""
        repository = self.catalog.repository(place.user, place.repository)
        self.catalog.delete_tag(repository.id, place.tag, self.blobs.drop, unfinished_only=unfinished_only)

    def expected(self, place: Place, path: str, given: Entry, bearer: Bearer) -> tuple[Tag, Entry]:
        """The tag, and what its tree says of the node that is about to come."""
        if not given.digest:
            raise Malformed(Reason.MISSING, "At least one content digest value must be specified")
        repository = self.catalog.repository(place.user, place.repository)
        tag = self.catalog.tag(repository.id, place.tag)
        node = self.catalog.node(tag.id, path)
        if node.blob is not None:
            raise Unacceptable(Reason.ALREADY_EXISTS, "Already exists")
        _require_same(node.entry, given)
        limit = min(self._node, size_limit(given.type))
        if given.length > limit:
            raise Malformed(Reason.TOO_LARGE, f"node {path}: {given.length} bytes, at most {limit}")
        self._require_quota(self.catalog.stored(bearer.subject) + given.length)
        # what the headers say beyond the directory has to hold as well
        return tag, Entry({**given.digest, **node.entry.digest}, node.entry.length, node.entry.type)

    def _require_quota(self, size: int) -> None:
        if size > self._quota:
            raise Unacceptable(Reason.TOO_LARGE, f"quota: {self._quota} bytes for each subject")

    def fill(self, tag: Tag, path: str, entry: Entry, came: Weighed, incoming: Incoming, bearer: Bearer) -> None:
        """Keep the node that came; what others of the same subject brought meanwhile counts."""
        below = parse_directory(came.bytes, f"directory {path}") if entry.type == DIRECTORY else {}
        digest = incoming.finish()
        package = None
        if not path:
            package = sha256(bare_root(came.scale.entry(WASM))) if entry.type == WASM else digest
        self.catalog.fill(
            tag.id,
            path,
            digest,
            below,
            package=package,
            keep=lambda: self.blobs.keep(incoming, digest),
            allowed=lambda on: self._require_quota(self.catalog.stored(bearer.subject, on)),
        )


def _require_same(named: Entry, given: Entry) -> None:
    """The headers say the same as the directory above (upstream never compared them)."""
    if given.type != named.type:
        raise Malformed(Reason.MEDIA_TYPE, f"Content type mismatch, expected: {named.type}, got {given.type}")
    if given.length != named.length:
        raise Malformed(Reason.WRONG_LENGTH, f"Content length mismatch, expected: {named.length}, got {given.length}")
    if any(given.digest.get(name, raw) != raw for name, raw in named.digest.items()):
        raise Malformed(Reason.DIGEST_MISMATCH, "Content digest mismatch")
