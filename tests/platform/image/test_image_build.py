"""The image: the same bytes everywhere, small, and each file with its origin."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from enarx.errors import EnarxError, Malformed, Reason, Undetermined
from enarx.platform.image import folder_store
from enarx.platform.image import manifest as manifests
from enarx.platform.image.build import BILL, CMDLINE, INITRD, KERNEL, KERNEL_ELF, MANIFEST, Image
from enarx.platform.image.lock import Deb, Lock, Use, Wheel
from enarx.platform.image.store import Store

BUILD = """
import sys
from pathlib import Path
import msgspec
from enarx.platform.image import folder_store
from enarx.platform.image.build import build
from enarx.platform.image.lock import parse
from enarx.platform.image.store import Store
lock = parse(Path(sys.argv[1]).read_text())
store = Store(Path(sys.argv[2]))
fetched = folder_store.fetch(lock, store, say=print)
own = msgspec.msgpack.decode(Path(sys.argv[4]).read_bytes(), type=dict[str, bytes])
image = build(lock, own, fetched=fetched, store=store, version="0")
folder_store.write(image, Path(sys.argv[3]))
"""


@pytest.mark.slow
def test_another_folder_time_zone_hash_seed_and_an_empty_cache_give_the_same_bytes(
    built: Image, image_inputs: tuple[Lock, Store, Any], own: dict[str, bytes], tmp_path: Path
) -> None:
    from enarx.platform.image.lock import render

    lock, store, _ = image_inputs
    elsewhere = tmp_path / "some where" / "else"
    elsewhere.mkdir(parents=True)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "blob").symlink_to(store.folder / "blob")
    (elsewhere / "image.lock").write_text(render(lock))
    (tmp_path / "own").write_bytes(msgspec.msgpack.encode(dict(reversed(own.items()))))
    command = [sys.executable, "-c", BUILD, "image.lock", str(tmp_path / "cache"), "out", str(tmp_path / "own")]
    environment = {
        **os.environ,
        "TZ": "Asia/Kathmandu",
        "PYTHONHASHSEED": "4711",
        "LC_ALL": "C",
        "TMPDIR": str(tmp_path),
    }
    subprocess.run(command, cwd=elsewhere, env=environment, check=True, umask=0o077)
    names = {path.name for path in (elsewhere / "out").iterdir()}
    assert built.files.keys() == names
    assert built.files == {name: (elsewhere / "out" / name).read_bytes() for name in names}


def test_the_image_is_small_and_holds_no_shell_and_no_sources(built: Image) -> None:
    paths = {file.path for file in built.manifest.files}
    programs = {path for path in paths if "/bin/" in path}
    assert built.manifest.parts[INITRD].size <= 30e6
    assert {"/usr/bin/python3.11"} == programs
    assert set() == {path for path in paths if path.endswith(".py")}
    assert not any(name in path for path in paths for name in ("/pip/", "getty", "busybox", "enarx/cli"))


def test_every_file_of_the_archive_stands_in_the_manifest_and_the_bill_of_materials(built: Image) -> None:
    listed = {file.path: file.sha256 for file in built.manifest.files}
    bill = json.loads(built.files[BILL])
    told = {
        file["name"]: file["hashes"][0]["content"]
        for component in bill["components"]
        for file in component.get("components", ())
    }
    assert "CycloneDX" == bill["bomFormat"]
    assert listed == told
    assert {"enarx", *built.manifest.packages} >= {file.origin for file in built.manifest.files}


def test_the_command_line_is_the_same_for_every_keep_and_starts_python(built: Image) -> None:
    line = built.files[CMDLINE].decode()
    assert line.endswith("rdinit=/usr/bin/python3.11 -- -I -S -B -m enarx.platform.vm.init")


def test_the_kernels_elf_file_is_the_one_inside_its_bzimage(built: Image) -> None:
    assert built.files[KERNEL_ELF].startswith(b"\x7fELF")
    assert b"6.12." in built.files[KERNEL_ELF]
    assert len(built.files[KERNEL]) < len(built.files[KERNEL_ELF])


def test_a_manifest_with_an_unknown_key_is_refused(built: Image) -> None:
    table = json.loads(built.files[MANIFEST])
    assert built.manifest == manifests.parse(built.files[MANIFEST])
    with pytest.raises(Malformed):
        manifests.parse(json.dumps({**table, "more": 1}).encode())


def test_a_part_with_one_changed_byte_is_named(image: Path, tmp_path: Path) -> None:
    for path in image.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    body = (tmp_path / CMDLINE).read_bytes()
    (tmp_path / CMDLINE).write_bytes(body.replace(b"quiet", b"qujet"))
    with pytest.raises(Malformed) as caught:
        folder_store.read(tmp_path, (CMDLINE,))
    assert (Reason.DIGEST_MISMATCH, True) == (caught.value.reason, CMDLINE in caught.value.subject)


def test_a_package_that_has_vanished_is_named_with_what_to_do(tmp_path: Path) -> None:
    gone = Deb(name="libc6", version="0.0-never", suite="bookworm", use=Use.IMAGE, sha256="0" * 64, size=1)
    with pytest.raises(Undetermined) as caught:
        folder_store.fetch(Lock(debs=(gone,), wheels=()), Store(tmp_path), say=lambda _: None)
    assert Reason.NOT_FOUND == caught.value.reason
    assert "libc6=0.0-never" in caught.value.subject
    assert "enarx image update" in caught.value.hint


def test_a_wheel_with_other_bytes_than_the_lock_says_is_refused(tmp_path: Path) -> None:
    other = Wheel(name="idna", version="3.20", sha256="0" * 64, size=1)
    with pytest.raises(EnarxError) as caught:
        folder_store.fetch(Lock(debs=(), wheels=(other,)), Store(tmp_path), say=lambda _: None)
    assert "enarx image update" in caught.value.hint


def test_a_torn_file_in_the_cache_is_made_anew(tmp_path: Path) -> None:
    store = Store(tmp_path)
    digest = store.keep(b"bytes")
    assert b"bytes" == store.blob(digest)
    (tmp_path / "blob" / digest).write_bytes(b"byte")
    assert store.blob(digest) is None
    make: Callable[[], bytes] = lambda: b"made"  # noqa: E731
    assert b"made" == store.derived("a", "b", make=make)
    (torn,) = [path for path in (tmp_path / "derived").rglob("*") if path.is_file()]
    torn.write_bytes(b"torn")
    assert b"made" == store.derived("a", "b", make=make)
