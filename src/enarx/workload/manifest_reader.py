# SPDX-License-Identifier: Apache-2.0
"""An Enarx.toml as written: every key known, every value of its type, every mistake with its place."""

from __future__ import annotations

from typing import Any

from enarx.codec import toml
from enarx.errors import Misused, Reason
from enarx.workload.manifest import (
    DEFAULT_PORT,
    DETECTED,
    HOST,
    MAX_BYTES,
    MAX_PORT,
    NOT_DETECTED,
    Connect,
    File,
    Http,
    Limits,
    Listen,
    Manifest,
    Network,
    Null,
    Rule,
    Sealed,
    Stderr,
    Stdin,
    Stdout,
    Trust,
)
from enarx.workload.position import Path
from enarx.workload.table import TableReader

STANDARD: dict[str, type[Null | Stdin | Stdout | Stderr]] = {
    "null": Null,
    "stdin": Stdin,
    "stdout": Stdout,
    "stderr": Stderr,
}
FRACTIONS = ("cpu_seconds", "wall_seconds")
MOST = 1 << 53
SOCKETS: dict[str, type[Listen | Connect]] = {"listen": Listen, "connect": Connect}


TRUST = Trust.__struct_fields__
MOST_WORKERS = 64
SEALED = {
    "seal": ("tenant", "this-machine"),
    "bind": ("launch", "signer"),
    "rollback": (DETECTED, NOT_DETECTED),
}


def read(raw: bytes, where: str) -> Manifest:
    """A manifest as written. `Misused` with line, column and what was expected."""
    if len(raw) > MAX_BYTES:
        raise Misused(Reason.TOO_LARGE, f"{where}: {len(raw)} bytes, at most {MAX_BYTES}")
    text, table = toml.parse(raw, where)
    return _Reader(text, where).manifest(table)


class _Reader(TableReader):
    """Turns the plain table into the value."""

    def manifest(self, table: dict[str, Any]) -> Manifest:
        self.known(table, (), Manifest.__struct_fields__)
        steward = self.take(table, (), "steward", str, None)
        env = self.take(table, (), "env", dict, {})
        for name, value in env.items():
            self.typed(value, ("env", name), str)
            if not name or "=" in name or "\0" in name + value:
                raise self.refuse(Reason.UNKNOWN_VALUE, ("env", name), f"{name!r} names no variable")
        listed = self.take(table, (), "files", list, [])
        return Manifest(
            steward=steward,
            args=self.strings(table, (), "args"),
            env=env,
            files=tuple(self.file(file, ("files", i)) for i, file in enumerate(listed)),
            network=self.network(self.take(table, (), "network", dict, {})),
            limits=self.limits(self.take(table, (), "limits", dict, {})),
            http=self.http(self.take(table, (), "http", dict, {})),
            sealed=self.sealed(self.take(table, (), "sealed", dict, None)),
        )

    def sealed(self, table: dict[str, Any] | None) -> Sealed | None:
        if table is None:
            return None
        self.known(table, ("sealed",), tuple(SEALED))
        chosen: dict[str, Any] = {}
        for name, words in SEALED.items():
            if name not in table:
                raise self.refuse(Reason.MISSING, ("sealed",), f"[sealed] without {name!r}", " or ".join(words))
            chosen[name] = self.chosen(table[name], ("sealed", name), words)
        return Sealed(**chosen)

    def file(self, table: object, path: Path) -> File:
        self.typed(table, path, dict)
        entry: dict[str, Any] = table  # type: ignore[assignment]
        if "kind" not in entry:
            raise self.refuse(Reason.MISSING, path, "a file without 'kind'")
        kind = self.take(entry, path, "kind", str, None)
        self.chosen(kind, (*path, "kind"), (*STANDARD, *SOCKETS))
        shape = STANDARD.get(kind) or SOCKETS[kind]
        self.known(entry, path, _keys(kind, shape.__struct_fields__))
        if "name" in entry:
            self.typed(entry["name"], (*path, "name"), str)
            if ":" in entry["name"] or "\0" in entry["name"]:
                hint = "FD_NAMES joins the names with ':', so no name may hold one"
                said = f"file name {entry['name']!r} must not contain ':'"
                raise self.refuse(Reason.UNKNOWN_VALUE, (*path, "name"), said, hint)
        if kind in SOCKETS:
            return self.socket(kind, entry, path)
        named = {k: self.take(entry, path, k, str, None) for k in entry if k != "kind"}
        if not _is_inside(named.get("source", HOST)):
            said = f"source {named['source']!r} is no file of the package"
            raise self.refuse(Reason.UNKNOWN_VALUE, (*path, "source"), said)
        return STANDARD[kind](**named)

    def socket(self, kind: str, entry: dict[str, Any], path: Path) -> File:
        needed = "name" if kind == "listen" else "host"
        if needed not in entry:
            raise self.refuse(Reason.MISSING, path, f"a {kind} file without {needed!r}")
        prot = self.chosen(entry.get("prot", "tls"), (*path, "prot"), ("tcp", "tls"))
        port = self.take(entry, path, "port", int, DEFAULT_PORT[prot])
        if not 0 <= port <= MAX_PORT or (kind == "connect" and port == 0):
            raise self.refuse(Reason.UNKNOWN_VALUE, (*path, "port"), f"port {port} does not exist")
        if kind == "listen":
            addr = self.take(entry, path, "addr", str, "::")
            return Listen(entry["name"], port, prot, addr, self.trust(entry, path))
        host = self.take(entry, path, "host", str, None)
        name = entry.get("name", host)
        if ":" in name:
            said = f"host {host!r} holds ':' and so cannot be the file's name"
            raise self.refuse(Reason.UNKNOWN_VALUE, (*path, "host"), said, "give the file a name")
        return Connect(name, host, port, prot, self.trust(entry, path))

    def trust(self, entry: dict[str, Any], path: Path) -> Trust:
        roots = self.take(entry, path, "roots", str, "")
        if roots and not _is_inside(roots):
            raise self.refuse(Reason.UNKNOWN_VALUE, (*path, "roots"), f"roots {roots!r} is no file of the package")
        workloads = self.strings(entry, path, "workloads")
        for index, digest in enumerate(workloads):
            if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
                said = f"workloads[{index}] is no SHA-256 digest in lower-case hexadecimal"
                raise self.refuse(Reason.UNKNOWN_VALUE, (*path, "workloads", index), said)
        clients = self.chosen(entry.get("clients", "none"), (*path, "clients"), ("none", "optional", "required"))
        said = "roots, clients and workloads need prot = 'tls'"
        if entry.get("prot", "tls") == "tcp" and (roots or workloads or clients != "none"):
            raise self.refuse(Reason.INCONSISTENT, path, said)
        return Trust(roots, clients, workloads)

    def network(self, table: dict[str, Any]) -> Network:
        self.known(table, ("network",), Network.__struct_fields__)
        return Network(incoming=self.rules(table, "incoming"), outgoing=self.rules(table, "outgoing"))

    def rules(self, table: dict[str, Any], way: str) -> dict[str, Rule]:
        rules: dict[str, Rule] = {}
        for name, entry in self.take(table, ("network",), way, dict, {}).items():
            path: Path = ("network", way, name)
            self.typed(entry, path, dict)
            self.known(entry, path, _keys("listen" if way == "incoming" else "connect", ("prot",))[1:])
            if way == "incoming" and name != "default" and not _is_port(name):
                raise self.refuse(Reason.UNKNOWN_VALUE, path, f"{name!r} is neither a port nor 'default'")
            prot = self.chosen(entry.get("prot", "tls"), (*path, "prot"), ("tcp", "tls"))
            rules[name] = Rule(prot, self.trust(entry, path))
        return rules

    def limits(self, table: dict[str, Any]) -> Limits:
        return Limits(**self.counts(table, "limits", Limits.__struct_fields__))

    def http(self, table: dict[str, Any]) -> Http:
        found = Http(**self.counts(table, "http", Http.__struct_fields__))
        if found.workers > MOST_WORKERS:
            said = f"workers must be at most {MOST_WORKERS}"
            raise self.refuse(Reason.UNKNOWN_VALUE, ("http", "workers"), said)
        return found

    def counts(self, table: dict[str, Any], where: str, known: tuple[str, ...]) -> dict[str, Any]:
        """A table of positive numbers."""
        self.known(table, (where,), known)
        for name, value in table.items():
            if not (name in FRACTIONS and isinstance(value, float)):
                self.typed(value, (where, name), int)
            if not 0 < value < MOST:
                raise self.refuse(
                    Reason.UNKNOWN_VALUE,
                    (where, name),
                    f"{name} must be positive and no more than a machine can count",
                )
        return table


def _keys(kind: str, fields: tuple[str, ...]) -> tuple[str, ...]:
    """The keys of a file's table: the fields of its value, trust spelled out."""
    spelled = {"listen": ("clients", "workloads"), "connect": ("roots", "workloads")}.get(kind, ())
    return ("kind", *(field for field in fields if field != "trust"), *spelled)


def _is_inside(path: str) -> bool:
    """Whether a path names something below the package's root."""
    return all(part not in ("", ".", "..") for part in path.split("/")) and "\0" not in path


def _is_port(name: str) -> bool:
    return name.isascii() and name.isdigit() and int(name) <= MAX_PORT
