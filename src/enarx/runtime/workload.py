# SPDX-License-Identifier: Apache-2.0
"""What is asked to be run, and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from enarx.errors import EnarxError, Faulty, Reason, Unacceptable, Undetermined
from enarx.workload.manifest import Limits, Manifest

PROGRAM = "main.wasm"
"""The guest's argv[0], as upstream has it."""


class Workload(msgspec.Struct, frozen=True):
    """A module with its manifest.

    tree     the package's files by path ("script.py", "lib/a.py"), which the guest sees read-only
    folders  folders of this machine by the path at which the guest sees them; `process` alone
    args     arguments after the manifest's
    env      environment after the manifest's
    caps     upper bounds that the launcher sets on the manifest's limits
    described  whether FD_COUNT and FD_NAMES are in the environment, as upstream has it for an Enarx.toml
    secrets  what the guest reads at /secrets/NAME; never in its arguments or environment
    resolve  names to addresses (`resolver_client`); None asks the host
    require_sandbox  rather not run than run where the kernel lacks a part of the sandbox
    """

    module: bytes
    manifest: Manifest
    tree: Mapping[str, bytes] = {}
    folders: Mapping[str, str] = {}
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = {}
    caps: Limits = Limits()
    require_sandbox: bool = False
    described: bool = True
    secrets: Mapping[str, bytes] = {}
    resolve: Callable[[str], tuple[str, ...]] | None = None

    def bounded(self) -> Limits:
        """The manifest's limits and the launcher's caps, whichever is lower."""
        ours, theirs = self.manifest.limits, self.caps
        bounds: dict[str, Any] = {}
        for name in Limits.__struct_fields__:
            given = [value for value in (getattr(ours, name), getattr(theirs, name)) if value is not None]
            bounds[name] = min(given, default=None)
        return Limits(**bounds)


class Identity(msgspec.Struct, frozen=True):
    """Who the Keep is in TLS: PEM of the private key, of the chain (leaf first), of trusted roots."""

    key_pem: bytes
    chain_pem: bytes
    roots_pem: bytes = b""

    def __repr__(self) -> str:
        return "Identity(...)"


class Stdio(msgspec.Struct, frozen=True):
    """The kernel's descriptors that play the host's standard streams; None plays the null file."""

    stdin: int | None = 0
    stdout: int | None = 1
    stderr: int | None = 2


NO_STDIO = Stdio(None, None, None)


class Bound(msgspec.Struct, frozen=True):
    """A listening socket of the manifest as it was bound."""

    name: str
    prot: str
    address: str
    port: int


class Exit(msgspec.Struct, frozen=True):
    """How a guest ended.

    code    what it exited with (0 to 4294967295); 0 when it did not get to say
    reason  None when the guest ended by itself, else why it was ended
    detail  one line
    trace   the wasm backtrace of a trap, or ""
    """

    code: int = 0
    reason: Reason | None = None
    detail: str = ""
    trace: str = ""

    def error(self) -> EnarxError | None:
        """The error that this ending is, or None when the guest ended by itself."""
        match self.reason:
            case None:
                return None
            case Reason.INTERNAL:
                return Faulty(Reason.INTERNAL, self.detail)
            case Reason.KEEP_DIED:
                return Undetermined(Reason.KEEP_DIED, self.detail)
            case reason:
                return Unacceptable(reason, self.detail)
