# SPDX-License-Identifier: Apache-2.0
"""A sealed volume behaves as a file system, whatever a guest's process asks of it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from enarx.runtime.sealed import request
from enarx.runtime.sealed.cipher import PIECE
from enarx.runtime.sealed.request import number
from enarx.runtime.wasi.errno import BADF, INVAL, NOSPC, NOTEMPTY
from tests.runtime.sealed.host import TOP, Guest, Host, Keeper, volume

AROUND = st.sampled_from([0, 1, 100, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 9 * PIECE + 5])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), AROUND, st.binary(min_size=1, max_size=40)),
        st.tuples(st.just("write"), AROUND, st.sampled_from([b"x" * PIECE, b"y" * (PIECE + 9)])),
        st.tuples(st.just("size"), AROUND, st.just(b"")),
        st.tuples(st.just("reopen"), st.just(0), st.just(b"")),
    ),
    max_size=12,
)


@given(steps=STEPS)
@settings(max_examples=60, deadline=None)
def test_a_file_is_what_was_written_to_it(steps: list[tuple[str, int, bytes]]) -> None:
    host, keeper, model = Host(), Keeper(), bytearray()
    guest = Guest(host, keeper)
    inode = guest.open("f")
    for act, at, data in steps:
        if act == "write":
            guest.ask(request.WRITE, inode, number(at), data)
            model.extend(bytes(max(0, at - len(model))))
            model[at : at + len(data)] = data
        elif act == "size":
            guest.ask(request.SIZE, inode, number(at))
            model[:] = model[:at].ljust(at, b"\0")
        else:
            guest.sync()
            guest = Guest(host, keeper)
            inode = guest.open("f")
    guest.sync()
    assert bytes(model) == Guest(host, keeper).read("f")
    assert [] == guest.refused


def test_the_tree_comes_back_with_links_and_times() -> None:
    host, keeper = Host(), Keeper()
    guest = Guest(host, keeper)
    guest.ask(request.MKDIR, TOP, b"d")
    found = guest.ask(request.FIND, TOP, b"d")
    assert isinstance(found, list)
    below = number(request.read_stat(found[0]).inode)
    inode = guest.open("f", folder=below)
    guest.ask(request.WRITE, inode, number(0), b"hello")
    guest.ask(request.LINK, below, b"f", TOP, b"g")
    guest.ask(request.SYMLINK, TOP, b"s", b"d/f")
    guest.ask(request.TIMES, inode, number(7), number(8))
    guest.sync()

    again = Guest(host, keeper)
    assert b"hello" == again.read("g")
    found = again.ask(request.FIND, TOP, b"g")
    assert isinstance(found, list)
    stat = request.read_stat(found[0])
    assert (2, 5, 7, 8) == (stat.links, stat.size, stat.accessed, stat.modified)
    assert [b"d/f"] == again.ask(request.TARGET, TOP, b"s")
    assert NOTEMPTY == again.ask(request.RMDIR, TOP, b"d")
    new = again.ask(request.FIND, TOP, again.open("new") and b"new")
    assert isinstance(new, list)
    assert request.read_stat(new[0]).inode not in {1, stat.inode}


def test_a_file_without_a_name_lives_until_it_is_closed() -> None:
    host, keeper = Host(), Keeper()
    guest = volume(host, keeper, f=b"hello")
    inode = guest.open("f")
    guest.ask(request.UNLINK, TOP, b"f")
    assert [b"hello"] == guest.ask(request.READ, inode, number(0), number(99))
    guest.ask(request.CLOSE, inode)
    assert BADF == guest.ask(request.READ, inode, number(0), number(99))
    guest.sync()
    assert 2 == len(host)


def test_the_limit_holds_over_everything_and_after_reopening() -> None:
    host, keeper = Host(), Keeper()
    guest = Guest(host, keeper, storage=100_000)
    inode = guest.open("f")
    assert NOSPC == guest.ask(request.WRITE, inode, number(99_000), b"x" * 2000)
    assert NOSPC == guest.ask(request.SIZE, inode, number(1 << 43))
    assert isinstance(guest.ask(request.WRITE, inode, number(0), b"x" * 60_000), list)
    guest.sync()
    again = Guest(host, keeper, storage=100_000)
    other = again.open("g")
    assert NOSPC == again.ask(request.WRITE, other, number(0), b"x" * 40_000)
    assert isinstance(again.ask(request.WRITE, other, number(0), b"x" * 30_000), list)


def test_many_chunks_pass_through_a_bounded_memory() -> None:
    host, keeper = Host(), Keeper()
    guest = Guest(host, keeper)
    data = bytes(range(256)) * (400 * PIECE // 256)
    guest.write("big", data)
    file = guest.volume.nodes[2]
    assert len(file.cached) <= 300  # type: ignore[attr-defined]
    assert data == guest.read("big")
    guest.sync()
    assert data == Guest(host, keeper).read("big")


WORDS = [value for name, value in vars(request).items() if name.isupper() and isinstance(value, bytes)]


@given(
    st.lists(
        st.lists(
            st.one_of(st.sampled_from([*WORDS, TOP, number(2), number(-1), b"..", b"a/b", b"f", b""]), st.binary()),
            max_size=5,
        ),
        max_size=30,
    )
)
@settings(max_examples=150, deadline=None)
def test_nonsense_is_answered_with_an_errno_and_harms_nothing(asked: list[list[bytes]]) -> None:
    host, keeper = Host(), Keeper()
    guest = volume(host, keeper)
    for fields in asked:
        answered = guest.ask(*fields)
        assert isinstance(answered, int | list)
    guest.sync()
    Guest(host, keeper)
    assert [] == guest.refused


def test_names_that_are_paths_are_refused() -> None:
    guest = volume(Host(), Keeper())
    for name in (b"..", b".", b"", b"a/b", b"\0", b"\xff"):
        assert INVAL == guest.ask(request.MKDIR, TOP, name), name
