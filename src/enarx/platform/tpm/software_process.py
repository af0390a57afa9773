# SPDX-License-Identifier: Apache-2.0
"""swtpm: a software TPM that QEMU shows to one machine, as fresh as the machine.

The host owns it, so what it quotes is `boot: measured (host-trusted)` and never a TEE.
"""

# ruff: noqa: PTH112, PTH114 - paths here are text for other programs
from __future__ import annotations

import array
import os
import shutil
import socket
from collections.abc import Callable, Sequence

from enarx.errors import Misused, Reason, Undetermined
from enarx.platform.tpm import command
from enarx.platform.tpm.command import MAX_RESPONSE
from enarx.platform.tpm.device import Transport, patient
from enarx.platform.vm.guarded_process import Guarded

_SYSTEM = ("/usr/bin", "/usr/lib", "/usr/lib64", "/lib", "/lib64")
_STATE = "/state"
_INIT, _STOP, _SET_DATAFD = 0x02, 0x0E, 0x10
"""CMD_INIT, CMD_STOP and CMD_SET_DATAFD."""
_PATIENCE = 20.0


class SoftwareTpm:
    """A running swtpm. QEMU gets `channel`; the state is gone when the process is."""

    def __init__(self, prepare: Callable[[Transport], None] | None = None) -> None:
        """`prepare` gets the TPM before any machine does: its maker, who certifies its endorsement key."""
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
        if prepare is not None:
            try:
                self._prepare(prepare)
            except BaseException:
                self.stop()
                raise

    def _prepare(self, prepare: Callable[[Transport], None]) -> None:
        """Be the TPM's first user, over a data channel of our own, and leave it as if just switched off."""
        ours, theirs = socket.socketpair()
        ours.settimeout(_PATIENCE)
        with ours:
            with theirs:
                self._control(_SET_DATAFD, b"", [theirs.fileno()])
            self._control(_INIT, bytes(4))

            def ask(asked: bytes) -> bytes:
                try:
                    ours.sendall(asked)
                    return ours.recv(MAX_RESPONSE)
                except OSError as error:
                    raise Undetermined(Reason.UNREACHABLE, f"software TPM: {error}: {self.said()}") from None

            command.body(ask(command.startup()), "Startup")
            prepare(patient(ask))
            self._control(_STOP, b"")

    def _control(self, order: int, parameters: bytes, descriptors: Sequence[int] = ()) -> None:
        """One order on the control channel (swtpm_ioctls(3)); its answer begins with a result."""
        self.channel.settimeout(_PATIENCE)
        passed = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        try:
            self.channel.sendmsg([order.to_bytes(4, "big") + parameters], passed)
            answer = self.channel.recv(MAX_RESPONSE)
        except OSError as error:
            raise Undetermined(Reason.UNREACHABLE, f"software TPM: {error}: {self.said()}") from None
        finally:
            self.channel.settimeout(None)
        if answer[:4] != bytes(4):
            raise Undetermined(Reason.UNEXPECTED_ANSWER, f"software TPM: order {order:#x}: {answer[:4].hex()}")

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
