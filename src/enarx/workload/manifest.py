# SPDX-License-Identifier: Apache-2.0
"""Enarx.toml: what a workload asks for, as a value.

Upstream's schema (crate `enarx-config`), with these additions: `prot` may be left out and is then
`tls`; `source` says where stdin comes from; `[limits]` and `[network]`; and unknown keys are refused
at the top level too.
"""

from __future__ import annotations

from typing import Literal

import msgspec

FILE_NAME = "Enarx.toml"
MAX_BYTES = 1_000_000
"""Upstream's MAX_CONF_SIZE."""
HOST = "host"
DEFAULT_PORT = {"tls": 443, "tcp": 80}
MAX_PORT = 65535

Protocol = Literal["tcp", "tls"]
Clients = Literal["none", "optional", "required"]


class Null(msgspec.Struct, frozen=True, tag="null", tag_field="kind"):
    """Reads nothing and swallows everything."""

    name: str = "null"


class Stdin(msgspec.Struct, frozen=True, tag="stdin", tag_field="kind"):
    """Standard input: of the host, or a file of the package named by `source`."""

    name: str = "stdin"
    source: str = HOST


class Stdout(msgspec.Struct, frozen=True, tag="stdout", tag_field="kind"):
    """Standard output of the host."""

    name: str = "stdout"


class Stderr(msgspec.Struct, frozen=True, tag="stderr", tag_field="kind"):
    """Standard error of the host."""

    name: str = "stderr"


class Trust(msgspec.Struct, frozen=True):
    """Whom TLS of a socket accepts at its other end, beyond what it accepts by itself.

    roots      a PEM file of the package with the only trusted roots; "" is WebPKI and the Steward's
    clients    of a listener: whether clients show a certificate of the Steward
    workloads  package digests (SHA-256, hexadecimal): the peer must be a Keep that runs one of these
    """

    roots: str = ""
    clients: Clients = "none"
    workloads: tuple[str, ...] = ()


class Listen(msgspec.Struct, frozen=True, tag="listen", tag_field="kind"):
    """A listening socket, open before the guest starts. Port 0 lets the host choose."""

    name: str
    port: int
    prot: Protocol = "tls"
    addr: str = "::"
    trust: Trust = Trust()


class Connect(msgspec.Struct, frozen=True, tag="connect", tag_field="kind"):
    """A connected socket, handshake done before the guest starts."""

    name: str
    host: str
    port: int
    prot: Protocol = "tls"
    trust: Trust = Trust()


File = Null | Stdin | Stdout | Stderr | Listen | Connect


class Rule(msgspec.Struct, frozen=True):
    """What `[network]` allows for one port or host, or by default."""

    prot: Protocol = "tls"
    trust: Trust = Trust()


class Network(msgspec.Struct, frozen=True):
    """Sockets opened while the guest runs: only what is listed; `default` stands for the rest."""

    incoming: dict[str, Rule] = {}
    outgoing: dict[str, Rule] = {}


DETECTED, NOT_DETECTED = "detected", "not detected"


class Sealed(msgspec.Struct, frozen=True):
    """`/sealed`, a folder whose files outlive the Keep (docs/formats/sealed.md). Nothing of it has a default.

    seal      where the sealing root comes from: the tenant's broker, or the machine's own TEE
    bind      who gets the same keys: the same launch, or packages of the same signer
    rollback  whether somebody outside holds the volume's version; the other word says that nobody does
    """

    seal: Literal["tenant", "this-machine"]
    bind: Literal["launch", "signer"]
    rollback: Literal["detected", "not detected"]


class Limits(msgspec.Struct, frozen=True):
    """Upper bounds that the workload sets itself; None leaves one to the launcher.

    memory, storage, sealed (all of `/sealed`) in bytes; table in elements; instances, files (open descriptors) and connections
    are counts; cpu_seconds and wall_seconds in seconds, which may be fractions; output_rate in bytes a second.
    """

    memory: int | None = None
    table: int | None = None
    instances: int | None = None
    storage: int | None = None
    files: int | None = None
    connections: int | None = None
    cpu_seconds: float | None = None
    wall_seconds: float | None = None
    output_rate: int | None = None
    sealed: int | None = None


class Http(msgspec.Struct, frozen=True):
    """How a component that exports `wasi:http/incoming-handler` is run.

    workers                processes that answer, each one request at a time; limits of memory hold for each
    requests_per_instance  after so many requests an instance is thrown away; 1 is a fresh one for each
    request_seconds        how long one request may take, whatever the component does
    """

    workers: int = 4
    requests_per_instance: int = 1
    request_seconds: int = 60


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """An Enarx.toml."""

    steward: str | None = None
    args: tuple[str, ...] = ()
    env: dict[str, str] = {}
    files: tuple[File, ...] = ()
    network: Network = Network()
    limits: Limits = Limits()
    sealed: Sealed | None = None
    http: Http = Http()

    @property
    def input_from_host(self) -> bool:
        """Whether the host feeds the guest, which certificates and results then say."""
        return any(isinstance(file, Stdin) and file.source == HOST for file in self.files)

    @property
    def sources(self) -> tuple[str, ...]:
        """The files of the package that it names, each once."""
        named = [file.source for file in self.files if isinstance(file, Stdin) and file.source != HOST]
        sockets = [file for file in self.files if isinstance(file, Listen | Connect)]
        rules = [*self.network.incoming.values(), *self.network.outgoing.values()]
        named += [one.trust.roots for one in (*sockets, *rules) if one.trust.roots]
        return tuple(dict.fromkeys(named))

    @property
    def uses_tls(self) -> bool:
        """Whether any socket of it needs a certificate."""
        listed = any(isinstance(f, Listen | Connect) and f.prot == "tls" for f in self.files)
        rules = (*self.network.incoming.values(), *self.network.outgoing.values())
        return listed or any(rule.prot == "tls" for rule in rules)


DEFAULT = Manifest(files=(Stdin(), Stdout(), Stderr()))
"""What a workload without an Enarx.toml gets: the three standard streams."""


def parse(raw: bytes, *, where: str = FILE_NAME) -> Manifest:
    """A manifest as written. `Misused` with line, column and what was expected."""
    # Imported here because the reader stands on the values above.
    from enarx.workload.manifest_reader import read

    return read(raw, where)
