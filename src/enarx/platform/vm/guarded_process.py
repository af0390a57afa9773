# SPDX-License-Identifier: Apache-2.0
"""A program of the host (QEMU, swtpm) under its guard."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from enarx.errors import Misused, Reason, Undetermined
from enarx.platform.vm import guard

_SAID_LINES = 40
_PATIENCE = 10.0


class Protection(msgspec.Struct, frozen=True):
    """What holds the program back, and what could not be put in place and why."""

    applied: tuple[str, ...] = ()
    missing: dict[str, str] = {}


class Guarded:
    """One running program. `stop` ends it; so does the end of this process, however that comes."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        keep: Sequence[int],
        binds: Sequence[tuple[str, str, str]] = (),
        folders: Sequence[str] = (),
        groups: Sequence[str] = (),
        limits: Mapping[str, int] | None = None,
    ) -> None:
        life, self._life = os.pipe()
        self._report, report = os.pipe()
        order = {
            "argv": list(argv),
            "keep": list(keep),
            "life": life,
            "report": report,
            "binds": [list(bind) for bind in binds],
            "folders": list(folders),
            "groups": list(groups),
            "limits": dict(limits or {}),
        }
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", guard.__file__, json.dumps(order)],
                pass_fds=[*keep, life, report],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        finally:
            os.close(life)
            os.close(report)
        self._lines: deque[str] = deque(maxlen=_SAID_LINES)
        self._listener = threading.Thread(target=self._listen, name="standard error", daemon=True)
        self._listener.start()
        self.protection = self._read_report()

    @property
    def pid(self) -> int:
        """The guard's process id."""
        return self._process.pid

    def loaded(self) -> None:
        """The program has read the files that it loads: the memory of their copies is given back."""
        with contextlib.suppress(OSError):
            os.write(self._life, b"\1")

    def said(self) -> str:
        """The last lines that the program wrote to standard error."""
        self._listener.join(1.0 if self._process.poll() is not None else 0.0)
        return "\n".join(self._lines)

    def poll(self) -> int | None:
        """The exit code, or None while it runs; 128 + N for a signal N."""
        return self._process.poll()

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once there is one; `TIMED_OUT` before that."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Undetermined(Reason.TIMED_OUT, Path(str(self._process.args)).name) from None

    def stop(self) -> int:
        """End the program at once. Safe to call twice."""
        if self._life >= 0:
            os.close(self._life)
            self._life = -1
        try:
            code = self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        if self._process.stderr is not None:
            self._listener.join(1.0)
            self._process.stderr.close()
        return code

    def _listen(self) -> None:
        if self._process.stderr is None:
            return
        with contextlib.suppress(ValueError, OSError):
            for line in self._process.stderr:
                self._lines.append(line.decode("utf-8", "replace").rstrip()[:500])

    def _read_report(self) -> Protection:
        with os.fdopen(self._report, "rb") as report:
            line = report.readline()
        if not line:
            raise Misused(Reason.BACKEND_UNAVAILABLE, f"guard: {self.said() or 'ended at once'}")
        return msgspec.json.decode(line, type=Protection)
