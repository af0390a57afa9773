# SPDX-License-Identifier: Apache-2.0
"""What every interface of a guest's stands on: its arguments, its descriptors, the way to its agent."""

from __future__ import annotations

from typing import NamedTuple

from enarx.runtime.channel import Channel
from enarx.runtime.component.streams import Shared
from enarx.runtime.wasi.descriptor import Table


class Launch(NamedTuple):
    """One guest's surroundings.

    args, env  as the guest sees them
    table      its open descriptors: first those of the manifest, then its folders, then what it opens
    files      how many of the first are the manifest's
    channel    leads to the agent; None where nothing can be asked
    """

    args: list[str]
    env: list[tuple[str, str]]
    table: Table
    files: int = 0
    channel: Channel | None = None

    def standing(self, number: int, needed: int) -> Shared | None:
        """A descriptor that the guest was given, if it has these rights and is no folder."""
        descriptor = self.table.open.get(number)
        if descriptor is None or needed & ~descriptor.rights or descriptor.preopen:
            return None
        return Shared.standing(self.table, number)
