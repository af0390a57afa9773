# SPDX-License-Identifier: Apache-2.0
"""`wasi:io`: errors, waiting, streams."""
# ruff: noqa: D102 - the functions are the specification's

from __future__ import annotations

from typing import Any

from enarx.runtime.component.interface import BadCall, Interface, Refused, wit
from enarx.runtime.component.polling import Pollable, wait
from enarx.runtime.component.streams import MOST_BYTES, Closed, InputStream, OutputStream
from enarx.runtime.component.types import BOOL, BYTES, STRING, U32, U64, Borrow, Case, List, Own, Result, Variant
from enarx.runtime.wasi.errno import NAMES, NOMEM, WasiError, from_host

STREAM_ERROR = Variant({"last-operation-failed": Own("error"), "closed": None})
CLOSED = Case("closed")
MOST_FLUSHED = 4096
"""The most that `blocking-write-and-flush` and its sister take (wasi:io 0.2, streams.wit)."""


class IoError:
    """`error`: what failed, as an errno of WASI preview 1."""

    def __init__(self, number: int) -> None:
        self.number = number

    def text(self) -> str:
        """Its name."""
        return NAMES[self.number - 1].partition(":")[0].lower() if 0 < self.number <= len(NAMES) else "unknown"

    def drop(self) -> None:
        """Nothing is held."""


def number(error: Exception) -> int:
    """The errno of preview 1 that an error of ours is."""
    match error:
        case WasiError():
            return error.number
        case OSError():
            return from_host(error)
        case _:
            return NOMEM


class Errors(Interface):
    """`wasi:io/error`."""

    name = "wasi:io/error"
    resources = ("error",)

    @wit("[method]error.to-debug-string", Borrow("error"), returns=STRING)
    def to_debug_string(self, error: IoError) -> str:
        return error.text()


class Poll(Interface):
    """`wasi:io/poll`."""

    name = "wasi:io/poll"
    resources = ("pollable",)

    @wit("[method]pollable.ready", Borrow("pollable"), returns=BOOL)
    def ready(self, pollable: Pollable) -> bool:
        return bool(wait([pollable], block=False))

    @wit("[method]pollable.block", Borrow("pollable"))
    def block(self, pollable: Pollable) -> None:
        wait([pollable])

    @wit("poll", List(Borrow("pollable")), returns=List(U32))
    def poll(self, pollables: list[Pollable]) -> list[int]:
        if not pollables:
            raise BadCall("wasi:io/poll.poll was given an empty list")
        return wait(pollables)


class Streams(Interface):
    """`wasi:io/streams`."""

    name = "wasi:io/streams"
    resources = ("input-stream", "output-stream")

    def refusal(self, error: Exception) -> Any:
        return Case("last-operation-failed", IoError(number(error)))

    @wit("[method]input-stream.read", Borrow("input-stream"), U64, returns=Result(BYTES, STREAM_ERROR))
    def read(self, stream: InputStream, count: int) -> bytes:
        with ends:
            return stream.read(count)

    @wit("[method]input-stream.blocking-read", Borrow("input-stream"), U64, returns=Result(BYTES, STREAM_ERROR))
    def blocking_read(self, stream: InputStream, count: int) -> bytes:
        with ends:
            return stream.blocking_read(count)

    @wit("[method]input-stream.skip", Borrow("input-stream"), U64, returns=Result(U64, STREAM_ERROR))
    def skip(self, stream: InputStream, count: int) -> int:
        with ends:
            return len(stream.read(count))

    @wit("[method]input-stream.blocking-skip", Borrow("input-stream"), U64, returns=Result(U64, STREAM_ERROR))
    def blocking_skip(self, stream: InputStream, count: int) -> int:
        with ends:
            return len(stream.blocking_read(count))

    @wit("[method]input-stream.subscribe", Borrow("input-stream"), returns=Own("pollable"))
    def subscribe_input(self, stream: InputStream) -> Pollable:
        return stream.pollable()

    @wit("[method]output-stream.check-write", Borrow("output-stream"), returns=Result(U64, STREAM_ERROR))
    def check_write(self, stream: OutputStream) -> int:
        with ends:
            return stream.room()

    @wit("[method]output-stream.write", Borrow("output-stream"), BYTES, returns=Result(None, STREAM_ERROR))
    def write(self, stream: OutputStream, raw: bytes) -> None:
        with ends:
            if len(raw) > stream.room():
                raise BadCall("output-stream.write was given more than check-write allowed")
            stream.write(raw)

    @wit(
        "[method]output-stream.blocking-write-and-flush",
        Borrow("output-stream"),
        BYTES,
        returns=Result(None, STREAM_ERROR),
    )
    def blocking_write_and_flush(self, stream: OutputStream, raw: bytes) -> None:
        if len(raw) > MOST_FLUSHED:
            raise BadCall(f"blocking-write-and-flush takes {MOST_FLUSHED} bytes, and was given {len(raw)}")
        with ends:
            stream.blocking_write(raw)

    @wit("[method]output-stream.flush", Borrow("output-stream"), returns=Result(None, STREAM_ERROR))
    def flush(self, stream: OutputStream) -> None:
        with ends:
            stream.flushed()

    @wit("[method]output-stream.blocking-flush", Borrow("output-stream"), returns=Result(None, STREAM_ERROR))
    def blocking_flush(self, stream: OutputStream) -> None:
        with ends:
            stream.blocking_flush()

    @wit("[method]output-stream.subscribe", Borrow("output-stream"), returns=Own("pollable"))
    def subscribe_output(self, stream: OutputStream) -> Pollable:
        return stream.pollable()

    @wit("[method]output-stream.write-zeroes", Borrow("output-stream"), U64, returns=Result(None, STREAM_ERROR))
    def write_zeroes(self, stream: OutputStream, count: int) -> None:
        with ends:
            if count > stream.room():
                raise BadCall("output-stream.write-zeroes was given more than check-write allowed")
            stream.write(bytes(count))

    @wit(
        "[method]output-stream.blocking-write-zeroes-and-flush",
        Borrow("output-stream"),
        U64,
        returns=Result(None, STREAM_ERROR),
    )
    def blocking_write_zeroes(self, stream: OutputStream, count: int) -> None:
        if count > MOST_FLUSHED:
            raise BadCall(f"blocking-write-zeroes-and-flush takes {MOST_FLUSHED} bytes, and was given {count}")
        with ends:
            stream.blocking_write(bytes(count))

    @wit(
        "[method]output-stream.splice",
        Borrow("output-stream"),
        Borrow("input-stream"),
        U64,
        returns=Result(U64, STREAM_ERROR),
    )
    def splice(self, stream: OutputStream, source: InputStream, count: int) -> int:
        with ends:
            raw = source.read(min(count, stream.room(), MOST_BYTES))
            stream.write(raw)
            return len(raw)

    @wit(
        "[method]output-stream.blocking-splice",
        Borrow("output-stream"),
        Borrow("input-stream"),
        U64,
        returns=Result(U64, STREAM_ERROR),
    )
    def blocking_splice(self, stream: OutputStream, source: InputStream, count: int) -> int:
        with ends:
            raw = source.blocking_read(min(count, MOST_BYTES))
            stream.blocking_write(raw)
            return len(raw)


class _Ends:
    """`Closed` is `stream-error.closed`; a context manager without state, hence one for all."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, Closed):
            raise Refused(CLOSED) from None


ends = _Ends()
