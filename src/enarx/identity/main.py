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
from datetime import datetime
from pathlib import Path

import msgspec
from sqlalchemy import Engine

from enarx.evidence.anchor import Anchors
from enarx.identity import store
from enarx.identity.administration import Administrator
from enarx.identity.archive import Archive
from enarx.identity.audit import Audit
from enarx.identity.authority import Authority
from enarx.identity.ca import service_certificate
from enarx.identity.clock import Clock
from enarx.identity.ledger import Ledger
from enarx.identity.log import LogKey
from enarx.identity.remembered import Remembered
from enarx.identity.rule import Rule, require_one_anchor_set
from enarx.identity.rulebook import Rulebook
from enarx.identity.service import Service, create
from enarx.identity.service_admin import Office
from enarx.identity.settings import (
    Settings,
    load_administrators,
    load_authority,
    load_desk,
    load_log_key,
    load_rules,
    log_key_file,
)
from enarx.identity.steward import Outcomes, Steward
from enarx.identity.upstream import Desk, Upstream, legacy_tenant
from enarx.web.guard import Guard
from enarx.web.limits import Limits
from enarx.web.metrics import Metrics
from enarx.web.serve import Settings as Listening
from enarx.web.serve import bound, serve, url
from enarx.web.tls import TlsFiles


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What all workers of one Steward have in common.

    database  its URL
    start     a name of this run
    address   where clients find it
    """

    authority: Authority
    rules: dict[str, Rule]
    anchors: Anchors
    desk: Desk | None
    log: LogKey
    checkpoint: Path
    clock: Clock
    limits: Limits
    database: str
    start: str
    address: str
    administrators: tuple[Administrator, ...]
    persons: int
    tenant: str


def run(settings: Settings, anchors: Anchors, listener: socket.socket | None = None) -> int:
    """Serve until a signal; the exit code. `listener`: of `bound`, for who has to know its address beforehand."""
    listener = listener or bound(settings.host, settings.port)
    address = settings.url or url(listener, tls=not settings.tls.plain)
    clock = Clock()
    rules = load_rules(settings)
    authority = load_authority(settings, rules, anchors, address, clock.now())
    require_one_anchor_set(authority, rules.values(), anchors)
    with tempfile.TemporaryDirectory(prefix="enarx-steward-") as folder:
        log_key = log_key_file(settings, Path(folder))
        parts = Parts(
            authority=authority,
            rules=rules,
            anchors=anchors,
            desk=load_desk(settings, authority, address, clock.now()),
            log=load_log_key(settings, log_key),
            checkpoint=log_key.with_name(log_key.name + ".checkpoint"),
            clock=clock,
            limits=Limits(rate=settings.rate, burst=max(100, int(settings.rate))),
            database=settings.database or f"sqlite:///{folder}/steward.sqlite",
            start=secrets.token_hex(8),
            address=address,
            administrators=load_administrators(settings),
            persons=settings.persons,
            tenant=settings.tenant,
        )
        first = store.connect(parts.database)
        store.prepare(first)
        Remembered(parts.checkpoint, Archive(first), parts.log).require_no_loss()
        first.dispose()
        listening = Listening(
            name="steward",
            host=settings.host,
            port=settings.port,
            tls=_tls(settings, authority, Path(folder), clock.now()),
            limits=parts.limits,
            workers=settings.workers,
        )
        return serve(functools.partial(worker, parts), listening, listener)


def worker(parts: Parts) -> Guard:
    """The application of one worker, with a ledger of its own."""
    engine = store.connect(parts.database)
    ledger, audit, archive = Ledger(engine, parts.start), Audit(engine), Archive(engine)
    rulebook = Rulebook(engine, parts.tenant, parts.rules, persons=parts.persons)
    metrics = Metrics("steward")
    log_url, outcomes = f"{parts.address}/log", Outcomes(metrics.registry)
    steward = Steward(
        parts.authority,
        rulebook,
        parts.anchors,
        ledger,
        audit,
        parts.log,
        log_url=log_url,
        clock=parts.clock,
        outcomes=outcomes,
        tenant=parts.tenant,
    )
    upstream = Upstream(
        parts.desk,
        parts.anchors,
        ledger,
        parts.log,
        log_url=log_url,
        clock=parts.clock,
        outcomes=outcomes,
        tenant=legacy_tenant(parts.tenant),
    )
    service = Service(
        steward=steward,
        upstream=upstream,
        ledger=ledger,
        archive=archive,
        remembered=Remembered(parts.checkpoint, archive, parts.log),
        log=parts.log,
        clock=parts.clock,
        audit=audit,
        rulebook=rulebook,
        office=_office(parts, rulebook, audit, engine),
    )
    return create(service, limits=parts.limits, metrics=metrics)


def _office(parts: Parts, rulebook: Rulebook, audit: Audit, engine: Engine) -> Office | None:
    if not parts.administrators:
        return None
    return Office(
        parts.administrators, rulebook, audit, engine, parts.authority, parts.anchors, parts.clock, parts.tenant
    )


def _tls(settings: Settings, authority: Authority, folder: Path, when: datetime) -> TlsFiles | None:
    choice = settings.tls
    if choice.plain:
        return None
    if choice.certificate is not None and choice.key is not None:
        return TlsFiles(certificate=choice.certificate, key=choice.key)
    chain, key = service_certificate(authority, _names(settings), when=when, serial=secrets.randbits(126) | 1 << 126)
    files = TlsFiles(certificate=folder / "tls.crt", key=folder / "tls.key")
    files.certificate.write_bytes(chain)
    files.key.touch(mode=0o600)
    files.key.write_bytes(key)
    return files


def _names(settings: Settings) -> list[str]:
    """The names in the Steward's own certificate: what it was told, this machine, and loopback."""
    names = {"localhost", "127.0.0.1", "::1", socket.gethostname(), *settings.names}
    try:
        listening = ipaddress.ip_address(settings.host)
    except ValueError:
        names.add(settings.host)
    else:
        if not listening.is_unspecified:
            names.add(settings.host)
    return sorted(names)
