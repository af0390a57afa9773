# SPDX-License-Identifier: Apache-2.0
"""Structured logs: one JSON object a line on standard error, with a closed list of fields.

What is not in `FIELDS` is dropped, so that a key, a token or a nonce cannot reach a log by
somebody adding a convenient argument.
"""

from __future__ import annotations

import logging
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


class Libraries(logging.Handler):
    """What libraries log, as lines of ours: which logger, which exception, where. No message of theirs."""

    def __init__(self, service: str) -> None:
        super().__init__(logging.WARNING)
        self._log = logger(service)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        error = record.exc_info[1] if record.exc_info else None
        said = {"error": type(error).__name__, "where": place(error)} if error else {"where": f"line {record.lineno}"}
        self._log.warning(f"library {record.name}", **said)

    @classmethod
    def take_over(cls, service: str) -> None:
        """All of this process's logging goes through one of these from here on."""
        root = logging.getLogger()
        root.handlers = [cls(service)]
        root.setLevel(logging.WARNING)


def place(error: BaseException) -> str:
    """File and line in which an unexpected exception arose; never its message, which may quote a secret."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{trace.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}"
