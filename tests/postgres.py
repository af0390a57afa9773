"""A PostgreSQL of our own: Debian's programs, an unprivileged account, a Unix socket."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from tests.parts import postgres


class Postgres:
    """One cluster, which can be stopped, killed and started again."""

    def __init__(self, *, fsync: bool = False) -> None:
        self.programs = postgres()
        # a socket's path has at most 107 bytes, and PostgreSQL refuses to run as root
        self.folder = Path(tempfile.mkdtemp(prefix="pg"))
        self.account = "postgres" if os.geteuid() == 0 else None
        if self.account:
            shutil.chown(self.folder, self.account)
        self.fsync = fsync
        self._run("initdb", "-D", self.data, "-A", "trust", "-U", "enarx", "--no-sync", "-E", "UTF8", "--no-locale")
        self.server: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def url(self) -> str:
        return self.database("postgres")

    def database(self, name: str) -> str:
        return f"postgresql+psycopg://enarx@/{name}?host={self.folder}"

    def create(self, name: str) -> str:
        """A new database's URL."""
        self._run("createdb", "-h", self.folder, "-U", "enarx", name)
        return self.database(name)

    def _run(self, program: str, *arguments: str | Path) -> bytes:
        command = [self.programs / program, *arguments]
        return subprocess.run(command, check=True, capture_output=True, user=self.account, cwd=self.folder).stdout

    def run(self, program: str, *arguments: str | Path) -> bytes:
        return self._run(program, "-h", self.folder, "-U", "enarx", *arguments)

    def start(self) -> None:
        options = ["-k", str(self.folder), "-c", "listen_addresses="]
        if not self.fsync:
            options += ["-c", "fsync=off"]
        self.server = subprocess.Popen(
            [self.programs / "postgres", "-D", self.data, *options],
            stderr=subprocess.DEVNULL,
            user=self.account,
            cwd=self.folder,
        )
        for _ in range(400):
            asked = [self.programs / "pg_isready", "-h", self.folder, "-q"]
            if subprocess.run(asked, check=False).returncode == 0:
                return
            time.sleep(0.05)
        pytest.fail("PostgreSQL does not start")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: fast shutdown; SIGQUIT: as if the machine had gone."""
        if self.server is not None:
            self.server.send_signal(how)
            self.server.wait(30)
            self.server = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
