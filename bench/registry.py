"""Fetching a package with every digest checked, against the same bytes fetched and believed.

A Drawbridge process on loopback with TLS; a module of 26 MB (the size of CPython for WASI). The
other side is `httpx` reading the module's bytes from the same server over a connection of its own.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from enarx.registry.client import connect
from enarx.workload.package import build

ROUNDS = 9
SIZE = 26_000_000
TOKEN = "alice-token"  # noqa: S105 - of a server that lives for seconds


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def fetch() -> Iterator[dict[str, Any]]:
    from tests.registry.conftest import TLS, Running

    package = build({"main.wasm": os.urandom(SIZE)})
    with tempfile.TemporaryDirectory() as folder:
        running = Running(Path(folder))
        try:
            base, url = running.base, f"{running.base}/alice/app/_tag/1.0.0"
            with (
                connect(ca=TLS.cert_pem.bytes(), token=TOKEN) as ours,
                running.http(token=TOKEN) as raw,
            ):
                ours.create_user(f"{base}/alice", "alice")
                ours.create_repository(f"{base}/alice/app", public=False)
                published = _seconds(lambda: ours.publish(url, package))
                checked, believed = [], []
                for _ in range(ROUNDS):
                    checked.append(_seconds(lambda: ours.fetch(url, package.digest)))
                    believed.append(_seconds(lambda: raw.get(f"{url}/tree/main.wasm").content))
        finally:
            running.stop()
    ratio = statistics.median(a / b for a, b in zip(checked, believed, strict=True))
    yield {
        "name": "registry.fetch",
        "value": round(statistics.median(checked) * 1000, 1),
        "unit": "ms",
        "ratio": round(ratio, 2),
        "against": "httpx reading the module's 26 MB from the same server, unchecked",
    }
    yield {
        "name": "registry.publish",
        "value": round(published * 1000, 1),
        "unit": "ms",
        "ratio": round(published / statistics.median(believed), 2),
        "against": "httpx reading the module's 26 MB from the same server, unchecked",
    }


BENCHES = {"registry.fetch": fetch}
