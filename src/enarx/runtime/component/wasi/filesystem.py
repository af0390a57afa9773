# SPDX-License-Identifier: Apache-2.0
"""`wasi:filesystem`: the same folders and files that preview 1 sees, with the same rights."""
# ruff: noqa: D102 - the functions are the specification's

from __future__ import annotations

from typing import Any

from enarx.runtime.component.interface import Interface, wit
from enarx.runtime.component.streams import MOST_BYTES, DescriptorInput, DescriptorOutput, Shared
from enarx.runtime.component.types import BOOL, BYTES, STRING, U64, Borrow, Case, List, Option, Own, Tuple
from enarx.runtime.component.wasi.files import (
    ADVICE,
    ALWAYS,
    DESCRIPTOR_FLAGS,
    ENTRY,
    ERROR_CODE,
    ERRORS,
    HASH,
    HOW,
    KIND,
    KIND_OF,
    MUTATING,
    NEW_TIMESTAMP,
    OPEN_FLAGS,
    PATH_FLAGS,
    SELF,
    STAT,
    SYNC_FLAGS,
    WRITING,
    Entries,
    Handle,
    described,
    fallible,
    moment,
    valid,
)
from enarx.runtime.component.wasi.io import IoError, number
from enarx.runtime.wasi import errno, naming, rights
from enarx.runtime.wasi.descriptor import Descriptor, Stat
from enarx.runtime.wasi.directory import OpenDirectory
from enarx.runtime.wasi.errno import WasiError


class _Failing(Interface):
    def refusal(self, error: Exception) -> str:
        return ERRORS.get(number(error), "io")


class Preopens(Interface):
    """`wasi:filesystem/preopens`."""

    name = "wasi:filesystem/preopens"

    @wit("get-directories", returns=List(Tuple(Own("descriptor"), STRING)))
    def get_directories(self) -> list[tuple[Handle, str]]:
        table = self.launch.table
        return [
            (Handle(Shared.standing(table, number)), one.preopen)
            for number, one in sorted(table.open.items())
            if one.preopen
        ]


class Types(_Failing):
    """`wasi:filesystem/types`."""

    name = "wasi:filesystem/types"
    resources = ("descriptor", "directory-entry-stream")

    @wit("[method]descriptor.read-via-stream", SELF, U64, returns=fallible(Own("input-stream")))
    def read_via_stream(self, file: Handle, offset: int) -> DescriptorInput:
        self._no_folder(file.having(rights.FD_READ))
        return DescriptorInput(file.shared, offset if file.seekable() else None)

    @wit("[method]descriptor.write-via-stream", SELF, U64, returns=fallible(Own("output-stream")))
    def write_via_stream(self, file: Handle, offset: int) -> DescriptorOutput:
        self._no_folder(file.having(rights.FD_WRITE))
        return DescriptorOutput(file.shared, offset if file.seekable() else None)

    @wit("[method]descriptor.append-via-stream", SELF, returns=fallible(Own("output-stream")))
    def append_via_stream(self, file: Handle) -> DescriptorOutput:
        self._no_folder(file.having(rights.FD_WRITE))
        return DescriptorOutput(file.shared, -1 if file.seekable() else None)

    def _no_folder(self, descriptor: Descriptor) -> None:
        if isinstance(descriptor, OpenDirectory):
            raise WasiError(errno.ISDIR)

    @wit("[method]descriptor.advise", SELF, U64, U64, ADVICE, returns=fallible())
    def advise(self, file: Handle, _offset: int, _length: int, _advice: str) -> None:
        file.open.advise()

    @wit("[method]descriptor.sync-data", SELF, returns=fallible())
    def sync_data(self, file: Handle) -> None:
        file.open.sync()

    @wit("[method]descriptor.sync", SELF, returns=fallible())
    def sync(self, file: Handle) -> None:
        file.open.sync()

    @wit("[method]descriptor.get-flags", SELF, returns=fallible(DESCRIPTOR_FLAGS))
    def get_flags(self, file: Handle) -> list[str]:
        granted, flags = file.open.rights, file.open.flags
        is_folder = file.open.filetype == rights.IS_DIRECTORY
        found = ["read"] if is_folder or granted & rights.FD_READ else []
        found += ["write"] if granted & rights.FD_WRITE else []
        found += ["mutate-directory"] if is_folder and granted & rights.PATH_CREATE_FILE else []
        return found + [name for name, bit in SYNC_FLAGS.items() if flags & bit]

    @wit("[method]descriptor.get-type", SELF, returns=fallible(KIND))
    def get_type(self, file: Handle) -> str:
        return KIND_OF.get(file.open.filetype, "unknown")

    @wit("[method]descriptor.set-size", SELF, U64, returns=fallible())
    def set_size(self, file: Handle, size: int) -> None:
        file.having(rights.FD_FILESTAT_SET_SIZE).set_size(size)

    @wit("[method]descriptor.set-times", SELF, NEW_TIMESTAMP, NEW_TIMESTAMP, returns=fallible())
    def set_times(self, file: Handle, accessed: Case, modified: Case) -> None:
        file.having(rights.FD_FILESTAT_SET_TIMES).set_times(moment(accessed), moment(modified))

    @wit("[method]descriptor.read", SELF, U64, U64, returns=fallible(Tuple(BYTES, BOOL)))
    def read(self, file: Handle, length: int, offset: int) -> tuple[bytes, bool]:
        buffer = bytearray(min(length, MOST_BYTES))
        descriptor = file.having(rights.FD_READ)
        view = [memoryview(buffer)]
        count = descriptor.read_at(view, offset) if file.seekable() else descriptor.read(view)
        return bytes(buffer[:count]), count == 0 and length > 0

    @wit("[method]descriptor.write", SELF, BYTES, U64, returns=fallible(U64))
    def write(self, file: Handle, raw: bytes, offset: int) -> int:
        descriptor = file.having(rights.FD_WRITE)
        view = [memoryview(raw)]
        return descriptor.write_at(view, offset) if file.seekable() else descriptor.write(view)

    @wit("[method]descriptor.read-directory", SELF, returns=fallible(Own("directory-entry-stream")))
    def read_directory(self, file: Handle) -> Entries:
        return Entries(file.folder(rights.FD_READDIR).entries())

    @wit(
        "[method]directory-entry-stream.read-directory-entry",
        Borrow("directory-entry-stream"),
        returns=fallible(Option(ENTRY)),
    )
    def read_directory_entry(self, entries: Entries) -> tuple[str, str] | None:
        found = next(entries.left, None)
        return None if found is None else (KIND_OF.get(found[2], "unknown"), valid(found[0]))

    @wit("[method]descriptor.create-directory-at", SELF, STRING, returns=fallible())
    def create_directory_at(self, base: Handle, path: str) -> None:
        naming.make_folder(base.folder(rights.PATH_CREATE_DIRECTORY), naming.checked(path))

    @wit("[method]descriptor.stat", SELF, returns=fallible(STAT))
    def stat(self, file: Handle) -> tuple[Any, ...]:
        return described(file.open.stat())

    @wit("[method]descriptor.stat-at", SELF, PATH_FLAGS, STRING, returns=fallible(STAT))
    def stat_at(self, base: Handle, flags: frozenset[str], path: str) -> tuple[Any, ...]:
        folder = base.folder(rights.PATH_FILESTAT_GET)
        return described(naming.stat(folder, naming.checked(path), follow=bool(flags)))

    @wit("[method]descriptor.set-times-at", SELF, PATH_FLAGS, STRING, NEW_TIMESTAMP, NEW_TIMESTAMP, returns=fallible())
    def set_times_at(self, base: Handle, flags: frozenset[str], path: str, accessed: Case, modified: Case) -> None:
        folder, asked = base.folder(rights.PATH_FILESTAT_SET_TIMES), (moment(accessed), moment(modified))
        naming.set_times(folder, naming.checked(path), asked, follow=bool(flags))

    @wit("[method]descriptor.link-at", SELF, PATH_FLAGS, STRING, SELF, STRING, returns=fallible())
    def link_at(self, base: Handle, flags: frozenset[str], path: str, target: Handle, new_path: str) -> None:
        if flags:
            raise WasiError(errno.INVAL)
        source, into = base.folder(rights.PATH_LINK_SOURCE), target.folder(rights.PATH_LINK_TARGET)
        naming.link(source, naming.checked(path), into, naming.checked(new_path))

    @wit(
        "[method]descriptor.open-at",
        *(SELF, PATH_FLAGS, STRING, OPEN_FLAGS, DESCRIPTOR_FLAGS),
        returns=fallible(Own("descriptor")),
    )
    def open_at(
        self, base: Handle, follow: frozenset[str], path: str, opening: frozenset[str], flags: frozenset[str]
    ) -> Handle:
        how = sum(HOW[name] for name in opening)
        granted = ALWAYS | MUTATING | (rights.FD_READ if "read" in flags else 0)
        granted |= WRITING if "write" in flags else 0
        folder = naming.folder_of(base.open, naming.needed(how))
        if granted & WRITING & ~folder.inheriting:
            raise WasiError(errno.NOTCAPABLE)
        synced = sum(bit for name, bit in SYNC_FLAGS.items() if name in flags)
        opened = naming.open_path(
            folder, naming.checked(path), how, granted, folder.inheriting, synced, follow=bool(follow)
        )
        return Handle(Shared.opened(self.launch.table, opened))

    @wit("[method]descriptor.readlink-at", SELF, STRING, returns=fallible(STRING))
    def readlink_at(self, base: Handle, path: str) -> str:
        return valid(naming.read_link(base.folder(rights.PATH_READLINK), naming.checked(path)))

    @wit("[method]descriptor.remove-directory-at", SELF, STRING, returns=fallible())
    def remove_directory_at(self, base: Handle, path: str) -> None:
        naming.remove_folder(base.folder(rights.PATH_REMOVE_DIRECTORY), naming.checked(path))

    @wit("[method]descriptor.rename-at", SELF, STRING, SELF, STRING, returns=fallible())
    def rename_at(self, base: Handle, path: str, target: Handle, new_path: str) -> None:
        source, into = base.folder(rights.PATH_RENAME_SOURCE), target.folder(rights.PATH_RENAME_TARGET)
        naming.rename(source, naming.checked(path), into, naming.checked(new_path))

    @wit("[method]descriptor.symlink-at", SELF, STRING, STRING, returns=fallible())
    def symlink_at(self, base: Handle, pointing: str, path: str) -> None:
        naming.symlink(naming.checked(pointing), base.folder(rights.PATH_SYMLINK), naming.checked(path))

    @wit("[method]descriptor.unlink-file-at", SELF, STRING, returns=fallible())
    def unlink_file_at(self, base: Handle, path: str) -> None:
        naming.unlink(base.folder(rights.PATH_UNLINK_FILE), naming.checked(path))

    @wit("[method]descriptor.is-same-object", SELF, SELF, returns=BOOL)
    def is_same_object(self, one: Handle, other: Handle) -> bool:
        return _identity(one.open.stat()) == _identity(other.open.stat())

    @wit("[method]descriptor.metadata-hash", SELF, returns=fallible(HASH))
    def metadata_hash(self, file: Handle) -> tuple[int, int]:
        return _identity(file.open.stat())

    @wit("[method]descriptor.metadata-hash-at", SELF, PATH_FLAGS, STRING, returns=fallible(HASH))
    def metadata_hash_at(self, base: Handle, flags: frozenset[str], path: str) -> tuple[int, int]:
        folder = base.folder(rights.PATH_FILESTAT_GET)
        return _identity(naming.stat(folder, naming.checked(path), follow=bool(flags)))

    @wit("filesystem-error-code", Borrow("error"), returns=Option(ERROR_CODE))
    def filesystem_error_code(self, error: IoError) -> str | None:
        return ERRORS.get(error.number, "io")


def _identity(found: Stat) -> tuple[int, int]:
    """What stays the same as long as a file is the same."""
    return found.inode, found.device
