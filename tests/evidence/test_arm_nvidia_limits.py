# SPDX-License-Identifier: Apache-2.0
"""Huge, deep and repeating input costs the readers of Arm and NVIDIA evidence little memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import cbor2
import pytest

from enarx.codec import ocsp
from enarx.errors import EnarxError
from enarx.evidence import cca, nvidia, nvidia_opaque, psa, rim, spdm

SIZE = 1 << 20
CASES: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "xml, deep": (rim.parse, b"<a>" * (SIZE // 3)),
    "xml, wide": (rim.parse, b"<a>" + b"<b/>" * (SIZE // 4) + b"</a>"),
    "xml, one text": (rim.parse, b"<a>" + b"x" * SIZE + b"</a>"),
    "xml, many namespaces": (rim.parse, b"<a" + b"".join(b" xmlns:p%d='u'" % n for n in range(60)) + b">" + b"<b/>" * 8000 + b"</a>"),
    "xml, many attributes": (rim.parse, b"<a" + b"".join(b" x%d='y'" % n for n in range(50_000)) + b"/>"),
    "xml, huge": (rim.parse, b" " * (4 * SIZE)),
    "cbor, array": (cca.parse, cbor2.dumps(cbor2.CBORTag(907, [[0] * 60_000]))),
    "cbor, promised array": (cca.parse, b"\x9b\x00\x00\x00\x00\xff\xff\xff\xff"),
    "cbor, promised string": (psa.parse, b"\x5b\x00\x00\x00\x7f\xff\xff\xff\xff"),
    "cbor, deep": (psa.parse, b"\xd2\x84" + b"\x81" * 60_000),
    "cbor, huge": (psa.parse, bytes(4 * SIZE)),
    "spdm, promised record": (spdm.parse, b"\x11\xe0\x01\xff" + bytes(33) + b"\x11\x60\x00\x00" + b"\xff" * 4 + bytes(8000)),
    "opaque, many fields": (nvidia_opaque.parse, b"".join(n.to_bytes(2, "little") + b"\0\0" for n in range(60_000))),
    "certificates, many": (nvidia.certificates_of, b"\x30\x00" * 500_000),
    "ocsp, promised": (ocsp.parse, b"\x30\x84\x7f\xff\xff\xff" + bytes(60_000)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_peak_is_under_64_mib_and_20_times_the_input(name: str) -> None:
    read, raw = CASES[name]
    tracemalloc.start()
    try:
        with pytest.raises(EnarxError):
            read(raw)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (64 << 20) + 20 * len(raw) > peak
