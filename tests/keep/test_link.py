"""A launcher that replays, reorders or cuts what it says to the agent: the host is not believed."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from enarx.errors import EnarxError, Malformed, Reason, Unauthentic, Undetermined
from enarx.keep.link import Link
from enarx.platform.control import frame

OPEN: dict[str, Any] = {"op": "open", "launch": b"document", "attest": "127.0.0.1:1", "cas": b""}


@pytest.fixture
def ends() -> Iterator[tuple[Link, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Link(ours), theirs


def refused(attempt: Any) -> EnarxError:
    with pytest.raises(EnarxError) as caught:
        attempt()
    return caught.value


def test_an_opening_that_comes_twice_is_no_node(ends: tuple[Link, socket.socket]) -> None:
    link, host = ends
    host.sendall(frame(OPEN) * 2)
    assert b"document" == link.opening().launch
    assert (Malformed, Reason.SYNTAX) == (type(error := refused(lambda: link.node("", 10))), error.reason)


def test_a_node_that_was_not_asked_for_is_not_taken_for_another(ends: tuple[Link, socket.socket]) -> None:
    link, host = ends
    host.sendall(frame({"op": "node", "path": "b", "data": b"x"}))
    assert Malformed is type(refused(lambda: link.node("a", 10)))


def test_an_opening_is_the_first_thing_said_and_has_nothing_else_in_it(ends: tuple[Link, socket.socket]) -> None:
    link, host = ends
    host.sendall(frame({"op": "stop"}) + frame({**OPEN, "more": 1}) + frame({**OPEN, "attest": "127.0.0.1:99999"}))
    for _ in range(3):
        assert Malformed is type(refused(link.opening))


@pytest.mark.parametrize("kept", [0, 3, 20])
def test_a_stream_that_is_cut_ends_the_waiting(ends: tuple[Link, socket.socket], kept: int) -> None:
    link, host = ends
    host.sendall(frame(OPEN)[:kept])
    host.close()
    assert (Undetermined, Reason.UNREACHABLE) == (type(error := refused(link.opening)), error.reason)


def test_a_length_is_not_believed(ends: tuple[Link, socket.socket]) -> None:
    link, host = ends
    host.sendall(b"\xff\xff\xff\xff")
    assert (Malformed, Reason.TOO_LARGE) == (type(error := refused(link.opening)), error.reason)


def test_a_node_without_end_is_cut_at_its_limit(ends: tuple[Link, socket.socket]) -> None:
    link, host = ends
    host.sendall(frame({"op": "node", "path": "", "data": b"x" * 600, "more": True}) * 3)
    assert 1001 == len(link.node("", 1000))


def test_a_node_that_the_host_has_not_is_missing(ends: tuple[Link, socket.socket]) -> None:
    link, host = ends
    host.sendall(frame({"op": "node", "path": "", "missing": True}) + frame({"op": "node", "path": "", "data": "text"}))
    assert (Unauthentic, Reason.NODE_MISSING) == (type(error := refused(lambda: link.node("", 9))), error.reason)
    assert Malformed is type(refused(lambda: link.node("", 9)))
