"""The formats that an image is read from and written in."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enarx.errors import EnarxError, Malformed, Reason
from enarx.platform.image import cpio, deb, elf, kernel, lock, wheel
from enarx.platform.image.cpio import Entry
from enarx.platform.image.lock import Deb, Lock, Use, Wheel
from tests.parts import program

SAMPLE = Lock(
    debs=(Deb(name="libc6", version="2.36-9", suite="bookworm", use=Use.IMAGE, sha256="a" * 64, size=7),),
    wheels=(Wheel(name="idna", version="3.20", sha256="b" * 64, size=8),),
)


def ar(*members: tuple[str, bytes]) -> bytes:
    out = b"!<arch>\n"
    for name, body in members:
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(body):<10}`\n".encode() + body + b"\n" * (len(body) % 2)
    return out


def tar(**files: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, body in files.items():
            entry = tarfile.TarInfo(f"./{name}")
            entry.size = len(body)
            archive.addfile(entry, io.BytesIO(body))
    return out.getvalue()


def test_a_lock_file_reads_back_as_it_was_written() -> None:
    assert SAMPLE == lock.parse(lock.render(SAMPLE))


@pytest.mark.parametrize(
    "change",
    [
        ("version = 1", "version = 2"),
        ("size = 7", 'size = "7"'),
        ("size = 7", "size = 7\nmore = 1"),
        ('use = "image"', 'use = "other"'),
        ("a" * 64, "A" * 64),
        ("[[wheel]]", "[[wheels]]"),
        ("version = 1", "version = ["),
    ],
)
def test_a_lock_file_that_says_anything_else_is_malformed(change: tuple[str, str]) -> None:
    with pytest.raises(Malformed):
        lock.parse(lock.render(SAMPLE).replace(*change))


def test_a_difference_names_what_moved() -> None:
    moved = lock.parse(lock.render(SAMPLE).replace("2.36-9", "2.36-10").replace("b" * 64, "c" * 64))
    assert [
        "! idna: 3.20 has other bytes: bbbbbbbbbbbb -> cccccccccccc",
        "~ libc6: 2.36-9 -> 2.36-10",
    ] == lock.difference(SAMPLE, moved)
    assert ["- idna 3.20"] == lock.difference(SAMPLE, Lock(debs=SAMPLE.debs, wheels=()))


def test_a_package_gives_its_files() -> None:
    raw = ar(("debian-binary", b"2.0\n"), ("data.tar", tar(a=b"one", b=b"two")))
    assert {"/a": b"one"} == {path: member.body for path, member in deb.members(deb.payload(raw), "/a".__eq__).items()}


@given(st.binary(max_size=300))
def test_bytes_that_are_no_package_are_malformed(raw: bytes) -> None:
    for read in (deb.payload, wheel.members, elf.needed, kernel.payload, kernel.module):
        with pytest.raises(EnarxError) as caught:
            read(raw)
        assert Malformed is type(caught.value)


@given(st.integers(0, 400), st.binary(min_size=1, max_size=3))
def test_a_damaged_package_is_malformed_or_reads(at: int, noise: bytes) -> None:
    raw = bytearray(ar(("data.tar", tar(a=b"one"))))
    raw[at : at + len(noise)] = noise
    try:
        deb.members(deb.payload(bytes(raw)), lambda _: True)
    except EnarxError as error:
        assert Malformed is type(error)


def test_an_archive_depends_on_paths_and_contents_alone() -> None:
    files = {"/b/x": Entry(body=b"1"), "/a": Entry(body=b"22", executable=True), "/dev/console": Entry(device=(5, 1))}
    assert cpio.archive(files) == cpio.archive(dict(reversed(files.items())))


def test_cpio_reads_the_archive(tmp_path: Path) -> None:
    raw = cpio.archive({"/b/x": Entry(body=b"1"), "/l": Entry(link="b/x")})
    subprocess.run([program("cpio", "cpio"), "-i", "--quiet"], cwd=tmp_path, input=raw, check=True)
    assert b"1" == (tmp_path / "l").read_bytes()


def test_needed_libraries_are_read_from_a_real_program() -> None:
    assert "libc.so.6" in elf.needed(Path("/bin/cat").resolve().read_bytes())


def test_a_kernel_that_is_compressed_otherwise_is_named() -> None:
    raw = bytearray(0x1000)
    raw[0x1F1], raw[0x1FE:0x200], raw[0x202:0x206] = 1, b"\x55\xaa", b"HdrS"
    raw[0x248:0x250] = (0).to_bytes(4, "little") + (64).to_bytes(4, "little")
    raw[1024:1030] = b"\xfd7zXZ\x00"
    with pytest.raises(Malformed) as caught:
        kernel.payload(bytes(raw))
    assert Reason.ALGORITHM == caught.value.reason
