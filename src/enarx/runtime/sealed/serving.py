# SPDX-License-Identifier: Apache-2.0
"""Answers what a guest's process asks of its sealed volume. The asker may be hostile by now."""

from __future__ import annotations

import struct
from collections.abc import Callable

from enarx.errors import EnarxError
from enarx.runtime.sealed import request
from enarx.runtime.sealed.file import SealedFile
from enarx.runtime.sealed.volume import Volume
from enarx.runtime.wasi.errno import BADF, INVAL, IO, ISDIR, MFILE, NAMETOOLONG, NOTDIR, WasiError
from enarx.runtime.wasi.volume import MAX_NAME, Folder, Node, Symlink

DEVICE = 3
MOST_OPEN = 4096
MAX_TARGET = 4096
_CHANGING = frozenset(
    {request.MKDIR, request.RMDIR, request.UNLINK, request.SYMLINK, request.LINK, request.RENAME}
    | {request.WRITE, request.SIZE, request.TIMES}
)


class Serving:
    """One volume for one guest. `report` hears of what is wrong with the volume."""

    def __init__(self, volume: Volume, report: Callable[[EnarxError], None]) -> None:
        self._volume = volume
        self._report = report
        self._open: dict[int, SealedFile] = {}
        self._acts: dict[bytes, Callable[..., list[bytes]]] = {
            request.STAT: self._stat,
            request.FIND: self._find,
            request.LIST: self._list,
            request.TARGET: self._target,
            request.OPEN: self._opened,
            request.CLOSE: self._close,
            request.READ: self._read,
            request.WRITE: self._write,
            request.SIZE: self._size,
            request.TIMES: self._times,
            request.SYNC: self._sync,
            request.MKDIR: self._mkdir,
            request.RMDIR: self._rmdir,
            request.UNLINK: self._unlink,
            request.SYMLINK: self._symlink,
            request.LINK: self._link,
            request.RENAME: self._rename,
        }

    def answer(self, fields: list[bytes]) -> list[bytes] | int:
        """The fields of the answer, or a WASI error number."""
        try:
            act = self._acts[fields[0]]
            answered = act(*fields[1:])
            self._volume.changed |= fields[0] in _CHANGING
            self._volume.prune()
            if self._volume.due():
                self._volume.commit()
        except WasiError as error:
            return error.number
        except EnarxError as error:
            self._report(error)
            return IO
        except (LookupError, TypeError, ValueError, struct.error):
            return INVAL
        return answered

    def finish(self) -> None:
        """The guest has ended: what it wrote is committed."""
        try:
            self._volume.commit()
        except EnarxError as error:
            self._report(error)

    def _node(self, field: bytes) -> Node:
        (inode,) = request.NUMBER.unpack(field)
        node = self._volume.nodes.get(inode)
        if node is None:
            raise WasiError(BADF)
        return node

    def _folder(self, field: bytes) -> Folder:
        node = self._node(field)
        if not isinstance(node, Folder):
            raise WasiError(NOTDIR)
        return node

    def _file(self, field: bytes) -> SealedFile:
        (inode,) = request.NUMBER.unpack(field)
        file = self._open.get(inode)
        if file is None:
            raise WasiError(BADF)
        return file

    def _below(self, folder: bytes, name: bytes) -> Node:
        inside, wanted = self._folder(folder), _name(name)
        inside.find(wanted)
        return inside.nodes[wanted]

    def _stat(self, node: bytes) -> list[bytes]:
        return [request.stated(self._node(node).stat()._replace(device=DEVICE))]

    def _find(self, folder: bytes, name: bytes) -> list[bytes]:
        return [request.stated(self._below(folder, name).stat()._replace(device=DEVICE))]

    def _list(self, folder: bytes) -> list[bytes]:
        entries = self._folder(folder).entries()
        return [part for name, *rest in entries for part in (name.encode(), request.ENTRY.pack(*rest))]

    def _target(self, folder: bytes, name: bytes) -> list[bytes]:
        node = self._below(folder, name)
        if not isinstance(node, Symlink):
            raise WasiError(INVAL)
        return [node.target.encode()]

    def _opened(self, folder: bytes, name: bytes, how: bytes) -> list[bytes]:
        inside, wanted, (flags,) = self._folder(folder), _name(name), request.NUMBER.unpack(how)
        if len(self._open) >= MOST_OPEN:
            raise WasiError(MFILE)
        node = inside.nodes.get(wanted)
        if node is None and flags & request.CREATE:
            inside.free(wanted)
            inside.put(wanted, inside.new_file())
            self._volume.changed = True
        node = self._below(folder, name)
        if not isinstance(node, SealedFile):
            raise WasiError(ISDIR)
        if flags & request.TRUNCATE:
            node.resize(0)
            self._volume.changed = True
        node.opens += 1
        self._open[node.inode] = node
        return [request.number(node.inode)]

    def _close(self, inode: bytes) -> list[bytes]:
        file = self._file(inode)
        file.opens -= 1
        if file.opens == 0:
            del self._open[file.inode]
        file.released()
        return []

    def _read(self, inode: bytes, offset: bytes, count: bytes) -> list[bytes]:
        (start,), (wanted,) = request.NUMBER.unpack(offset), request.NUMBER.unpack(count)
        if start < 0 or wanted < 0:
            raise WasiError(INVAL)
        return [self._file(inode).read(start, min(wanted, request.MOST_BYTES))]

    def _write(self, inode: bytes, offset: bytes, data: bytes) -> list[bytes]:
        file, (start,) = self._file(inode), request.NUMBER.unpack(offset)
        if start < request.AT_END:
            raise WasiError(INVAL)
        at = file.length if start == request.AT_END else start
        return [request.number(file.write(at, data[: request.MOST_BYTES]))]

    def _size(self, inode: bytes, size: bytes) -> list[bytes]:
        (wanted,) = request.NUMBER.unpack(size)
        if wanted < 0:
            raise WasiError(INVAL)
        self._file(inode).resize(wanted)
        return []

    def _times(self, node: bytes, accessed: bytes, modified: bytes) -> list[bytes]:
        moments = [moment for field in (accessed, modified) for moment in request.NUMBER.unpack(field)]
        self._node(node).stamp(*(None if moment == request.NO_TIME else moment for moment in moments))
        return []

    def _sync(self) -> list[bytes]:
        self._volume.commit()
        return []

    def _mkdir(self, folder: bytes, name: bytes) -> list[bytes]:
        self._folder(folder).make_folder(_name(name))
        return []

    def _rmdir(self, folder: bytes, name: bytes) -> list[bytes]:
        self._folder(folder).remove_folder(_name(name))
        return []

    def _unlink(self, folder: bytes, name: bytes) -> list[bytes]:
        self._folder(folder).unlink(_name(name))
        return []

    def _symlink(self, folder: bytes, name: bytes, target: bytes) -> list[bytes]:
        if len(target) > MAX_TARGET:
            raise WasiError(NAMETOOLONG)
        self._folder(folder).symlink(_name(name), target.decode())
        return []

    def _link(self, folder: bytes, name: bytes, into: bytes, new: bytes) -> list[bytes]:
        self._folder(folder).link(_name(name), self._folder(into), _name(new))
        return []

    def _rename(self, folder: bytes, name: bytes, into: bytes, new: bytes) -> list[bytes]:
        self._folder(folder).rename(_name(name), self._folder(into), _name(new))
        return []


def _name(field: bytes) -> str:
    """A single name: the guest's process walks paths, and must not be believed that it did."""
    name = field.decode()
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise WasiError(INVAL)
    if len(field) > MAX_NAME:
        raise WasiError(NAMETOOLONG)
    return name
