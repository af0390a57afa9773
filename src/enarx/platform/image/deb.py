# SPDX-License-Identifier: Apache-2.0
"""Files out of a Debian package: an `ar` archive that holds a tar archive (deb(5))."""

from __future__ import annotations

import io
import lzma
import posixpath
import tarfile
import zlib
from collections.abc import Callable

import msgspec

from enarx.errors import Malformed, Reason

_MAGIC = b"!<arch>\n"
_HEADER = 60


class Member(msgspec.Struct, frozen=True):
    """A file of an archive: contents, whether it may be executed, or where a symbolic link leads."""

    body: bytes
    executable: bool = False
    link: str = ""


def _parts(raw: bytes) -> dict[str, bytes]:
    if not raw.startswith(_MAGIC):
        raise Malformed(Reason.SYNTAX, "Debian package: not an ar archive")
    parts: dict[str, bytes] = {}
    at = len(_MAGIC)
    while at + _HEADER <= len(raw):
        header = raw[at : at + _HEADER]
        name, digits = header[:16].decode("ascii", "replace").rstrip(), header[48:58].strip()
        if header[58:] != b"`\n" or not digits.isdigit():
            raise Malformed(Reason.SYNTAX, f"Debian package: member header at {at:#x}")
        start, size = at + _HEADER, int(digits)
        if start + size > len(raw):
            raise Malformed(Reason.TRUNCATED, f"Debian package: {name}")
        parts[name] = raw[start : start + size]
        at = start + size + size % 2
    return parts


def payload(raw: bytes) -> bytes:
    """The uncompressed tar archive of a package's files."""
    for name, body in _parts(raw).items():
        if name.startswith("data.tar"):
            try:
                return _DECOMPRESS[name](body)
            except KeyError:
                raise Malformed(Reason.ALGORITHM, f"Debian package: {name}") from None
            except (lzma.LZMAError, zlib.error) as error:
                raise Malformed(Reason.SYNTAX, f"Debian package: {name}: {error}") from None
    raise Malformed(Reason.MISSING, "Debian package: data.tar")


_DECOMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "data.tar": bytes,
    "data.tar.xz": lzma.decompress,
    "data.tar.gz": lambda body: zlib.decompress(body, wbits=31),
}


def members(tar: bytes, wanted: Callable[[str], bool]) -> dict[str, Member]:
    """The wanted files by their absolute path, hard links resolved."""
    found: dict[str, Member] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as archive:
            for entry in archive:
                path = posixpath.normpath("/" + entry.name)
                if not wanted(path):
                    continue
                if entry.issym():
                    target = posixpath.join(posixpath.dirname(path), entry.linkname)
                    found[path] = Member(b"", link=posixpath.normpath(target))
                elif entry.isfile() or entry.islnk():
                    body = archive.extractfile(entry)
                    found[path] = Member(body.read() if body else b"", executable=bool(entry.mode & 0o111))
    except (tarfile.TarError, KeyError, EOFError) as error:
        raise Malformed(Reason.SYNTAX, f"Debian package: {error}") from None
    return found


def pack(files: dict[str, Member]) -> bytes:
    """Members as one byte string, for the cache; `unpack` reads it."""
    return msgspec.msgpack.encode(files)


def unpack(raw: bytes) -> dict[str, Member]:
    """What `pack` wrote."""
    return msgspec.msgpack.decode(raw, type=dict[str, Member])
