# SPDX-License-Identifier: Apache-2.0
"""A Keep's time as it is used: asked of its Steward, told to whoever opened the Keep, and set where that is allowed."""

from __future__ import annotations

from enarx.codec.x509 import PublicKey
from enarx.errors import EnarxError
from enarx.identity.moment import Moment
from enarx.keep import timekeeper
from enarx.keep.device import Device, TeeDevice
from enarx.keep.link import Link
from enarx.keep.timekeeper import Source
from enarx.workload.launch import Launch


class ToldTime:
    """Before `begin` there is nobody to ask."""

    def __init__(self, link: Link, launch: Launch, *, own_clock: bool) -> None:
        """`own_clock`: the machine is the Keep's own, and its clock is set by what the Steward says."""
        self._link = link
        self._launch = launch
        self._own_clock = own_clock
        self._keeper: timekeeper.Timekeeper | None = None
        self._said: Source | None = None

    def begin(self, key: PublicKey, device: Device) -> Moment:
        """Now, signed by `key`, which is the Steward's; it is asked with this key from now on."""
        counted = isinstance(device, TeeDevice) and device.counted
        url, pin = self._launch.steward or "", self._launch.steward_ca or b""
        self._keeper = timekeeper.of_steward(url, pin, key, counted=counted)
        return self._told(self._keeper)

    def require(self) -> None:
        """The time is known well enough for a decision; raises what kept the Steward from answering."""
        if self._keeper is not None:
            self._told(self._keeper)

    def keep(self) -> None:
        """What the guest's TLS judges by is asked for again in time; when nobody answers, its owner hears of it."""
        if self._keeper is None or not self._own_clock or not self._keeper.stale():
            return
        try:
            self._told(self._keeper)
        except EnarxError as error:
            self._keeper.put_off()
            self._say(Source.HOST, reason=str(error.reason), subject=error.subject)

    def _told(self, keeper: timekeeper.Timekeeper) -> Moment:
        now = keeper.now()
        if self._own_clock:
            timekeeper.set_clock(now)
        self._say(keeper.source, earliest=now.earliest.isoformat(), latest=now.latest.isoformat())
        return now

    def _say(self, source: Source, **more: str) -> None:
        """Where the time is from, whenever that is another place than before."""
        if source is not self._said:
            self._said = source
            self._link.report("time", source=str(source), **more)
