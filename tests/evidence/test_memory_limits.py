"""Parsing n bytes peaks below 64 MiB + 20 n, for the inputs that take the most memory we could think of."""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Callable

import pytest

from enarx.errors import EnarxError
from enarx.evidence import cmw, event_log, tpm
from enarx.evidence.nitro_document import parse as parse_document
from enarx.platform.simulated.boot_log import written

EVENT = struct.pack("<III", 1, 4, 1) + b"\4\0" + bytes(20) + struct.pack("<I", 0)
INPUTS: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "a log of the shortest events": (event_log.parse, written((), ("sha-1",)) + EVENT * 65_000),
    "a wrapper of empty lists": (cmw.decode, b'{"a":[' + b"[]," * 700_000 + b"1]}"),
    "a wrapper of empty arrays": (cmw.decode, b"\x9a" + (1 << 18).to_bytes(4, "big") + b"\x80" * (1 << 18)),
    "a document of empty arrays": (parse_document, b"\x99\xff\x00" + b"\x80" * 0xFF00),
    "certificates without end": (tpm.certificates_in, b"\x30\x82\x00\x01\x00" * 200_000),
}


@pytest.mark.parametrize(("parse", "raw"), INPUTS.values(), ids=INPUTS)
def test_no_input_takes_more_memory_than_it_may(parse: Callable[[bytes], object], raw: bytes) -> None:
    tracemalloc.start()
    try:
        parse(raw)
    except EnarxError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < (64 << 20) + 20 * len(raw)
