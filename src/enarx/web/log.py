# SPDX-License-Identifier: Apache-2.0
"""Structured logs: one JSON object a line on standard error, with a closed list of fields.

What is not in `FIELDS` is dropped, so that a key, a token or a nonce cannot reach a log by
somebody adding a convenient argument.
"""

from __future__ import annotations

import sys
from collections.abc import MutableMapping
from typing import Any

import msgspec
import structlog

FIELDS = frozenset(
    {
        "event", "level", "timestamp", "service", "request", "client", "method", "route", "status", "milliseconds",
        "reason", "family", "subject", "technology", "verdict", "tenant", "policy", "serial", "error", "where",
        "worker", "index", "size", "administrator", "change",
    }
)  # fmt: skip


def _only_known(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name in event.keys() - FIELDS:
        del event[name]
    return event


def _rendered(_: Any, __: str, event: MutableMapping[str, Any]) -> bytes:
    return msgspec.json.encode(event, enc_hook=str)


def logger(service: str) -> Any:
    """The log of one service."""
    return structlog.wrap_logger(
        structlog.BytesLogger(sys.stderr.buffer),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _only_known,
            _rendered,
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        cache_logger_on_first_use=True,
        service=service,
    )


def place(error: BaseException) -> str:
    """File and line in which an unexpected exception arose; never its message, which may quote a secret."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{trace.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}"
