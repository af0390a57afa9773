# SPDX-License-Identifier: Apache-2.0
"""The names by which a Keep finds its two virtio-serial ports."""

from __future__ import annotations

CONTROL = "enarx.control"
"""Frames between agent and launcher, as on the `process` backend."""
STREAMS = "enarx.streams"
"""Standard input and output, and connections, many over one (`enarx.platform.vm.streams`)."""
