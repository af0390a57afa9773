# SPDX-License-Identifier: Apache-2.0
"""What every interface of a guest's stands on: its arguments, its descriptors, the way to its agent."""

from __future__ import annotations

from enarx.runtime.channel import Channel
from enarx.runtime.component.grants import NO_GRANTS, Grants
from enarx.runtime.component.names import Names
from enarx.runtime.component.streams import Shared
from enarx.runtime.wasi import rights
from enarx.runtime.wasi.descriptor import Table


class Launch:
    """One guest's surroundings.

    args, env  as the guest sees them
    table      its open descriptors: first those of the manifest, then its folders, then what it opens
    grants     what the manifest says of sockets
    names      the addresses that stand for names
    taken      the numbers of the manifest's sockets that a socket of the guest's stands on
    channel    leads to the agent; None where nothing can be asked
    """

    def __init__(
        self,
        args: list[str],
        env: list[tuple[str, str]],
        table: Table,
        grants: Grants = NO_GRANTS,
        channel: Channel | None = None,
    ) -> None:
        self.args = args
        self.env = env
        self.table = table
        self.grants = grants
        self.channel = channel
        self.names = Names(grants)
        self.taken: set[int] = set()

    def standing(self, number: int, needed: int) -> Shared | None:
        """A descriptor that the guest was given, if it has these rights and is no folder."""
        descriptor = self.table.open.get(number)
        if descriptor is None or needed & ~descriptor.rights or descriptor.preopen:
            return None
        return Shared.standing(self.table, number)

    def crowded(self) -> bool:
        """Whether as many connections are open as may be."""
        opened = self.table.open.values()
        return sum(one.rights & rights.SOCK_SHUTDOWN != 0 for one in opened) >= self.grants.most
