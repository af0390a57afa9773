# SPDX-License-Identifier: Apache-2.0
"""The Steward as a program: reads its files, makes its parts, serves.

Everything that can be refused is refused before the first request: a key that is not the CA's,
a CA that may not issue what the policies accept, a database that does not answer.
"""

from __future__ import annotations

import functools
import ipaddress
import os
import secrets
import socket
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from enarx.appraisal import policy as policy_
from enarx.codec import x509
from enarx.errors import Misused, Reason
from enarx.evidence.anchor import Anchors
from enarx.identity import store
from enarx.identity.archive import Archive
from enarx.identity.authority import Authority, Terms
from enarx.identity.ca import service_certificate
from enarx.identity.clock import Clock
from enarx.identity.ledger import Ledger
from enarx.identity.log import LogKey
from enarx.identity.service import create
from enarx.identity.signer import KeySigner
from enarx.identity.steward import Outcomes, Rule, Steward, require_one_anchor_set
from enarx.web.guard import Guard
from enarx.web.limits import Limits
from enarx.web.metrics import Metrics
from enarx.web.serve import Settings as Listening
from enarx.web.serve import bound, serve, url
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
    url: str = ""
    log_key: Path | None = None


def run(settings: Settings, anchors: Anchors) -> int:
    """Serve until a signal; the exit code."""
    listener = bound(settings.host, settings.port)
    address = settings.url or url(listener, tls=not settings.tls.plain)
    clock = Clock()
    authority = load_authority(settings, address)
    rules = load_rules(settings)
    require_one_anchor_set(authority, rules, anchors)
    with tempfile.TemporaryDirectory(prefix="enarx-steward-") as folder:
        database = settings.database or f"sqlite:///{folder}/steward.sqlite"
        log = load_log_key(settings, Path(folder))
        first = store.connect(database)
        store.prepare(first)
        first.dispose()
        limits = Limits(rate=settings.rate, burst=max(100, int(settings.rate)))
        worker = functools.partial(
            _worker,
            authority=authority,
            rules=rules,
            anchors=anchors,
            log=log,
            database=database,
            start=secrets.token_hex(8),
            clock=clock,
            limits=limits,
            address=address,
        )
        listening = Listening(
            name="steward",
            host=settings.host,
            port=settings.port,
            tls=_tls(settings, authority, Path(folder), clock.now()),
            limits=limits,
            workers=settings.workers,
        )
        return serve(worker, listening, listener)


def _worker(
    *,
    authority: Authority,
    rules: dict[str, Rule],
    anchors: Anchors,
    log: LogKey,
    database: str,
    start: str,
    clock: Clock,
    limits: Limits,
    address: str,
) -> Guard:
    """The application of one worker, with a ledger of its own."""
    engine = store.connect(database)
    ledger = Ledger(engine, start)
    metrics = Metrics("steward")
    steward = Steward(
        authority,
        rules,
        anchors,
        ledger,
        log,
        log_url=f"{address}/log",
        clock=clock,
        outcomes=Outcomes(metrics.registry),
    )
    return create(steward, ledger, Archive(engine), log, clock, limits=limits, metrics=metrics)


def load_log_key(settings: Settings, folder: Path) -> LogKey:
    """The log's key: of its file, which is made at the first start; of this run alone without a database."""
    path = settings.log_key or (settings.key.with_name(settings.key.name + ".log") if settings.database else None)
    path = path or folder / "log.key"
    if not path.exists():
        made = ed25519.Ed25519PrivateKey.generate()
        pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_private(path, pem)
    key = _load_key(path, None)
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise Misused(Reason.KEY_INVALID, f"{path}: not an Ed25519 key")
    return LogKey(key, f"{settings.trust_domain}/log")


def write_private(path: Path, contents: bytes) -> None:
    """A new file that only its owner can read; `Misused` when it cannot be made."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(contents)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise Misused(Reason.FILE_UNWRITABLE, f"{path}: {error.strerror}") from None


def load_authority(settings: Settings, address: str) -> Authority:
    """The CA of the files; `Misused` when they are not a CA's certificate and its key."""
    path = x509.from_pem(read(settings.certificate), str(settings.certificate))
    passphrase = read(settings.passphrase).rstrip(b"\r\n") if settings.passphrase else None
    return Authority(
        path,
        KeySigner(_load_key(settings.key, passphrase)),
        trust_domain=settings.trust_domain,
        crl_url=f"{address}/v1/crl",
        ocsp_url=f"{address}/v1/ocsp",
    )


def _load_key(path: Path, passphrase: bytes | None) -> object:
    try:
        return load_pem_private_key(read(path), passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # the library's message may quote the file
        hint = "" if passphrase else "an encrypted key needs --key-passphrase-file"
        raise Misused(Reason.KEY_INVALID, f"{path}: not a key that can be read", hint=hint) from None


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
