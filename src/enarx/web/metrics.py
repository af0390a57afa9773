# SPDX-License-Identifier: Apache-2.0
"""Prometheus metrics of a service; several workers of one service add up in one answer."""

from __future__ import annotations

import os
import tempfile

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Histogram, values
from prometheus_client.multiprocess import MultiProcessCollector

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SHARED = "PROMETHEUS_MULTIPROC_DIR"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


def share() -> tempfile.TemporaryDirectory[str]:
    """From here on metrics of this process and its children are kept in one folder, and add up.

    Called before the first worker is started; the folder lasts as long as the value returned.
    """
    folder = tempfile.TemporaryDirectory(prefix="enarx-metrics-")
    os.environ[_SHARED] = folder.name
    values.ValueClass = values.MultiProcessValue()  # type: ignore[no-untyped-call]
    return folder


class Metrics:
    """The metrics that every service has; a service adds its own to `registry`."""

    def __init__(self, service: str) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "enarx_http_requests",
            "Requests answered",
            ("service", "method", "route", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "enarx_http_request_seconds",
            "Time from the end of a request's head to the end of its answer",
            ("service", "route"),
            registry=self.registry,
            buckets=_SECONDS,
        )
        self._service = service

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request was answered. `route` is the template of the path, never the path."""
        self.requests.labels(self._service, method, route, str(status)).inc()
        self.seconds.labels(self._service, route).observe(seconds)

    def text(self) -> bytes:
        """What Prometheus asks for."""
        registry = self.registry
        if folder := os.environ.get(_SHARED):
            registry = CollectorRegistry()
            MultiProcessCollector(registry, path=folder)  # type: ignore[no-untyped-call]
        return prometheus_client.generate_latest(registry)
