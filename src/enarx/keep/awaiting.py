# SPDX-License-Identifier: Apache-2.0
"""The secrets that a launch document names: a Keep waits for them before its guest starts."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from enarx.delivery.release_service import Delivery
from enarx.errors import Reason, Unacceptable, Undetermined
from enarx.workload.launch import Launch

LOOK_EVERY = 0.2
"""Seconds between two looks at whether the Keep shall stop."""


def awaited(delivery: Delivery, launch: Launch, stop: threading.Event) -> Mapping[str, bytes]:
    """What the tenant releases, whenever it does.

    `Unacceptable` unless these are exactly the secrets that the launch document names: who
    checked that document knows what the guest was given. `Undetermined` when the Keep is
    stopped before they come.
    """
    while not delivery.wait(LOOK_EVERY):
        if stop.is_set():
            raise Undetermined(Reason.MISSING, "secrets: the keep was stopped before they were released")
    given = delivery.take().values
    if given.keys() != set(launch.secrets):
        raise Unacceptable(Reason.LAUNCH_MISMATCH, f"secrets {sorted(given)}, awaited {sorted(launch.secrets)}")
    return given
