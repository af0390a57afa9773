# SPDX-License-Identifier: Apache-2.0
"""The `path_*` functions. Source: wasi_snapshot_preview1."""
# ruff: noqa: D102 - the functions are the specification's

from __future__ import annotations

from enarx.runtime.wasi import naming, rights
from enarx.runtime.wasi.descriptor import Table
from enarx.runtime.wasi.directory import Directory
from enarx.runtime.wasi.errno import ILSEQ, INVAL, NAMETOOLONG, WasiError
from enarx.runtime.wasi.fd import filestat, times
from enarx.runtime.wasi.memory import GuestMemory
from enarx.runtime.wasi.naming import MAX_PATH, checked, folder_of

FOLLOW = 1


class Paths:
    """Functions that take a path relative to an open folder."""

    def __init__(self, memory: GuestMemory, table: Table) -> None:
        self._memory = memory
        self._table = table

    def _folder(self, fd: int, needed: int) -> Directory:
        return folder_of(self._table.get(fd), needed).folder

    def _path(self, pointer: int, length: int) -> str:
        if length > MAX_PATH:
            raise WasiError(NAMETOOLONG)
        try:
            return checked(self._memory.text(pointer, length).decode())
        except UnicodeDecodeError:
            raise WasiError(ILSEQ) from None

    def path_create_directory(self, fd: int, path: int, length: int) -> int:
        naming.make_folder(self._folder(fd, rights.PATH_CREATE_DIRECTORY), self._path(path, length))
        return 0

    def path_filestat_get(self, fd: int, flags: int, path: int, length: int, result: int) -> int:
        base = self._folder(fd, rights.PATH_FILESTAT_GET)
        self._memory.at(result, 64)
        found = naming.stat(base, self._path(path, length), follow=bool(flags & FOLLOW))
        self._memory.put(result, filestat(found))
        return 0

    def path_filestat_set_times(
        self, fd: int, flags: int, path: int, length: int, accessed: int, modified: int, which: int
    ) -> int:
        base = self._folder(fd, rights.PATH_FILESTAT_SET_TIMES)
        asked = times(accessed, modified, which)
        naming.set_times(base, self._path(path, length), asked, follow=bool(flags & FOLLOW))
        return 0

    def path_link(
        self, fd: int, flags: int, path: int, length: int, new_fd: int, new_path: int, new_length: int
    ) -> int:
        source = self._folder(fd, rights.PATH_LINK_SOURCE)
        target = self._folder(new_fd, rights.PATH_LINK_TARGET)
        if flags & FOLLOW:
            raise WasiError(INVAL)
        naming.link(source, self._path(path, length), target, self._path(new_path, new_length))
        return 0

    def path_open(
        self,
        fd: int,
        lookup: int,
        path: int,
        length: int,
        how: int,
        base: int,
        inheriting: int,
        flags: int,
        result: int,
    ) -> int:
        folder = folder_of(self._table.get(fd), naming.needed(how))
        self._memory.at(result, 4)
        follow = bool(lookup & FOLLOW)
        opened = naming.open_path(folder, self._path(path, length), how, base, inheriting, flags, follow=follow)
        self._memory.put_word(result, self._table.add(opened))
        return 0

    def path_readlink(self, fd: int, path: int, length: int, buffer: int, room: int, result: int) -> int:
        base = self._folder(fd, rights.PATH_READLINK)
        target = self._memory.span(buffer, room)
        self._memory.at(result, 4)
        raw = naming.read_link(base, self._path(path, length)).encode("utf-8", "surrogateescape")[:room]
        target[: len(raw)] = raw
        self._memory.put_word(result, len(raw))
        return 0

    def path_remove_directory(self, fd: int, path: int, length: int) -> int:
        naming.remove_folder(self._folder(fd, rights.PATH_REMOVE_DIRECTORY), self._path(path, length))
        return 0

    def path_rename(self, fd: int, path: int, length: int, new_fd: int, new_path: int, new_length: int) -> int:
        source = self._folder(fd, rights.PATH_RENAME_SOURCE)
        target = self._folder(new_fd, rights.PATH_RENAME_TARGET)
        naming.rename(source, self._path(path, length), target, self._path(new_path, new_length))
        return 0

    def path_symlink(self, target: int, target_length: int, fd: int, path: int, length: int) -> int:
        base = self._folder(fd, rights.PATH_SYMLINK)
        naming.symlink(self._path(target, target_length), base, self._path(path, length))
        return 0

    def path_unlink_file(self, fd: int, path: int, length: int) -> int:
        naming.unlink(self._folder(fd, rights.PATH_UNLINK_FILE), self._path(path, length))
        return 0
