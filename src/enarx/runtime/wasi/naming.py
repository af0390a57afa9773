# SPDX-License-Identifier: Apache-2.0
"""What can be done with a path relative to an open folder. Errnos as POSIX has them.

Both generations of WASI stand on this: preview 1 reads paths from the guest's memory, 0.2 gets strings.
"""

from __future__ import annotations

from enarx.runtime.wasi import rights
from enarx.runtime.wasi.descriptor import Descriptor, Stat
from enarx.runtime.wasi.directory import Directory, OpenDirectory, Opened, Walk
from enarx.runtime.wasi.errno import EXIST, INVAL, ISDIR, LOOP, NAMETOOLONG, NOENT, NOTCAPABLE, NOTDIR, PERM, WasiError

CREAT, DIRECTORY, EXCL, TRUNC = 1, 2, 4, 8
MAX_PATH = 4096


def folder_of(descriptor: Descriptor, needed: int) -> OpenDirectory:
    """An open folder with these rights; errno NOTDIR or NOTCAPABLE."""
    if not isinstance(descriptor, OpenDirectory):
        raise WasiError(NOTDIR)
    if needed & ~descriptor.rights:
        raise WasiError(NOTCAPABLE)
    return descriptor


def checked(path: str) -> str:
    """A path of the guest; errno NAMETOOLONG, INVAL for NUL."""
    if len(path) > MAX_PATH or len(path.encode()) > MAX_PATH:
        raise WasiError(NAMETOOLONG)
    if "\0" in path:
        raise WasiError(INVAL)
    return path


def make_folder(base: Directory, path: str) -> None:
    """Create an empty folder."""
    with Walk(base, path, follow=False) as walk:
        if walk.name == ".":
            raise WasiError(EXIST)
        walk.folder.make_folder(walk.name)


def stat(base: Directory, path: str, *, follow: bool) -> Stat:
    """What a path leads to."""
    with Walk(base, path, follow=follow) as walk:
        return _found(walk)


def set_times(base: Directory, path: str, asked: tuple[int | None, int | None], *, follow: bool) -> None:
    """Set access and modification time in nanoseconds; None leaves one alone."""
    with Walk(base, path, follow=follow) as walk:
        _found(walk)
        walk.folder.set_times(walk.name, *asked)


def link(source: Directory, path: str, target: Directory, new_path: str) -> None:
    """Give a file a second name."""
    with Walk(source, path, follow=False) as old, Walk(target, new_path, follow=False) as new:
        if _found(old).filetype == rights.IS_DIRECTORY:
            raise WasiError(PERM)
        if new.slash or new.name == ".":
            raise WasiError(EXIST if _exists(new) else NOENT)
        old.folder.link(old.name, new.folder, new.name)


def read_link(base: Directory, path: str) -> str:
    """Where a symbolic link points."""
    with Walk(base, path, follow=False) as walk:
        if walk.name == ".":
            raise WasiError(INVAL)
        return walk.folder.link_target(walk.name)


def remove_folder(base: Directory, path: str) -> None:
    """Remove an empty folder."""
    with Walk(base, path, follow=False) as walk:
        if walk.name == ".":
            raise WasiError(INVAL)
        walk.folder.remove_folder(walk.name)


def rename(source: Directory, path: str, target: Directory, new_path: str) -> None:
    """Move a name, replacing what POSIX lets it replace."""
    with Walk(source, path, follow=False) as old, Walk(target, new_path, follow=False) as new:
        if "." in (old.name, new.name):
            raise WasiError(INVAL)
        is_folder = _found(old).filetype == rights.IS_DIRECTORY
        if (old.slash or new.slash) and not is_folder:
            raise WasiError(NOTDIR)
        old.folder.rename(old.name, new.folder, new.name)


def symlink(pointing: str, base: Directory, path: str) -> None:
    """Create a symbolic link, which may not point to an absolute path."""
    if pointing.startswith("/"):
        raise WasiError(PERM)
    with Walk(base, path, follow=False) as walk:
        if not pointing:
            raise WasiError(NOENT)
        if walk.slash or walk.name == ".":
            raise WasiError(EXIST if _exists(walk) else NOENT)
        walk.folder.symlink(walk.name, pointing)


def unlink(base: Directory, path: str) -> None:
    """Remove what is not a folder."""
    with Walk(base, path, follow=False) as walk:
        if walk.name == "." or _found(walk).filetype == rights.IS_DIRECTORY:
            raise WasiError(ISDIR)
        walk.folder.unlink(walk.require_file_name())


def open_path(
    folder: OpenDirectory, path: str, how: int, granted: int, inheriting: int, flags: int, *, follow: bool
) -> Descriptor:
    """Open what a path leads to, or create it; `how` are preview 1's `oflags`.

    granted, inheriting  the rights asked for; no more than the folder hands on are given
    """
    if how & ~15 or (how & CREAT and how & DIRECTORY):
        raise WasiError(INVAL)
    follow = follow and how & (CREAT | EXCL) != CREAT | EXCL
    asked = Opened(granted & folder.inheriting, flags, create=bool(how & CREAT), truncate=bool(how & TRUNC))
    with Walk(folder.folder, path, follow=follow) as walk:
        return _opened(walk, how, asked, inheriting & folder.inheriting)


def needed(how: int) -> int:
    """The rights that opening in this way takes."""
    found = rights.PATH_OPEN
    found |= rights.PATH_CREATE_FILE if how & CREAT else 0
    return found | (rights.PATH_FILESTAT_SET_SIZE if how & TRUNC else 0)


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
    wants_file = how & (CREAT | TRUNC) or asked.granted & rights.FD_WRITE
    if wants_file:
        raise WasiError(ISDIR)
    folder = walk.folder if walk.name == "." else walk.folder.enter(walk.name)
    if walk.name == ".":
        folder = folder.again()
    return OpenDirectory(folder, asked.granted & rights.DIRECTORY, inheriting)
