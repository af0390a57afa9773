# SPDX-License-Identifier: Apache-2.0
"""A folder that a guest may be in: operations on one name at a time, and no way up.

A path is walked component by component here, never handed to anything that would resolve it itself;
what a folder is asked for is always a single name, which is why no `..`, no absolute path and no
symbolic link of the guest's making leads out.
"""
# ruff: noqa: D102 - methods are documented where they are first named, in `descriptor`, `directory` or the specification
# ruff: noqa: ARG002 - the arguments of an operation that the thing lacks

from __future__ import annotations

from typing import Self

from enarx.runtime.wasi import rights
from enarx.runtime.wasi.descriptor import Descriptor, Stat
from enarx.runtime.wasi.errno import BADF, INVAL, ISDIR, LOOP, NOENT, NOTDIR, PERM, ROFS, WasiError

MOST_LINKS = 40
"""Linux's own limit (`MAXSYMLINKS`)."""


class Directory:
    """One folder; by default empty and read-only."""

    def stat(self) -> Stat:
        """The folder itself."""
        return Stat(filetype=rights.IS_DIRECTORY)

    def find(self, name: str) -> Stat:
        """What a name is, a symbolic link not followed; errno NOENT."""
        raise WasiError(NOENT)

    def enter(self, name: str) -> Directory:
        """A subfolder; errno NOTDIR for anything else, a symbolic link included."""
        raise WasiError(NOENT)

    def link_target(self, name: str) -> str:
        """Where a symbolic link points; errno INVAL when it is none."""
        raise WasiError(NOENT)

    def open(self, name: str, how: Opened) -> Descriptor:
        """A regular file or device."""
        raise WasiError(NOENT)

    def make_folder(self, name: str) -> None:
        """Create an empty folder."""
        raise WasiError(ROFS)

    def remove_folder(self, name: str) -> None:
        """Remove an empty folder."""
        raise WasiError(ROFS)

    def unlink(self, name: str) -> None:
        """Remove what is not a folder."""
        raise WasiError(ROFS)

    def symlink(self, name: str, target: str) -> None:
        """Create a symbolic link."""
        raise WasiError(ROFS)

    def link(self, name: str, into: Directory, new: str) -> None:
        """Give a file a second name."""
        raise WasiError(ROFS)

    def rename(self, name: str, into: Directory, new: str) -> None:
        """Move a name, replacing what POSIX lets it replace."""
        raise WasiError(ROFS)

    def set_times(self, name: str, accessed: int | None, modified: int | None) -> None:
        """Set the times of a name, a symbolic link not followed."""
        raise WasiError(ROFS)

    def entries(self) -> list[tuple[str, int, int]]:
        """Name, inode and type of everything inside."""
        return []

    def again(self) -> Directory:
        """The same folder, to be closed by itself."""
        return self

    def sync(self) -> None:
        """Flush to storage."""

    def close(self) -> None:
        """Give back what this holds."""


class Opened:
    """How a file is to be opened.

    Creating and truncating are asked for here; that a name must exist, or must not, was settled before.
    """

    def __init__(self, granted: int, flags: int, *, create: bool, truncate: bool) -> None:
        self.granted = granted
        self.flags = flags
        self.create = create
        self.truncate = truncate

    @property
    def writes(self) -> bool:
        """Whether the file may change through it."""
        return bool(self.granted & rights.FD_WRITE) or self.truncate


class OpenDirectory(Descriptor):
    """An open folder; the root of what paths relative to it can reach."""

    filetype = rights.IS_DIRECTORY

    def __init__(self, folder: Directory, granted: int, inheriting: int, preopen: str = "") -> None:
        super().__init__(granted, inheriting)
        self.folder = folder
        self.preopen = preopen
        self._listing: list[tuple[str, int, int]] = []

    def stat(self) -> Stat:
        return self.folder.stat()

    def listing(self, cookie: int) -> list[tuple[str, int, int]]:
        """Everything inside from a cookie on; a listing read from its start is read anew."""
        if cookie == 0:
            own = (self.folder.stat().inode, rights.IS_DIRECTORY)
            self._listing = [(".", *own), ("..", *own), *self.folder.entries()]
        return self._listing[cookie:]

    def seek(self, offset: int, whence: int) -> int:
        raise WasiError(BADF)

    def set_size(self, size: int) -> None:
        raise WasiError(BADF)

    def set_times(self, accessed: int | None, modified: int | None) -> None:
        self.folder.set_times(".", accessed, modified)

    def sync(self) -> None:
        self.folder.sync()

    def close(self) -> None:
        self.folder.close()


class Walk:
    """Where a path leads: `folder` and, in it, `name` (`.` for the folder itself).

    A context manager, because folders that were entered on the way are closed at its end.
    """

    def __init__(self, base: Directory, path: str, *, follow: bool) -> None:
        if not path:
            raise WasiError(NOENT)
        self._stack = [base]
        self._opened: list[Directory] = []
        self._links = 0
        self.slash = False
        try:
            self.name = self._run(path, follow=follow)
        except BaseException:
            self.leave()
            raise
        self.folder = self._stack[-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Close what was entered."""
        for folder in self._opened:
            folder.close()

    def _run(self, path: str, *, follow: bool) -> str:
        left = self._parts(path)
        self.slash = path.endswith(("/", "/.", "/.."))
        while left:
            part = left.pop()
            if part == "..":
                self._up()
            elif left:
                self._into(part, left)
            elif not (follow or self.slash) or not self._expand(part, left):
                return part
        return "."

    def _parts(self, path: str) -> list[str]:
        """The components, last one first."""
        if path.startswith("/"):
            raise WasiError(PERM)
        return [part for part in reversed(path.split("/")) if part not in ("", ".")]

    def _up(self) -> None:
        if len(self._stack) == 1:
            raise WasiError(PERM)
        self._stack.pop()

    def _into(self, part: str, left: list[str]) -> None:
        try:
            entered = self._stack[-1].enter(part)
        except WasiError as error:
            if error.number != NOTDIR or not self._expand(part, left):
                raise
            return
        self._stack.append(entered)
        self._opened.append(entered)

    def _expand(self, part: str, left: list[str]) -> bool:
        """Put a symbolic link's target in the place of its name; False when it is no link."""
        try:
            target = self._stack[-1].link_target(part)
        except WasiError as error:
            if error.number in (INVAL, NOENT):
                return False
            raise
        self._links += 1
        if self._links > MOST_LINKS:
            raise WasiError(LOOP)
        left.extend(self._parts(target))
        return True

    def require_file_name(self) -> str:
        """The name, which must be able to be a file's: no trailing slash, not the folder itself."""
        if self.name == ".":
            raise WasiError(ISDIR)
        if self.slash:
            raise WasiError(NOTDIR)
        return self.name
