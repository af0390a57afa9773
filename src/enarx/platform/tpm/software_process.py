# SPDX-License-Identifier: Apache-2.0
"""swtpm: a software TPM that QEMU shows to one machine, as fresh as the machine.

The host owns it, so what it quotes is `boot: measured (host-trusted)` and never a TEE.
"""

# ruff: noqa: PTH112, PTH114 - paths here are text for other programs
from __future__ import annotations

import os
import shutil
import socket

from enarx.errors import Misused, Reason
from enarx.platform.vm.guarded_process import Guarded

_SYSTEM = ("/usr/bin", "/usr/lib", "/usr/lib64", "/lib", "/lib64")
_STATE = "/state"


class SoftwareTpm:
    """A running swtpm. QEMU gets `channel`; the state is gone when the process is."""

    def __init__(self) -> None:
        program = shutil.which("swtpm")
        if program is None:
            raise Misused(Reason.BACKEND_UNAVAILABLE, "swtpm is not installed", hint="apt-get install swtpm")
        self.channel, theirs = socket.socketpair()
        number = theirs.fileno()
        argv = [os.path.realpath(program), "socket", "--tpm2", "--ctrl", f"type=unixio,clientfd={number}"]
        argv += ["--tpmstate", f"dir={_STATE}", "--flags", "not-need-init", "--seccomp", "action=kill"]
        binds = [(path, path, "ro") for path in _SYSTEM if os.path.isdir(path) and not os.path.islink(path)]
        with theirs:
            self._guarded = Guarded(argv, keep=[number], binds=binds, folders=[_STATE])
        if "root" not in self._guarded.protection.applied:
            self.stop()
            reason = self._guarded.protection.missing
            raise Misused(Reason.SANDBOX_UNAVAILABLE, f"a software TPM needs namespaces: {reason}")

    @property
    def pid(self) -> int:
        """The guard's process id."""
        return self._guarded.pid

    def stop(self) -> None:
        """End it. Safe to call twice."""
        self.channel.close()
        self._guarded.stop()

    def said(self) -> str:
        """What it wrote to standard error."""
        return self._guarded.said()
