# SPDX-License-Identifier: Apache-2.0
"""Names in a Drawbridge: `[HOST/]USER/REPO[:TAG]`, parsed once (upstream's slug grammar)."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import msgspec

from enarx.errors import Misused, Reason

DEFAULT_HOST = "store.profian.com"
"""Upstream's default. The service behind it is gone; a slug that leaves its host out still means it."""
API = "/api/v0.1.0"

_USER = re.compile(r"[0-9A-Za-z]{1,255}")
_REPOSITORY = re.compile(r"[0-9A-Za-z-]{1,255}")
_HOST = re.compile(r"(?:[0-9A-Za-z._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
# semver.org, the regular expression that the specification suggests
_SEMVER = re.compile(
    r"(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)"
    r"(?:-(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?"
    r"(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?",
    re.ASCII,
)
_VERSION = re.compile(r"v(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:[-+][0-9A-Za-z.+-]{1,64})?", re.ASCII)


def valid_user(name: str) -> bool:
    """Whether a user may have this name."""
    return _USER.fullmatch(name) is not None


def valid_repository(name: str) -> bool:
    """Whether a repository may have this name."""
    return _REPOSITORY.fullmatch(name) is not None


def valid_tag(name: str) -> bool:
    """Whether `name` is a semantic version of at most 255 characters."""
    return len(name) <= 255 and _SEMVER.fullmatch(name) is not None


def api_version(text: str) -> tuple[int, int, int] | None:
    """The version in `/api/vX.Y.Z`, or None."""
    found = _VERSION.fullmatch(text)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


class Name(msgspec.Struct, frozen=True):
    """Something in a Drawbridge: a user, a repository (with `repository`), a package (with `tag`)."""

    host: str
    user: str
    repository: str = ""
    tag: str = ""

    def url(self, *more: str) -> str:
        """The URL of it, `more` appended."""
        parts = [self.user]
        if self.repository:
            parts.append(self.repository)
        if self.tag:
            parts += ["_tag", self.tag]
        return "/".join((f"https://{self.host}{API}", *parts, *more))

    def __str__(self) -> str:
        path = "/".join(filter(None, (self.host, self.user, self.repository)))
        return f"{path}:{self.tag}" if self.tag else path


def parse_user(text: str) -> Name:
    """`[HOST/]USER`."""
    host, _, user = text.rpartition("/")
    return _checked(Name(host or DEFAULT_HOST, user), text, "[HOST/]USER")


def parse_repository(text: str) -> Name:
    """`[HOST/]USER/REPO`."""
    head, _, repository = text.rpartition("/")
    host, _, user = head.rpartition("/")
    return _checked(Name(host or DEFAULT_HOST, user, repository), text, "[HOST/]USER/REPO")


def parse_package(text: str) -> Name:
    """`[HOST/]USER/REPO:TAG`."""
    slug, _, tag = text.rpartition(":")
    head, _, repository = slug.rpartition("/")
    host, _, user = head.rpartition("/")
    return _checked(Name(host or DEFAULT_HOST, user, repository, tag), text, "[HOST/]USER/REPO:TAG")


def _checked(name: Name, text: str, form: str) -> Name:
    holds = _HOST.fullmatch(name.host) and valid_user(name.user)
    if "REPO" in form:
        holds = holds and valid_repository(name.repository)
    if "TAG" in form:
        holds = holds and valid_tag(name.tag)
    if not holds:
        raise Misused(Reason.SYNTAX, f"{text!r}: not of the form {form}", hint="TAG is a semantic version, like 1.0.0")
    return name


def is_url(text: str) -> bool:
    """Whether `text` is a URL rather than a slug."""
    return "://" in text


def package_url(text: str) -> str:
    """The URL of a package given as slug or as `https:` URL of its tag."""
    if not is_url(text):
        return parse_package(text).url()
    if not _https(text):
        raise Misused(Reason.USAGE, f"{text!r}: unsupported scheme", hint="give an https: URL or USER/REPO:TAG")
    return text.rstrip("/")


def _https(text: str) -> bool:
    try:
        split = urlsplit(text)
        return split.scheme == "https" and bool(split.hostname) and split.port != 0
    except ValueError:
        return False
