# SPDX-License-Identifier: Apache-2.0
"""The image's lock file: every Debian package and wheel that an image is made of, by digest.

No address stands in it: a package is asked for through the machine's own registry clients.
"""

from __future__ import annotations

import tomllib
from enum import StrEnum
from typing import Any

import msgspec

from enarx.errors import Malformed, Reason

VERSION = 1


class Use(StrEnum):
    """What a Debian package is for."""

    IMAGE = "image"
    """Its files may be in the initramfs."""
    KERNEL = "kernel"
    FIRMWARE = "firmware"
    TOOL = "tool"
    """Used while building, never inside."""


class Deb(msgspec.Struct, frozen=True, kw_only=True):
    """A Debian package, amd64 or all. `suite` is where `enarx image update` looks for a newer one."""

    name: str
    version: str
    suite: str
    use: Use
    sha256: str
    size: int

    @property
    def label(self) -> str:
        """As a person names it."""
        return f"{self.name} {self.version}"


class Wheel(msgspec.Struct, frozen=True, kw_only=True):
    """A Python wheel for the image's interpreter."""

    name: str
    version: str
    sha256: str
    size: int

    @property
    def label(self) -> str:
        """As a person names it."""
        return f"{self.name} {self.version}"


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One archive of a Debian source package. `name` is the file's; `package` and `version` the source's."""

    name: str
    package: str
    version: str
    suite: str
    sha256: str
    size: int

    @property
    def label(self) -> str:
        """As a person names it."""
        return self.name


Entry = Deb | Wheel | Source


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that an image is made of, apart from Enarx itself."""

    debs: tuple[Deb, ...]
    wheels: tuple[Wheel, ...]
    sources: tuple[Source, ...] = ()

    def entries(self) -> tuple[Entry, ...]:
        """Everything that is fetched for an image: packages and wheels."""
        listed: list[Entry] = [*self.debs, *self.wheels]
        return tuple(listed)

    def one(self, use: Use) -> Deb:
        """The only package of a use."""
        found = [deb for deb in self.debs if deb.use is use]
        if len(found) != 1:
            raise Malformed(Reason.MISSING, f"image lock: one package with use = {use.value!r}, found {len(found)}")
        return found[0]


def parse(text: str) -> Lock:
    """A lock file's values; unknown keys are refused."""
    try:
        table: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Malformed(Reason.SYNTAX, f"image lock: {error}") from None
    if table.pop("version", None) != VERSION:
        raise Malformed(Reason.UNKNOWN_VERSION, "image lock")
    if unknown := table.keys() - {"deb", "wheel", "source"}:
        raise Malformed(Reason.UNKNOWN_KEY, f"image lock: {min(unknown)!r}")
    debs = tuple(_entry(row, Deb) for row in table.get("deb", []))
    wheels = tuple(_entry(row, Wheel) for row in table.get("wheel", []))
    sources = tuple(_entry(row, Source) for row in table.get("source", []))
    for entries in (debs, wheels, sources):
        names = [entry.name for entry in entries]
        if len(set(names)) != len(names):
            raise Malformed(Reason.DUPLICATE, "image lock: a name stands twice")
    return Lock(debs=debs, wheels=wheels, sources=sources)


def _entry(row: Any, kind: type[Any]) -> Any:
    names = {field.name for field in msgspec.structs.fields(kind)}
    if not isinstance(row, dict) or row.keys() != names:
        raise Malformed(Reason.UNKNOWN_KEY, f"image lock: {kind.__name__.lower()} needs {sorted(names)}")
    try:
        entry = msgspec.convert(row, kind)
    except msgspec.ValidationError as error:
        raise Malformed(Reason.WRONG_TYPE, f"image lock: {error}") from None
    if len(entry.sha256) != 64 or set(entry.sha256) - set("0123456789abcdef") or entry.size <= 0:
        raise Malformed(Reason.WRONG_LENGTH, f"image lock: {entry.name}")
    return entry


def render(lock: Lock) -> str:
    """The file, one field a line, in the order of names, so that a diff reads well."""
    lines = [
        "# Made by `enarx image update`. What the Keep image is made of; every byte is checked against this.",
        f"version = {VERSION}",
    ]
    for head, entries in (("deb", lock.debs), ("wheel", lock.wheels), ("source", lock.sources)):
        for entry in sorted(entries, key=lambda one: one.name):
            lines += ["", f"[[{head}]]"]
            for name in entry.__struct_fields__:
                value = getattr(entry, name)
                lines.append(f"{name} = {value}" if isinstance(value, int) else f'{name} = "{value}"')
    return "\n".join(lines) + "\n"


def difference(old: Lock, new: Lock) -> list[str]:
    """What moved, one line a package: `name: old -> new`."""
    before = {entry.name: entry for entry in (*old.entries(), *old.sources)}
    after = {entry.name: entry for entry in (*new.entries(), *new.sources)}
    lines: list[str] = []
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name), after.get(name)
        if was == now:
            continue
        if was is None or now is None:
            entry = was or now
            lines.append(f"{'-' if now is None else '+'} {entry.label if entry else name}")
        elif was.version == now.version:
            lines.append(f"! {name}: {was.version} has other bytes: {was.sha256[:12]} -> {now.sha256[:12]}")
        else:
            lines.append(f"~ {name}: {was.version} -> {now.version}")
    return lines
