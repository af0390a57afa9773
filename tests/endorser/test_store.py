# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from enarx.endorser.request import Kept
from enarx.endorser.store import Store
from enarx.errors import Malformed, Misused, Reason


def verify(raw: bytes) -> Kept:
    if not raw.startswith(b"rank "):
        raise Malformed(Reason.SYNTAX, "test")
    return Kept((raw,), int(raw[5:]))


def keep(store: Store, raw: bytes) -> bytes:
    return store.keep("name", raw, verify(raw), verify).items[0]


def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    store = Store(tmp_path / "cache")
    keep(store, b"rank 1")
    found = store.read("name", verify)
    assert found is not None
    assert found.items == (b"rank 1",)


def test_nothing_kept_is_nothing(tmp_path: Path) -> None:
    assert Store(tmp_path).read("name", verify) is None


@pytest.mark.parametrize("damaged", [b"", b"other", b"rank x"])
def test_a_file_that_no_longer_verifies_is_none(tmp_path: Path, damaged: bytes) -> None:
    store = Store(tmp_path)
    keep(store, b"rank 1")
    (file,) = tmp_path.glob("*.bin")
    file.write_bytes(damaged)

    def read(raw: bytes) -> Kept:
        if raw == b"rank x":
            raise Malformed(Reason.SYNTAX, "test")
        return verify(raw)

    assert store.read("name", read) is None


def test_the_higher_rank_stays_whoever_comes_later(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert keep(store, b"rank 5") == b"rank 5"
    assert keep(store, b"rank 4") == b"rank 5"
    assert keep(store, b"rank 6") == b"rank 6"
    assert store.read("name", verify) == verify(b"rank 6")


def test_names_cannot_leave_the_folder(tmp_path: Path) -> None:
    store = Store(tmp_path / "cache")
    store.keep("../../etc/passwd\0", b"rank 1", verify(b"rank 1"), verify)
    assert {"cache"} == {path.name for path in tmp_path.iterdir()}


def test_only_the_owner_can_read_the_folder(tmp_path: Path) -> None:
    keep(Store(tmp_path / "cache"), b"rank 1")
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700


def test_writers_at_the_same_time_leave_one_whole_file_and_no_others(tmp_path: Path) -> None:
    store = Store(tmp_path)
    threads = [threading.Thread(target=keep, args=(store, f"rank {n}".encode())) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(tmp_path.iterdir())) == 1
    assert store.read("name", verify) is not None


def test_a_folder_that_cannot_be_written_is_the_callers_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Misused) as caught:
        keep(Store(tmp_path / "file" / "cache"), b"rank 1")
    assert Reason.FILE_UNWRITABLE is caught.value.reason


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    store = Store(tmp_path)
    keep(store, b"rank 1")
    (file,) = tmp_path.glob("*.bin")
    os.truncate(file, 1 << 34)
    assert store.read("name", verify) is None
