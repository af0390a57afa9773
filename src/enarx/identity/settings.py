# SPDX-License-Identifier: Apache-2.0
"""What the Steward is told, and the files it is made of, read whole before anything else."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from enarx.errors import Misused, Reason
from enarx.evidence.anchor import Anchors
from enarx.identity.log import LogKey


class TlsChoice(msgspec.Struct, frozen=True, kw_only=True):
    """Which TLS: files of the operator's, none (`plain`), or a certificate that the CA issues for this run."""

    certificate: Path | None = None
    key: Path | None = None
    plain: bool = False


class TenantSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What is a tenant's own: CA, trust domain, roots, policies, administrators.

    name    in the database
    hosts   the names under which its clients ask; () where there is one tenant: any name
    names   further names and addresses in a TLS certificate that its CA makes
    url     where clients find it, for the pointers in certificates; of the first host by default
    """

    name: str = "default"
    hosts: tuple[str, ...] = ()
    trust_domain: str
    certificate: Path | None
    key: Path | None
    passphrase: Path | None = None
    anchors: Anchors
    policies: tuple[Path, ...]
    dns: tuple[str, ...] = ()
    lifetime: timedelta = timedelta(hours=24)
    names: tuple[str, ...] = ()
    url: str = ""
    administrators: Path | None = None
    persons: int = 1
    legacy_policy: Path | None = None
    legacy_certificate: Path | None = None
    legacy_key: Path | None = None
    legacy_intermediates: Path | None = None


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that `enarx steward serve` was told: what all tenants share, and each tenant's own."""

    tenants: tuple[TenantSettings, ...]
    database: str = ""
    host: str = "::"
    port: int = 3000
    tls: TlsChoice = TlsChoice()
    workers: int = 1
    rate: float = 0.0
    log_key: Path | None = None
    log_origin: str = ""


def read(path: Path) -> bytes:
    """A file's contents; `Misused` when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise Misused(Reason.FILE_UNREADABLE, f"{path}: {error.strerror}") from None


def log_key_file(settings: Settings, folder: Path) -> Path:
    """Where the log's key is: as told, beside the only CA's key, or in this run's own folder without a database."""
    if settings.log_key is not None:
        return settings.log_key
    if not settings.database:
        return folder / "log.key"
    key = settings.tenants[0].key if len(settings.tenants) == 1 else None
    if key is None or str(key).startswith("pkcs11:"):
        raise Misused(Reason.MISSING, "--log-key", hint="a file for the log's key, which outlives this run")
    return key.with_name(key.name + ".log")


def load_log_key(settings: Settings, path: Path) -> LogKey:
    """The log's key, which is made at the first start."""
    origin = settings.log_origin
    if not origin and len(settings.tenants) > 1:
        raise Misused(Reason.MISSING, "--log-origin", hint="a name for the log in which all tenants' entries are")
    if not path.exists():
        made = ed25519.Ed25519PrivateKey.generate()
        write_private(path, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    key = load_key(path, None)
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise Misused(Reason.KEY_INVALID, f"{path}: not an Ed25519 key")
    return LogKey(key, origin or f"{settings.tenants[0].trust_domain}/log")


def write_private(path: Path, contents: bytes) -> None:
    """A new file that only its owner can read; `Misused` when it cannot be made."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(contents)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise Misused(Reason.FILE_UNWRITABLE, f"{path}: {error.strerror}") from None


def load_key(path: Path, passphrase: bytes | None) -> object:
    """A private key, PEM; `Misused` without a word of what is in the file."""
    try:
        return load_pem_private_key(read(path), passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # the library's message may quote the file
        hint = "" if passphrase else "an encrypted key needs --key-passphrase-file"
        raise Misused(Reason.KEY_INVALID, f"{path}: not a key that can be read", hint=hint) from None
