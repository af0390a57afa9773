# SPDX-License-Identifier: Apache-2.0
"""Who tells a Keep's guest the addresses of names: chosen by the launch document, and said aloud."""

from __future__ import annotations

from collections.abc import Callable

from enarx.codec.digest import sha256
from enarx.codec.x509 import from_pem
from enarx.errors import Misused, Reason
from enarx.runtime.network import Resolve
from enarx.runtime.resolver_client import Resolver, context, nobody
from enarx.workload import resolver
from enarx.workload.launch import Launch
from enarx.workload.manifest import Connect, Manifest


def chosen(launch: Launch, cas: bytes) -> Resolve | None:
    """The resolver, or None for the host's, whom nobody believes.

    `cas` is what the launcher sent; of these certificates the one is believed whose key the
    launch document pins.
    """
    if launch.resolver is None or launch.resolver == resolver.HOST:
        return None
    if not launch.resolver:
        return nobody
    return Resolver(resolver.server(launch.resolver), context(_roots(launch, cas)))


def _roots(launch: Launch, cas: bytes) -> bytes | None:
    if launch.resolver_ca is None:
        return None
    pinned = [one.pem() for one in from_pem(cas, "CA certificates") if sha256(one.spki) == launch.resolver_ca]
    if not pinned:
        raise Misused(Reason.UNKNOWN_ANCHOR, f"resolver {launch.resolver}: the CA that the launch document pins")
    return "".join(pinned).encode()


def tell(report: Callable[..., None], manifest: Manifest, launch: Launch) -> None:
    """Say who answers, if the guest may connect to anything. The names themselves are nobody's business."""
    if not manifest.network.outgoing and not any(isinstance(file, Connect) for file in manifest.files):
        return
    host = launch.resolver in {None, resolver.HOST}
    by = "the host" if host else launch.resolver or "nobody"
    report("resolver", by=by, trust="untrusted" if host else "authenticated" if launch.resolver else "no names")
