"""A software TPM for tests, without a machine around it."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from enarx.platform.tpm import command, device
from enarx.platform.tpm.device import Transport


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Transport]:
    """A fresh swtpm whose state is in `folder`."""
    ours, theirs = socket.socketpair()
    line = ["swtpm", "socket", "--tpm2", "--fd", str(theirs.fileno()), "--tpmstate", f"dir={folder}"]
    process = subprocess.Popen([*line, "--flags", "not-need-init,startup-clear"], pass_fds=[theirs.fileno()])
    theirs.close()

    def ask(asked: bytes) -> bytes:
        ours.sendall(asked)
        return ours.recv(command.MAX_RESPONSE)

    yield device.patient(ask)
    ours.close()
    process.kill()
    process.wait()
