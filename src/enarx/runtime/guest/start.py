# SPDX-License-Identifier: Apache-2.0
"""What the agent tells the guest's process to begin with: made on one side, read on the other."""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import NamedTuple

from enarx.runtime.engine.machine import Limits
from enarx.runtime.wire import WireError, join, split

NUMBERS = Struct("<12q")


class OpenFile(NamedTuple):
    """One of the guest's first descriptors.

    kind    null, stdin, stdout, stderr, script, connection, listener or handover
    content what a script holds; where a socket listens or leads ("PORT", "HOST:PORT")
    host    the kernel's descriptor, for all but null and script (-1)
    """

    kind: str
    content: bytes = b""
    host: int = -1


class Serving(NamedTuple):
    """How a component that answers HTTP requests does so.

    workers  processes, each of which runs one instance at a time
    reuse    requests that one instance may answer
    seconds  that answering one may take
    """

    workers: int = 1
    reuse: int = 1
    seconds: int = 60


class Folder(NamedTuple):
    """A folder of the host that the guest sees at a path."""

    guest: str
    host: int


DESCRIBED = frozenset({"stdin", "stdout", "stderr", "connection", "listener", "handover"})


class Start(NamedTuple):
    """Everything that one run of a workload needs.

    module    an anonymous file with the module or component, or with its compiled code
    component whether it is a component
    compiled  which of the two it is
    keep_code whether the agent wants the code that the guest's process compiles
    imports   the names that the module imports of WASI preview 1, or the interfaces of a component
    calls     the exports to call, in order; of a component the one interface
    outgoing  the keys of the manifest's rules for connections, for who looks names up before connecting
    tree      an anonymous file with the package's files (`join` of path, content, …), or -1
    """

    module: int
    compiled: bool
    keep_code: bool
    args: Sequence[bytes]
    env: Sequence[bytes]
    imports: Sequence[str]
    calls: Sequence[str]
    files: Sequence[OpenFile]
    folders: Sequence[Folder]
    tree: int
    limits: Limits
    most_files: int
    storage: int
    cpu_milliseconds: int
    output_rate: int
    connections: int
    require_sandbox: bool
    component: bool = False
    outgoing: Sequence[str] = ()
    serving: Serving = Serving()

    def encode(self) -> tuple[list[bytes], list[int]]:
        """The fields and the descriptors of a START message."""
        flags = bytes((self.compiled, self.keep_code, self.tree >= 0, self.require_sandbox, self.component))
        fields = [
            flags,
            join(self.args),
            join(self.env),
            join(name.encode() for name in self.imports),
            join(name.encode() for name in self.calls),
            join(join((file.kind.encode(), file.content)) for file in self.files),
            join(folder.guest.encode() for folder in self.folders),
            join(name.encode() for name in self.outgoing),
            NUMBERS.pack(
                *(
                    *self.limits,
                    self.most_files,
                    self.storage,
                    self.cpu_milliseconds,
                    self.output_rate,
                    self.connections,
                ),
                *self.serving,
            ),
        ]
        hosts = [file.host for file in self.files if file.kind in DESCRIBED]
        hosts += [folder.host for folder in self.folders]
        return fields, [self.module, *([self.tree] if self.tree >= 0 else []), *hosts]

    @classmethod
    def parse(cls, fields: Sequence[bytes], descriptors: Sequence[int]) -> Start:
        """What `encode` made, on the other side."""
        flags, args, env, imports, calls, files, folders, outgoing, numbers = fields
        given = iter(descriptors)
        module = next(given)
        tree = next(given) if flags[2] else -1
        *counts, workers, reuse, seconds = NUMBERS.unpack(numbers)
        *limits, most_files, storage, cpu_milliseconds, output_rate, connections = counts
        opened: list[OpenFile] = []
        for record in split(files):
            kind, content = split(record)
            host = next(given) if kind.decode() in DESCRIBED else -1
            opened.append(OpenFile(kind.decode(), content, host))
        seen = [Folder(guest.decode(), next(given)) for guest in split(folders)]
        if next(given, None) is not None:
            raise WireError
        return cls(
            module=module,
            serving=Serving(workers, reuse, seconds),
            compiled=bool(flags[0]),
            keep_code=bool(flags[1]),
            args=split(args),
            env=split(env),
            imports=[name.decode() for name in split(imports)],
            calls=[name.decode() for name in split(calls)],
            files=opened,
            folders=seen,
            tree=tree,
            limits=Limits(*limits),
            most_files=most_files,
            storage=storage,
            cpu_milliseconds=cpu_milliseconds,
            output_rate=output_rate,
            connections=connections,
            require_sandbox=bool(flags[3]),
            component=bool(flags[4]),
            outgoing=[name.decode() for name in split(outgoing)],
        )
