"""Control frames: whole messages out of any chunks, and nothing out of lies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enarx.errors import EnarxError, Malformed, Reason
from enarx.platform.control import MAX_FRAME, Deframer, frame

MESSAGES = st.lists(
    st.dictionaries(st.text(max_size=8), st.one_of(st.integers(0, 2**40), st.binary(max_size=50)), max_size=4),
    max_size=4,
)


@given(MESSAGES, st.integers(1, 20))
def test_messages_survive_any_chunking(messages: list[dict[str, object]], size: int) -> None:
    stream = b"".join(frame(message) for message in messages)
    deframer = Deframer()

    received = [m for at in range(0, len(stream), size) for m in deframer.feed(stream[at : at + size])]
    deframer.done()

    assert messages == received


@given(st.binary(max_size=200))
def test_arbitrary_bytes_end_in_our_family(raw: bytes) -> None:
    try:
        Deframer().feed(raw)
    except EnarxError as error:
        assert isinstance(error, Malformed)


def test_a_length_is_not_believed() -> None:
    with pytest.raises(Malformed) as caught:
        Deframer().feed((MAX_FRAME + 1).to_bytes(4, "big"))

    assert caught.value.reason == Reason.TOO_LARGE


def test_a_stream_that_ends_inside_a_frame_is_truncated() -> None:
    deframer = Deframer()
    deframer.feed(frame({"a": 1})[:-1])

    with pytest.raises(Malformed) as caught:
        deframer.done()

    assert caught.value.reason == Reason.TRUNCATED
