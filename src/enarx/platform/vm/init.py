# SPDX-License-Identifier: Apache-2.0
"""Process 1 of a Keep that is a virtual machine.

Makes the few things of a system that the agent needs, runs the agent in a child, reports how it
ended and ends the machine. There is no shell, no login and no second program.
"""

# ruff: noqa: PTH110, PTH123, PTH208 - pathlib would cost every boot
from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
from typing import NoReturn

from enarx.errors import Malformed, Reason
from enarx.platform.control import Deframer, frame
from enarx.platform.vm import agent, ports, system
from enarx.platform.vm.inside import Inside

MODULES = {"sev_guest": "/sys/bus/platform/devices/sev-guest", "tdx_guest": "/sys/bus/acpi/devices/INTC1234:00"}
_NEEDED_FIRST = ("configfs", "tsm")
DIED_BY_SIGNAL = 128
MAX_MACHINE = 1024


def main() -> NoReturn:
    """Boot, run the agent, power off."""
    prepare()
    control = _open_port(ports.CONTROL)
    code = 70
    try:
        # Firmware opens the port too, and swallows what comes before this.
        _write_all(control, frame({"event": "booted"}))
        code = live(control)
    finally:
        with contextlib.suppress(OSError):
            # A launcher that is gone or does not read must not keep the machine from ending.
            os.set_blocking(control, False)
            os.write(control, frame({"event": "vm-ended", "code": code}))
        system.power_off()
        os._exit(code)


def prepare() -> None:
    """File systems of the kernel, the loopback device, and drivers of what the machine has."""
    system.mount("proc", "/proc")
    system.mount("sysfs", "/sys")
    system.mount("devtmpfs", "/dev", 0)
    system.raise_loopback()
    with contextlib.suppress(OSError):
        system.mount("securityfs", "/sys/kernel/security")
    if present := [name for name, sign in MODULES.items() if os.path.exists(sign)]:
        for name in (*_NEEDED_FIRST, *present):
            system.load_module(f"/lib/modules/{name}.ko")
        system.mount("configfs", "/sys/kernel/config")


def live(control: int) -> int:
    """Run the agent between its two ports; returns how it ended, as a shell would say it."""
    ours, theirs = socket.socketpair()
    device = _machine(control)
    inside = Inside(_open_port(ports.STREAMS), device=device)
    child = os.fork()
    if child == 0:
        ours.close()
        os.close(control)
        _become_agent(theirs, ["--own-clock", *inside.arguments(), *([] if device else _own_device())])
    theirs.close()
    inside.start()
    up = threading.Thread(target=_pump, args=(control, ours.fileno()), name="to agent", daemon=True)
    up.start()
    down = threading.Thread(target=_pump, args=(ours.fileno(), control), name="from agent", daemon=True)
    down.start()
    status = _reap_until(child)
    down.join(5)
    inside.drain()
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else DIED_BY_SIGNAL - code


def _machine(control: int) -> str:
    """The launcher's first frame: which chip it plays, if any. Such a chip's evidence says `simulated`."""
    head = _read_all(control, 4)
    size = int.from_bytes(head, "big")
    if size > MAX_MACHINE:
        raise Malformed(Reason.TOO_LARGE, "description of the machine")
    (message,) = Deframer().feed(head + _read_all(control, size))
    device = message.get("device")
    return device if isinstance(device, str) and device.isascii() and device.replace("-", "").isalnum() else ""


def _own_device() -> list[str]:
    """The agent shall look for what this machine itself has."""
    return ["--device", "own"]


def _become_agent(control: socket.socket, more: list[str]) -> NoReturn:
    code = 70
    try:
        control.set_inheritable(True)
        agent.run(["--control", str(control.fileno()), *more])
        code = 0
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    except BaseException:  # noqa: BLE001 - the last door: the console is the only place left to say it
        import traceback

        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(code)


def _reap_until(child: int) -> int:
    """Wait for the agent; processes that lost their parent are ours to bury."""
    while True:
        pid, status = os.wait()
        if pid == child:
            return status


def _pump(source: int, sink: int) -> None:
    with contextlib.suppress(OSError):
        while received := os.read(source, 1 << 16):
            _write_all(sink, received)
    # The launcher is gone, or the agent: the agent's end of the stream must show it.
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(sink)) as stream:
        stream.shutdown(socket.SHUT_WR)


def _write_all(sink: int, body: bytes) -> None:
    view = memoryview(body)
    while view:
        view = view[os.write(sink, view) :]


def _read_all(source: int, size: int) -> bytes:
    found = b""
    while len(found) < size:
        more = os.read(source, size - len(found))
        if not more:
            raise Malformed(Reason.TRUNCATED, "the launcher is gone")
        found += more
    return found


def _open_port(name: str) -> int:
    """A virtio-serial port by its name."""
    folder = "/sys/class/virtio-ports"
    for device in sorted(os.listdir(folder)):
        with open(f"{folder}/{device}/name", encoding="ascii") as file:
            if file.read().strip() == name:
                return os.open(f"/dev/{device}", os.O_RDWR | os.O_CLOEXEC)
    raise FileNotFoundError(name)


if __name__ == "__main__":
    main()
