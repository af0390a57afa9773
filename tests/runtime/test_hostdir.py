# SPDX-License-Identifier: Apache-2.0
"""No way out of a folder of the host: not by paths, links, races, devices, nor by renaming across."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from enarx.runtime.wasi import rights
from enarx.runtime.wasi.directory import Opened, Walk
from enarx.runtime.wasi.errno import LOOP, NOTCAPABLE, NOTDIR, PERM, XDEV, WasiError
from enarx.runtime.wasi.hostdir import HostFolder
from enarx.runtime.wasi.volume import Folder, Quota

SECRET = b"the host's own"


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    """A folder with a secret beside it."""
    (tmp_path / "secret").write_bytes(SECRET)
    folder = tmp_path / "inside"
    (folder / "sub").mkdir(parents=True)
    return folder


@pytest.fixture
def folder(inside: Path) -> Iterator[HostFolder]:
    opened = HostFolder(os.open(inside, os.O_PATH | os.O_DIRECTORY))
    yield opened
    opened.close()


def read(folder: HostFolder, path: str) -> bytes:
    """What a guest reads at a path, links followed."""
    with Walk(folder, path, follow=True) as walk:
        file = walk.folder.open(walk.name, Opened(rights.FD_READ, 0, create=False, truncate=False))
        buffer = bytearray(64)
        count = file.read([memoryview(buffer)])
        file.close()
    return bytes(buffer[:count])


def errno_of(folder: HostFolder, path: str) -> int:
    with pytest.raises(WasiError) as caught:
        read(folder, path)
    return caught.value.number


def test_a_file_inside_is_read(folder: HostFolder, inside: Path) -> None:
    (inside / "sub" / "file").write_bytes(b"mine")
    assert read(folder, "sub/../sub/./file") == b"mine"


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../secret", "sub/../../secret", "sub/../../inside/../secret", "./../secret", ".."]
)
def test_no_path_leads_out(folder: HostFolder, path: str) -> None:
    assert errno_of(folder, path) == PERM


@pytest.mark.parametrize("target", ["../secret", "/etc/passwd", "sub/../../secret", ".."])
def test_no_link_of_the_hosts_making_leads_out(folder: HostFolder, inside: Path, target: str) -> None:
    (inside / "link").symlink_to(target)
    assert errno_of(folder, "link") == PERM
    assert errno_of(folder, "link/x") == PERM


def test_a_link_that_stays_inside_is_followed(folder: HostFolder, inside: Path) -> None:
    (inside / "file").write_bytes(b"mine")
    (inside / "sub" / "link").symlink_to("../file")
    assert read(folder, "sub/link") == b"mine"


def test_a_loop_of_links_ends(folder: HostFolder, inside: Path) -> None:
    (inside / "a").symlink_to("b")
    (inside / "b").symlink_to("a")
    assert errno_of(folder, "a") == LOOP


def test_pipes_sockets_and_devices_are_not_opened(folder: HostFolder, inside: Path) -> None:
    os.mkfifo(inside / "pipe")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(inside / "sock"))
    listener.close()
    assert [errno_of(folder, "pipe"), errno_of(folder, "sock")] == [NOTCAPABLE, NOTCAPABLE]
    if os.geteuid() == 0:
        os.mknod(inside / "zero", 0o666 | 0o020000, os.makedev(1, 5))
        assert errno_of(folder, "zero") == NOTCAPABLE


def test_nothing_is_renamed_or_linked_across(folder: HostFolder, inside: Path) -> None:
    (inside / "file").write_bytes(b"mine")
    memory = Folder(Quota(1 << 20))
    for act in (folder.rename, folder.link):
        with pytest.raises(WasiError) as caught:
            act("file", memory, "file")
        assert caught.value.number == XDEV


def test_exchanging_a_folder_for_a_link_meanwhile_wins_nothing(folder: HostFolder, inside: Path) -> None:
    """The guest walks while the host's side swaps `sub` between a folder and a link to the outside."""
    (inside / "sub" / "secret").write_bytes(b"mine")
    (inside / "evil").symlink_to("..")
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            (inside / "sub").rename(inside / "was")
            (inside / "evil").rename(inside / "sub")
            (inside / "sub").rename(inside / "evil")
            (inside / "was").rename(inside / "sub")

    swapper = threading.Thread(target=swap)
    swapper.start()
    seen = set()
    for _ in range(3000):
        try:
            seen.add(read(folder, "sub/secret"))
        except (WasiError, OSError) as error:
            seen.add(type(error).__name__.encode())
    over.set()
    swapper.join()
    assert seen <= {b"mine", b"WasiError", b"FileNotFoundError"}
    assert b"mine" == read(folder, "sub/secret")


def test_a_file_is_no_folder(folder: HostFolder, inside: Path) -> None:
    (inside / "file").write_bytes(b"mine")
    assert errno_of(folder, "file/x") == NOTDIR
