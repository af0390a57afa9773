# SPDX-License-Identifier: Apache-2.0
"""The Steward as a program: reads its files, makes its parts, serves.

Everything that can be refused is refused before the first request: a key that is not the CA's,
a CA that may not issue what the policies accept, a database that does not answer.
"""

from __future__ import annotations

import functools
import ipaddress
import secrets
import socket
import tempfile
from pathlib import Path

import msgspec
from sqlalchemy import Engine

from enarx.identity import store
from enarx.identity import tenant as tenant_
from enarx.identity.archive import Archive
from enarx.identity.audit import Audit
from enarx.identity.clock import Clock
from enarx.identity.front import Front
from enarx.identity.ledger import Ledger
from enarx.identity.log import LogKey
from enarx.identity.own_tls import OwnCertificate
from enarx.identity.remembered import Remembered
from enarx.identity.rulebook import Rulebook
from enarx.identity.service import Service, create
from enarx.identity.service_admin import Office
from enarx.identity.settings import Settings, TenantSettings, load_log_key, log_key_file
from enarx.identity.shared import Outcomes, Shared
from enarx.identity.steward import Steward
from enarx.identity.tenant import Tenant
from enarx.identity.upstream import Upstream
from enarx.web.guard import Guard
from enarx.web.limits import Limits
from enarx.web.metrics import Metrics
from enarx.web.serve import Settings as Listening
from enarx.web.serve import bound, serve, url
from enarx.web.tls import TlsFiles


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What all workers of one Steward have in common.

    own       the TLS certificates that tenants' CAs made, by tenant
    database  its URL
    start     a name of this run
    """

    tenants: tuple[Tenant, ...]
    own: dict[str, OwnCertificate]
    log: LogKey
    checkpoint: Path
    clock: Clock
    limits: Limits
    database: str
    start: str


def run(settings: Settings, listener: socket.socket | None = None) -> int:
    """Serve until a signal; the exit code. `listener`: of `bound`, for who has to know its address beforehand."""
    listener = listener or bound(settings.host, settings.port)
    clock = Clock()
    tenants = tuple(
        tenant_.load(one, address=_address(one, settings, listener), when=clock.now()) for one in settings.tenants
    )
    tenant_.require_apart(tenants)
    with tempfile.TemporaryDirectory(prefix="enarx-steward-") as folder:
        log_key = log_key_file(settings, Path(folder))
        parts = Parts(
            tenants=tenants,
            own=_own_certificates(settings, tenants, Path(folder), clock),
            log=load_log_key(settings, log_key),
            checkpoint=log_key.with_name(log_key.name + ".checkpoint"),
            clock=clock,
            limits=Limits(rate=settings.rate, burst=max(100, int(settings.rate))),
            database=settings.database or f"sqlite:///{folder}/steward.sqlite",
            start=secrets.token_hex(8),
        )
        first = store.connect(parts.database)
        store.prepare(first)
        Remembered(parts.checkpoint, Archive(first), parts.log).require_no_loss()
        first.dispose()
        return serve(functools.partial(worker, parts), _listening(settings, parts), listener)


def worker(parts: Parts) -> Guard:
    """The application of one worker: one for each tenant, behind one ledger and one log."""
    engine = store.connect(parts.database)
    archive, metrics = Archive(engine), Metrics("steward")
    shared = Shared(Ledger(engine, parts.start), parts.log, parts.clock, Outcomes(metrics.registry))
    remembered = Remembered(parts.checkpoint, archive, parts.log)
    made = [(tenant, create(_service(tenant, shared, archive, engine))) for tenant in parts.tenants]
    own = parts.own.values()

    async def close() -> None:
        shared.ledger.close()

    front = Front(
        {host: application for tenant, application in made for host in tenant.hosts},
        made[0][1] if not parts.tenants[0].hosts else None,
        on_startup=[remembered.start, *(functools.partial(one.follow, parts.clock) for one in own)],
        on_shutdown=[remembered.stop, close, *(one.leave for one in own)],
    )
    return Guard(front, service="steward", limits=parts.limits, metrics=metrics, ready=shared.ledger.alive)


def _service(tenant: Tenant, shared: Shared, archive: Archive, engine: Engine) -> Service:
    rulebook = Rulebook(engine, tenant.name, tenant.rules, persons=tenant.persons)
    audit = Audit(engine, tenant.name)
    return Service(
        steward=Steward(tenant, rulebook, audit, shared),
        upstream=Upstream(tenant, audit, shared),
        archive=archive,
        log=shared.log,
        clock=shared.clock,
        audit=audit,
        rulebook=rulebook,
        office=Office(tenant, rulebook, audit, engine, shared.clock) if tenant.administrators else None,
    )


def _address(tenant: TenantSettings, settings: Settings, listener: socket.socket) -> str:
    """Where a tenant's clients find it: as told, under its first host, or where this listens."""
    found = url(listener, tls=not settings.tls.plain)
    if tenant.url or not tenant.hosts:
        return tenant.url or found
    scheme, _, rest = found.partition("://")
    return f"{scheme}://{tenant.hosts[0]}:{rest.rpartition(':')[2]}"


def _listening(settings: Settings, parts: Parts) -> Listening:
    choice = settings.tls
    files = None
    if choice.certificate is not None and choice.key is not None:
        files = TlsFiles(certificate=choice.certificate, key=choice.key)
    own = {name: one.files for name, one in parts.own.items()}
    return Listening(
        name="steward",
        host=settings.host,
        port=settings.port,
        tls=files or next(iter(own.values()), None),
        tls_by_name={host: own[one.name] for one in parts.tenants for host in one.hosts if one.name in own},
        limits=parts.limits,
        workers=settings.workers,
    )


def _own_certificates(
    settings: Settings, tenants: tuple[Tenant, ...], folder: Path, clock: Clock
) -> dict[str, OwnCertificate]:
    """A TLS certificate by each tenant's own CA, unless the operator has another, or none is wanted."""
    if settings.tls.plain or settings.tls.certificate is not None:
        return {}
    return {
        one.name: OwnCertificate(one.authority, _names(one, settings.host), folder / f"tls-{at}", when=clock.now())
        for at, one in enumerate(tenants)
    }


def _names(tenant: Tenant, listening: str) -> list[str]:
    """The names in a tenant's TLS certificate: what it was told; where it is alone, this machine's and loopback too."""
    if tenant.hosts:
        return sorted({*tenant.hosts, *tenant.names})
    names = {"localhost", "127.0.0.1", "::1", socket.gethostname(), *tenant.names}
    try:
        address = ipaddress.ip_address(listening)
    except ValueError:
        names.add(listening)
    else:
        if not address.is_unspecified:
            names.add(listening)
    return sorted(names)
