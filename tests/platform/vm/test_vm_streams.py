"""Many streams over one, without IO: the rules, and whoever breaks them."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enarx.errors import EnarxError, Malformed, Reason
from enarx.platform.vm.relay import Relay
from enarx.platform.vm.streams import MAX_DATA, WINDOW, Happening, Kind, Streams


def opened() -> tuple[Streams, Streams, int]:
    keep, launcher = Streams(0), Streams(1)
    stream, frames = keep.open(b"tcp host:1")
    assert [Happening(Kind.OPEN, stream, b"tcp host:1"), Happening(Kind.GRANT, stream, b"", WINDOW)] == launcher.feed(
        frames
    )
    assert [Happening(Kind.GRANT, stream, b"", WINDOW)] == keep.feed(launcher.grant(stream, WINDOW))
    return keep, launcher, stream


def test_data_crosses_in_both_directions_until_each_side_has_ended() -> None:
    keep, launcher, stream = opened()
    assert [Happening(Kind.DATA, stream, b"ask")] == launcher.feed(keep.data(stream, b"ask"))
    assert [Happening(Kind.END, stream)] == launcher.feed(keep.end(stream))
    assert [Happening(Kind.DATA, stream, b"answer")] == keep.feed(launcher.data(stream, b"answer"))
    assert [Happening(Kind.END, stream)] == keep.feed(launcher.end(stream))
    assert (0, 0) == (len(keep), len(launcher))


def test_nothing_may_be_sent_before_it_was_granted() -> None:
    keep = Streams(0)
    stream, _ = keep.open(b"x")
    assert 0 == keep.sendable(stream)


def test_more_than_was_granted_ends_the_link() -> None:
    keep, launcher, stream = opened()
    for _ in range(WINDOW // MAX_DATA):
        launcher.feed(keep.data(stream, bytes(MAX_DATA)))
    assert 0 == keep.sendable(stream)
    with pytest.raises(Malformed) as caught:
        launcher.feed(keep.data(stream, b"!"))
    assert Reason.TOO_LARGE == caught.value.reason


@pytest.mark.parametrize(
    "frame",
    [
        bytes([9]) + bytes(8),
        b"\x03\x00\x00\x00\x00\xff\xff\xff\xff",
        b"\x01\x00\x00\x00\x00\x00\x00\x10\x00",
        b"\x03\x00\x00\x00\x07\x00\x00\x00\x01x",
        b"\x04\x00\x00\x00\x00\x00\x00\x00\x01",
    ],
    ids=["kind", "length", "label", "stream", "end with a count"],
)
def test_a_frame_that_breaks_a_rule_is_malformed(frame: bytes) -> None:
    with pytest.raises(Malformed):
        Streams(1).feed(frame)


def test_a_number_of_the_own_side_cannot_be_opened_by_the_other() -> None:
    keep = Streams(0)
    with pytest.raises(Malformed):
        Streams(0).feed(keep.open(b"x")[1])


def test_what_crosses_with_a_reset_is_ignored() -> None:
    keep, launcher, stream = opened()
    late = keep.data(stream, b"late")
    keep.feed(launcher.reset(stream))
    assert [] == launcher.feed(late)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_malformed_or_happenings(raw: bytes) -> None:
    try:
        Streams(1).feed(raw)
    except EnarxError as error:
        assert Malformed is type(error)


@given(st.lists(st.integers(1, 30), max_size=30), st.binary(max_size=120))
def test_frames_mean_the_same_however_they_are_cut(cuts: list[int], body: bytes) -> None:
    keep, launcher, stream = opened()
    frames = keep.data(stream, body) + keep.end(stream)
    found: list[Happening] = []
    for cut in cuts:
        found += launcher.feed(frames[:cut])
        frames = frames[cut:]
    found += launcher.feed(frames)
    assert [Happening(Kind.DATA, stream, body), Happening(Kind.END, stream)] == found


@pytest.fixture
def relays() -> Iterator[tuple[Relay, Relay, list[socket.socket]]]:
    here, there = socket.socketpair()
    reached: list[socket.socket] = []

    def reach(label: str) -> socket.socket:
        if label == "refused":
            raise ConnectionRefusedError
        mine, theirs = socket.socketpair()
        reached.append(mine)
        return theirs

    pair = (
        Relay(os.dup(here.fileno()), keep_side=True, connect=reach),
        Relay(os.dup(there.fileno()), keep_side=False, connect=reach),
    )
    here.close()
    there.close()
    threads = [threading.Thread(target=relay.run) for relay in pair]
    for thread in threads:
        thread.start()
    yield (*pair, reached)
    for relay in pair:
        relay.close()
    for thread in threads:
        thread.join()
    for sock in reached:
        sock.close()


def test_a_relay_carries_a_connection_and_its_half_closes(relays: tuple[Relay, Relay, list[socket.socket]]) -> None:
    keep, _, reached = relays
    mine, theirs = socket.socketpair()
    told: list[bool] = []
    keep.carry("somewhere", theirs, told.append)
    with mine:
        mine.sendall(b"hello")
        mine.shutdown(socket.SHUT_WR)
        while not reached:
            pass
        assert b"hello" == reached[0].recv(100)
        assert b"" == reached[0].recv(100)
        reached[0].sendall(b"back")
        reached[0].shutdown(socket.SHUT_WR)
        assert b"back" == mine.recv(100)
        assert b"" == mine.recv(100)
    assert [True] == told


def test_a_stream_that_the_other_side_refuses_is_closed(relays: tuple[Relay, Relay, list[socket.socket]]) -> None:
    keep, _, _ = relays
    mine, theirs = socket.socketpair()
    told: list[bool] = []
    keep.carry("refused", theirs, told.append)
    with mine:
        assert b"" == mine.recv(100)
    assert [False] == told


def test_a_side_that_breaks_a_rule_ends_the_relay_by_name() -> None:
    here, there = socket.socketpair()
    relay = Relay(os.dup(here.fileno()), keep_side=False, connect=lambda _: here)
    there.sendall(bytes([99]) * 9)
    relay.run()
    assert relay.error is not None
    assert Reason.UNKNOWN_KIND == relay.error.reason
    here.close()
    there.close()
