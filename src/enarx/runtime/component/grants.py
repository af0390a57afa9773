# SPDX-License-Identifier: Apache-2.0
"""What the guest's process knows of the manifest's sockets; the agent holds the rules themselves."""

from __future__ import annotations

from typing import NamedTuple


class Grants(NamedTuple):
    """What the manifest grants of sockets, as far as the guest's process has to know.

    listeners    numbers of the descriptors that listen, with their ports (0 where the host chose)
    connections  numbers of the descriptors that are connected, with "HOST:PORT"
    outgoing     the keys of `[network.outgoing]`, which the agent holds every connection to
    most         connections that may be open at once
    """

    listeners: dict[int, int]
    connections: dict[int, str]
    outgoing: frozenset[str]
    most: int


NO_GRANTS = Grants({}, {}, frozenset(), 0)
