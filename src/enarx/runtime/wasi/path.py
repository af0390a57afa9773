# SPDX-License-Identifier: Apache-2.0
"""The `path_*` functions. Source: wasi_snapshot_preview1; errnos as POSIX has them."""
# ruff: noqa: D102 - the functions are the specification's

from __future__ import annotations

from enarx.runtime.wasi import rights
from enarx.runtime.wasi.descriptor import Descriptor, Stat, Table
from enarx.runtime.wasi.directory import Directory, OpenDirectory, Opened, Walk
from enarx.runtime.wasi.errno import (
    EXIST,
    ILSEQ,
    INVAL,
    ISDIR,
    LOOP,
    NAMETOOLONG,
    NOENT,
    NOTCAPABLE,
    NOTDIR,
    PERM,
    WasiError,
)
from enarx.runtime.wasi.fd import filestat, times
from enarx.runtime.wasi.memory import GuestMemory

FOLLOW = 1
CREAT, DIRECTORY, EXCL, TRUNC = 1, 2, 4, 8
MAX_PATH = 4096


class Paths:
    """Functions that take a path relative to an open folder."""

    def __init__(self, memory: GuestMemory, table: Table) -> None:
        self._memory = memory
        self._table = table

    def _folder(self, fd: int, needed: int) -> Directory:
        return self._open_folder(fd, needed).folder

    def _open_folder(self, fd: int, needed: int) -> OpenDirectory:
        descriptor = self._table.get(fd)
        if not isinstance(descriptor, OpenDirectory):
            raise WasiError(NOTDIR)
        if needed & ~descriptor.rights:
            raise WasiError(NOTCAPABLE)
        return descriptor

    def _path(self, pointer: int, length: int) -> str:
        if length > MAX_PATH:
            raise WasiError(NAMETOOLONG)
        try:
            path = self._memory.text(pointer, length).decode()
        except UnicodeDecodeError:
            raise WasiError(ILSEQ) from None
        if "\0" in path:
            raise WasiError(INVAL)
        return path

    def path_create_directory(self, fd: int, path: int, length: int) -> int:
        base = self._folder(fd, rights.PATH_CREATE_DIRECTORY)
        with Walk(base, self._path(path, length), follow=False) as walk:
            if walk.name == ".":
                raise WasiError(EXIST)
            walk.folder.make_folder(walk.name)
        return 0

    def path_filestat_get(self, fd: int, flags: int, path: int, length: int, result: int) -> int:
        base = self._folder(fd, rights.PATH_FILESTAT_GET)
        self._memory.at(result, 64)
        with Walk(base, self._path(path, length), follow=bool(flags & FOLLOW)) as walk:
            found = _found(walk)
        self._memory.put(result, filestat(found))
        return 0

    def path_filestat_set_times(
        self, fd: int, flags: int, path: int, length: int, accessed: int, modified: int, which: int
    ) -> int:
        base = self._folder(fd, rights.PATH_FILESTAT_SET_TIMES)
        asked = times(accessed, modified, which)
        with Walk(base, self._path(path, length), follow=bool(flags & FOLLOW)) as walk:
            _found(walk)
            walk.folder.set_times(walk.name, *asked)
        return 0

    def path_link(
        self, fd: int, flags: int, path: int, length: int, new_fd: int, new_path: int, new_length: int
    ) -> int:
        source = self._folder(fd, rights.PATH_LINK_SOURCE)
        target = self._folder(new_fd, rights.PATH_LINK_TARGET)
        if flags & FOLLOW:
            raise WasiError(INVAL)
        with (
            Walk(source, self._path(path, length), follow=False) as old,
            Walk(target, self._path(new_path, new_length), follow=False) as new,
        ):
            if _found(old).filetype == rights.IS_DIRECTORY:
                raise WasiError(PERM)
            if new.slash or new.name == ".":
                raise WasiError(EXIST if _exists(new) else NOENT)
            old.folder.link(old.name, new.folder, new.name)
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
        folder = self._open_folder(fd, _needed(how))
        self._memory.at(result, 4)
        if how & ~15 or (how & CREAT and how & DIRECTORY):
            raise WasiError(INVAL)
        follow = bool(lookup & FOLLOW) and how & (CREAT | EXCL) != CREAT | EXCL
        asked = Opened(base & folder.inheriting, flags, create=bool(how & CREAT), truncate=bool(how & TRUNC))
        with Walk(folder.folder, self._path(path, length), follow=follow) as walk:
            opened = _opened(walk, how, asked, inheriting & folder.inheriting)
        self._memory.put_word(result, self._table.add(opened))
        return 0

    def path_readlink(self, fd: int, path: int, length: int, buffer: int, room: int, result: int) -> int:
        base = self._folder(fd, rights.PATH_READLINK)
        target = self._memory.span(buffer, room)
        self._memory.at(result, 4)
        with Walk(base, self._path(path, length), follow=False) as walk:
            if walk.name == ".":
                raise WasiError(INVAL)
            raw = walk.folder.link_target(walk.name).encode("utf-8", "surrogateescape")[:room]
        target[: len(raw)] = raw
        self._memory.put_word(result, len(raw))
        return 0

    def path_remove_directory(self, fd: int, path: int, length: int) -> int:
        base = self._folder(fd, rights.PATH_REMOVE_DIRECTORY)
        with Walk(base, self._path(path, length), follow=False) as walk:
            if walk.name == ".":
                raise WasiError(INVAL)
            walk.folder.remove_folder(walk.name)
        return 0

    def path_rename(self, fd: int, path: int, length: int, new_fd: int, new_path: int, new_length: int) -> int:
        source = self._folder(fd, rights.PATH_RENAME_SOURCE)
        target = self._folder(new_fd, rights.PATH_RENAME_TARGET)
        with (
            Walk(source, self._path(path, length), follow=False) as old,
            Walk(target, self._path(new_path, new_length), follow=False) as new,
        ):
            if "." in (old.name, new.name):
                raise WasiError(INVAL)
            is_folder = _found(old).filetype == rights.IS_DIRECTORY
            if (old.slash or new.slash) and not is_folder:
                raise WasiError(NOTDIR)
            old.folder.rename(old.name, new.folder, new.name)
        return 0

    def path_symlink(self, target: int, target_length: int, fd: int, path: int, length: int) -> int:
        base = self._folder(fd, rights.PATH_SYMLINK)
        pointing = self._path(target, target_length)
        if pointing.startswith("/"):
            raise WasiError(PERM)
        with Walk(base, self._path(path, length), follow=False) as walk:
            if not pointing:
                raise WasiError(NOENT)
            if walk.slash or walk.name == ".":
                raise WasiError(EXIST if _exists(walk) else NOENT)
            walk.folder.symlink(walk.name, pointing)
        return 0

    def path_unlink_file(self, fd: int, path: int, length: int) -> int:
        base = self._folder(fd, rights.PATH_UNLINK_FILE)
        with Walk(base, self._path(path, length), follow=False) as walk:
            if walk.name == "." or _found(walk).filetype == rights.IS_DIRECTORY:
                raise WasiError(ISDIR)
            walk.folder.unlink(walk.require_file_name())
        return 0


def _needed(how: int) -> int:
    """The rights that opening in this way takes."""
    needed = rights.PATH_OPEN
    needed |= rights.PATH_CREATE_FILE if how & CREAT else 0
    return needed | (rights.PATH_FILESTAT_SET_SIZE if how & TRUNC else 0)


def _found(walk: Walk) -> Stat:
    """What a path leads to; a trailing slash makes it a folder or an error."""
    if walk.name == ".":
        return walk.folder.stat()
    found = walk.folder.find(walk.name)
    if walk.slash and found.filetype != rights.IS_DIRECTORY:
        raise WasiError(NOTDIR)
    return found


def _exists(walk: Walk) -> bool:
    try:
        _found(walk)
    except WasiError as error:
        if error.number == NOENT:
            return False
        raise
    return True


def _opened(walk: Walk, how: int, asked: Opened, inheriting: int) -> Descriptor:
    if not _exists(walk):
        if not how & CREAT:
            raise WasiError(NOENT)
        if walk.slash:
            raise WasiError(ISDIR)
        asked.granted &= rights.FILE
        return walk.folder.open(walk.name, asked)
    found = _found(walk)
    if how & CREAT and how & EXCL:
        raise WasiError(EXIST)
    match found.filetype:
        case rights.SYMBOLIC_LINK:
            raise WasiError(LOOP)
        case rights.IS_DIRECTORY:
            return _opened_folder(walk, how, asked, inheriting)
        case _ if how & DIRECTORY:
            raise WasiError(NOTDIR)
        case _:
            asked.granted &= rights.FILE
            asked.create = False
            return walk.folder.open(walk.name, asked)


def _opened_folder(walk: Walk, how: int, asked: Opened, inheriting: int) -> Descriptor:
    wants_file = how & (CREAT | TRUNC) or (asked.granted & rights.FD_WRITE and not how & DIRECTORY)
    if wants_file:
        raise WasiError(ISDIR)
    folder = walk.folder if walk.name == "." else walk.folder.enter(walk.name)
    if walk.name == ".":
        folder = folder.again()
    return OpenDirectory(folder, asked.granted & rights.DIRECTORY, inheriting)
