# SPDX-License-Identifier: Apache-2.0
"""The stage of the demo: a folder for this run, services and Keeps as processes, an end to all.

Everything here is what an operator would type, run as a process of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from enarx.errors import Faulty, Reason, Undetermined

ENARX = (sys.executable, "-I", "-m", "enarx")
READY_SECONDS = 120.0
"""A busy machine takes its time to start four processes, and to compile 26 MB of WebAssembly for the first of them."""
RUN_SECONDS = 300.0
STOP_SECONDS = 30.0


class Stage:
    """One run of the demo. Leaving it ends every process and removes the folder."""

    def __init__(self) -> None:
        self._exit = contextlib.ExitStack()
        self.folder = Path(self._exit.enter_context(tempfile.TemporaryDirectory(prefix="enarx-demo-")))
        self.home = self.folder / "home"
        self.home.mkdir()

    def __enter__(self) -> Stage:  # noqa: PYI034
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def environment(self) -> dict[str, str]:
        """The environment of every process: a home of its own, nothing of the user's settings."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "XDG_CACHE_HOME") if name in os.environ}
        cache = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))
        return {**kept, "HOME": str(self.home), "XDG_CACHE_HOME": cache, "COLUMNS": "100"}

    def service(self, name: str, *arguments: str | Path) -> str:
        """Start `enarx NAME serve …`; returns its URL once it says that it listens."""
        log = (self.folder / f"{name}.log").open("wb")
        process = self._started([name, "serve", *arguments], stdout=subprocess.PIPE, stderr=log)
        if process.stdout is None:
            raise Faulty(Reason.INTERNAL, f"{name}: no output to read")
        line = process.stdout.readline().decode()
        said, _, url = line.strip().rpartition(" ")
        if not said.endswith("listening on"):
            raise Undetermined(Reason.UNEXPECTED_ANSWER, f"{name} does not start: {self.last_words(name) or line}")
        return url

    def last_words(self, name: str) -> str:
        """The last line that a service logged."""
        lines = (self.folder / f"{name}.log").read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""

    def enarx(self, *arguments: str | Path, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run `enarx …` to its end; an exit code other than `expect` ends the demo."""
        done = subprocess.run(
            [*ENARX, *map(str, arguments)],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=RUN_SECONDS,
        )
        if expect is not None and done.returncode != expect:
            said = done.stderr.strip().splitlines()
            raise Faulty(
                Reason.INTERNAL,
                f"enarx {arguments[0]} ended with {done.returncode}: {said[-1] if said else done.stdout[:300]}",
            )
        return done

    def keep(self, *arguments: str | Path) -> DeployedKeep:
        """Start `enarx deploy …` and return while it runs."""
        number = len(list(self.folder.glob("events-*")))
        events = self.folder / f"events-{number}.jsonl"
        events.touch()
        output = (self.folder / f"output-{number}").open("wb")
        process = self._started(["deploy", *arguments, "--events", events], stdout=output, stderr=subprocess.PIPE)
        return DeployedKeep(process, events, Path(output.name))

    def _started(self, arguments: Sequence[str | Path], **more: Any) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [*ENARX, *map(str, arguments)], env=self.environment(), stdin=subprocess.DEVNULL, **more
        )
        self._exit.callback(_ended, process)
        return process


class DeployedKeep:
    """A running `enarx deploy`."""

    def __init__(self, process: subprocess.Popen[bytes], events: Path, output: Path) -> None:
        self._process = process
        self._events = events
        self._output = output

    def events(self) -> Iterator[dict[str, Any]]:
        """What the Keep has reported so far."""
        for line in self._events.read_text(encoding="utf-8").splitlines():
            yield json.loads(line)

    def wait_for(self, event: str, patience: float = READY_SECONDS) -> dict[str, Any]:
        """The first event of that name; a Keep that ends without it ends the demo."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            over = self._process.poll() is not None
            found = next((one for one in self.events() if one["event"] == event), None)
            if found is not None:
                return found
            if over:
                raise Faulty(Reason.KEEP_DIED, f"the Keep ended before it was {event}: {self.complaint()}")
            time.sleep(0.02)
        raise Undetermined(Reason.TIMED_OUT, f"the Keep was not {event} within {patience:.0f} s")

    def complaint(self) -> str:
        """The line on which `enarx deploy` says why it ended."""
        self._process.wait(READY_SECONDS)
        said = self._process.stderr.read().decode(errors="replace") if self._process.stderr else ""
        return next((line for line in said.splitlines() if line.startswith("enarx: ")), said.strip())

    def finish(self) -> int:
        """Its exit code, once it has ended by itself."""
        try:
            return self._process.wait(RUN_SECONDS)
        except subprocess.TimeoutExpired:
            raise Undetermined(Reason.TIMED_OUT, f"the Keep had not ended after {RUN_SECONDS:.0f} s") from None

    def output(self) -> str:
        """What the program printed."""
        return self._output.read_text(errors="replace")

    def stop(self) -> None:
        """Ask it to stop, and wait."""
        _ended(self._process)


def _ended(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
