# SPDX-License-Identifier: Apache-2.0
"""All of `wasi:sockets`, gathered from the files that hold its parts."""

from __future__ import annotations

from enarx.runtime.component.wasi.datagrams import Udp
from enarx.runtime.component.wasi.network import InstanceNetwork, Lookup, Networks, UdpCreate
from enarx.runtime.component.wasi.tcp import Create, Tcp

__all__ = ["Create", "InstanceNetwork", "Lookup", "Networks", "Tcp", "Udp", "UdpCreate"]
