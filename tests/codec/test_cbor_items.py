"""A small CBOR file cannot fill a large memory."""

from __future__ import annotations

import tracemalloc

import pytest

from enarx.codec import cbor
from enarx.errors import Malformed, Reason

SIZE = 2 << 20


def array_of(item: bytes, count: int) -> bytes:
    return b"\x9a" + count.to_bytes(4, "big") + item * count


@pytest.mark.parametrize("item", [b"\x80", b"\xa0", b"\x00", b"\xa1\x00\x00", b"\x40"], ids=bytes.hex)
def test_too_many_small_items_are_refused_before_they_are_built(item: bytes) -> None:
    raw = array_of(item, SIZE // len(item))
    tracemalloc.start()
    with pytest.raises(Malformed) as refused:
        cbor.decode(raw, "array")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert refused.value.reason is Reason.TOO_LARGE
    assert peak < 1 << 20


def test_as_many_as_there_may_be_stay_below_the_limit_of_memory() -> None:
    raw = array_of(b"\xa1\x00\x00", cbor.MAX_SMALL_ITEMS // 3)
    tracemalloc.start()
    cbor.decode(raw, "array")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < (64 << 20) + 20 * len(raw)


def test_few_large_items_are_read_whatever_their_size() -> None:
    assert (
        cbor.decode(array_of(b"\x5a" + (1 << 20).to_bytes(4, "big") + bytes(1 << 20), 2), "array")
        == [bytes(1 << 20)] * 2
    )
