# SPDX-License-Identifier: Apache-2.0
"""The Steward as a program: reads its files, makes its parts, serves.

Everything that can be refused is refused before the first request: a key that is not the CA's,
a CA that may not issue what the policies accept, a database that does not answer.
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from enarx.appraisal import policy as policy_
from enarx.codec import x509
from enarx.errors import Misused, Reason
from enarx.evidence.anchor import Anchors
from enarx.identity import store
from enarx.identity.authority import Authority, Terms
from enarx.identity.ca import service_certificate
from enarx.identity.clock import Clock
from enarx.identity.ledger import Ledger
from enarx.identity.service import create
from enarx.identity.signer import KeySigner
from enarx.identity.steward import Outcomes, Rule, Steward, require_one_anchor_set
from enarx.web.guard import Guard
from enarx.web.limits import Limits
from enarx.web.metrics import Metrics
from enarx.web.serve import Settings as Listening
from enarx.web.serve import serve
from enarx.web.tls import TlsFiles


class TlsChoice(msgspec.Struct, frozen=True, kw_only=True):
    """Which TLS: files of the operator's, none (`plain`), or a certificate that the CA issues for this run."""

    certificate: Path | None = None
    key: Path | None = None
    plain: bool = False


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that `enarx steward serve` was told."""

    certificate: Path
    key: Path
    passphrase: Path | None = None
    policies: tuple[Path, ...]
    trust_domain: str
    database: str = ""
    dns: tuple[str, ...] = ()
    lifetime: timedelta = timedelta(hours=24)
    host: str = "::"
    port: int = 3000
    names: tuple[str, ...] = ()
    tls: TlsChoice = TlsChoice()
    workers: int = 1
    rate: float = 0.0


def run(settings: Settings, anchors: Anchors) -> int:
    """Serve until a signal; the exit code."""
    clock = Clock()
    authority = load_authority(settings)
    rules = load_rules(settings)
    require_one_anchor_set(authority, rules, anchors)
    with tempfile.TemporaryDirectory(prefix="enarx-steward-") as folder:
        url = settings.database or f"sqlite:///{folder}/steward.sqlite"
        first = store.connect(url)
        store.prepare(first)
        first.dispose()
        start = secrets.token_hex(8)
        limits = Limits(rate=settings.rate, burst=max(100, int(settings.rate)))

        def worker() -> Guard:
            engine = store.connect(url)
            ledger = Ledger(engine, store.incarnations(engine, start))
            metrics = Metrics("steward")
            outcomes = Outcomes(metrics.registry)
            steward = Steward(authority, rules, anchors, ledger, clock=clock, outcomes=outcomes)
            return create(steward, ledger, limits=limits, metrics=metrics)

        listening = Listening(
            name="steward",
            host=settings.host,
            port=settings.port,
            tls=_tls(settings, authority, Path(folder), clock.now()),
            limits=limits,
            workers=settings.workers,
        )
        return serve(worker, listening)


def load_authority(settings: Settings) -> Authority:
    """The CA of the files; `Misused` when they are not a CA's certificate and its key."""
    path = x509.from_pem(read(settings.certificate), str(settings.certificate))
    passphrase = read(settings.passphrase).rstrip(b"\r\n") if settings.passphrase else None
    try:
        key = load_pem_private_key(read(settings.key), passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # the library's message may quote the file
        hint = "" if passphrase else "an encrypted key needs --key-passphrase-file"
        raise Misused(Reason.KEY_INVALID, f"{settings.key}: not a key that can be read", hint=hint) from None
    return Authority(path, KeySigner(key), trust_domain=settings.trust_domain)


def load_rules(settings: Settings) -> dict[str, Rule]:
    """The policies by name; `Misused` when two have one name."""
    terms = Terms(lifetime=settings.lifetime, dns=settings.dns)
    rules: dict[str, Rule] = {}
    for path in settings.policies:
        loaded = policy_.load(read(path), str(path))
        if loaded.policy.name in rules:
            raise Misused(Reason.DUPLICATE, f"{path}: policy {loaded.policy.name!r}")
        rules[loaded.policy.name] = Rule(loaded, terms)
    return rules


def read(path: Path) -> bytes:
    """A file's contents; `Misused` when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise Misused(Reason.FILE_UNREADABLE, f"{path}: {error.strerror}") from None


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
