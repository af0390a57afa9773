# SPDX-License-Identifier: Apache-2.0
"""Debian packages through the machine's own `apt`, from any suite, without root.

The machine's Debian entries are copied into a private configuration with other suites; no address
is written here. `apt` checks the archive's signature; the lock file checks the bytes.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import msgspec

from enarx.errors import Misused, Reason, Undetermined

_PATIENCE = 600.0
_SECURITY = "-security"


class Offer(msgspec.Struct, frozen=True):
    """What a suite offers of a package today."""

    name: str
    version: str
    sha256: str
    size: int


class Apt:
    """A private apt in a folder of ours, for some suites."""

    def __init__(
        self, folder: Path, suites: Iterable[str], *, sources: bool = False, etc: Path = Path("/etc/apt")
    ) -> None:
        self._folder = folder
        for name in ("lists/partial", "archives/partial", "state", "sources"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "state" / "status").touch()
        (folder / "sources" / "enarx.sources").write_text(
            _entries(etc, sorted(set(suites)), sources=sources), encoding="utf-8"
        )
        (folder / "apt.conf").write_text(_configuration(folder), encoding="utf-8")

    def update(self) -> None:
        """Fetch the lists of what the suites offer."""
        self._run("apt-get", "update", "-qq")

    def offer(self, name: str, suite: str) -> Offer:
        """The newest version of a package in a suite."""
        said = self._run("apt-cache", "madison", name)
        rows = [[cell.strip() for cell in line.split("|")] for line in said.splitlines()]
        wanted = re.compile(rf"\s{re.escape(suite)}/")
        version = next((row[1] for row in rows if len(row) == 3 and wanted.search(row[2])), "")
        if not version:
            raise Undetermined(Reason.NOT_FOUND, f"Debian package {name} in {suite}")
        shown = self._run("apt-cache", "show", "--no-all-versions", f"{name}={version}")
        fields = dict(line.split(": ", 1) for line in shown.splitlines() if re.match(r"(SHA256|Size): ", line))
        return Offer(name, version, fields["SHA256"], int(fields["Size"]))

    def kernel(self, meta: str, suite: str) -> str:
        """The versioned package that a kernel's metapackage depends on today."""
        version = self.offer(meta, suite).version
        shown = self._run("apt-cache", "show", "--no-all-versions", f"{meta}={version}")
        found = re.search(r"^Depends: ([a-z0-9.+-]+)", shown, re.MULTILINE)
        if found is None:
            raise Undetermined(Reason.NOT_FOUND, f"Debian package behind {meta} in {suite}")
        return found.group(1)

    def download(self, wanted: Iterable[tuple[str, str]], into: Path) -> None:
        """Put packages (name, version) into a folder; `NOT_FOUND` names the first that has vanished."""
        pairs = [f"{name}={version}" for name, version in wanted]
        if not pairs:
            return
        done = self._start(into, "apt-get", "download", "-qq", *pairs)
        if done.returncode:
            raise Undetermined(
                Reason.NOT_FOUND,
                f"Debian packages of the image lock: {_first_line(done.stderr, pairs)}",
                hint="the archive keeps old versions for a while only: `enarx image update` moves the pins",
            )

    def download_source(self, package: str, version: str, into: Path) -> None:
        """Put the archives of a source package into a folder; the caller checks what came."""
        # Archives drop a source's description before its archives; apt then fails after fetching those.
        self._start(into, "apt-get", "source", "--download-only", "-qq", f"{package}={version}")

    def source_archives(self, package: str, suite: str) -> list[tuple[str, str, str, int]]:
        """The archives of the newest source of a suite that has it alone: file, version, SHA-256, size."""
        shown = self._run("apt-cache", "showsrc", package)
        newest = shown.split("\n\n")[0]
        version = re.search(r"^Version: (\S+)", newest, re.MULTILINE)
        listed = re.search(r"^Checksums-Sha256:\n((?: .*\n?)+)", newest, re.MULTILINE)
        if version is None or listed is None:
            raise Undetermined(Reason.NOT_FOUND, f"Debian source {package} in {suite}")
        rows = [line.split() for line in listed[1].splitlines()]
        return [(name, version[1], digest, int(size)) for digest, size, name in rows if ".tar." in name]

    def _run(self, *command: str) -> str:
        done = self._start(self._folder, *command)
        if done.returncode:
            raise Undetermined(Reason.UNREACHABLE, f"{command[0]} {command[1]}: {_first_line(done.stderr, ())}")
        return done.stdout

    def _start(self, cwd: Path, *command: str) -> subprocess.CompletedProcess[str]:
        environment = {"APT_CONFIG": str(self._folder / "apt.conf"), "LC_ALL": "C", "PATH": "/usr/bin:/bin"}
        try:
            return subprocess.run(
                command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=_PATIENCE
            )
        except FileNotFoundError:
            raise Misused(Reason.BACKEND_UNAVAILABLE, "apt", hint="images are built on Debian and its kin") from None
        except subprocess.TimeoutExpired:
            raise Undetermined(Reason.TIMED_OUT, f"{command[0]} {command[1]}") from None


def _first_line(said: str, pairs: Iterable[str]) -> str:
    errors = [line[3:] for line in said.splitlines() if line.startswith("E: ")]
    named = [pair for pair in pairs if any(pair.split("=", 1)[1] in line for line in errors)]
    return ", ".join(named) or (re.sub(r"\w+://\S+", "…", errors[0]) if errors else "failed")


def _configuration(folder: Path) -> str:
    rows = {
        "Dir::State": folder / "state",
        "Dir::State::status": folder / "state" / "status",
        "Dir::State::lists": folder / "lists",
        "Dir::Cache": folder / "archives",
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": folder / "sources",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "APT::Architecture": "amd64",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
    }
    return "".join(f'{name} "{value}";\n' for name, value in rows.items())


def _entries(etc: Path, suites: list[str], *, sources: bool) -> str:
    """The machine's Debian entries, one for each suite: security suites live in an archive of their own."""
    own = [stanza for stanza in _stanzas(etc) if "debian" in stanza["uris"]]
    out: list[str] = []
    for suite in suites:
        kin = [one for one in own if one["suites"].split()[0].endswith(_SECURITY) == suite.endswith(_SECURITY)]
        if not kin:
            raise Misused(
                Reason.BACKEND_UNAVAILABLE, f"apt: no entry to reach {suite} through", hint="see sources.list(5)"
            )
        fields = [
            f"Types: {'deb-src' if sources else 'deb'}",
            f"URIs: {kin[0]['uris']}",
            f"Suites: {suite}",
            "Components: main",
        ]
        if signed := kin[0].get("signed-by"):
            fields.append(f"Signed-By: {signed}")
        out.append("\n".join(fields))
    return "\n\n".join(out) + "\n"


def _stanzas(etc: Path) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for file in sorted((etc / "sources.list.d").glob("*.sources")):
        for text in re.split(r"\n\s*\n", file.read_text(encoding="utf-8")):
            rows = (line.split(":", 1) for line in text.splitlines() if ":" in line and line[:1] not in "# \t")
            stanza = {name.strip().lower(): value.strip() for name, value in rows}
            if "deb" in stanza.get("types", "").split() and {"uris", "suites"} <= stanza.keys():
                found.append(stanza)
    for file in (etc / "sources.list", *sorted((etc / "sources.list.d").glob("*.list"))):
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        for line in re.finditer(r"^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)", text, re.MULTILINE):
            signed = re.search(r"signed-by=(\S+)", line[1] or "")
            found.append({"uris": line[2], "suites": line[3], **({"signed-by": signed[1]} if signed else {})})
    return found
