# SPDX-License-Identifier: Apache-2.0
"""What the Steward is told, and the files it is made of, read whole before anything else."""

from __future__ import annotations

import os
import secrets
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from enarx.appraisal import policy as policy_
from enarx.codec import x509
from enarx.errors import Misused, Reason
from enarx.evidence.anchor import PRODUCTION, Anchors
from enarx.identity import administration, pkcs11
from enarx.identity.administration import Administrator
from enarx.identity.authority import Authority, Terms
from enarx.identity.ca import make_intermediate, make_root
from enarx.identity.log import LogKey
from enarx.identity.rule import Rule
from enarx.identity.signer import KeySigner, Signer
from enarx.identity.upstream import Desk


class TlsChoice(msgspec.Struct, frozen=True, kw_only=True):
    """Which TLS: files of the operator's, none (`plain`), or a certificate that the CA issues for this run."""

    certificate: Path | None = None
    key: Path | None = None
    plain: bool = False


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that `enarx steward serve` was told."""

    certificate: Path | None
    key: Path | None
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
    legacy_policy: Path | None = None
    legacy_certificate: Path | None = None
    legacy_key: Path | None = None
    legacy_intermediates: Path | None = None
    administrators: Path | None = None
    persons: int = 1
    tenant: str = "default"
    log_origin: str = ""


def load_authority(
    settings: Settings, rules: dict[str, Rule], anchors: Anchors, address: str, when: datetime
) -> Authority:
    """The CA of the files, or one made for this run; `Misused` when the files are not a CA's."""
    pointers = {"crl_url": f"{address}/v1/crl", "ocsp_url": f"{address}/v1/ocsp"}
    if settings.certificate is not None and settings.key is not None:
        return _authority(settings.certificate, settings.key, settings, pointers)
    if not settings.names or settings.certificate or settings.key:
        raise Misused(Reason.USAGE, "a steward has --crt and --key", hint="or --host alone: a CA made for this run")
    words = [*(("simulated",) if anchors.name != PRODUCTION else ())]
    words += ["none"] if any(rule.policy.policy.none is not None for rule in rules.values()) else []
    name = " ".join(filter(None, (settings.names[0], f"({', '.join(words)})" if words else "")))
    made = make_root(
        name, trust_domain=settings.trust_domain, when=when, serial=_serial(), lifetime=timedelta(days=365)
    )
    return Authority(made.path, KeySigner(made.key), trust_domain=settings.trust_domain, **pointers)


def _authority(certificate: Path, key: Path, settings: Settings, pointers: dict[str, str]) -> Authority:
    passphrase = read(settings.passphrase).rstrip(b"\r\n") if settings.passphrase else None
    path = x509.from_pem(read(certificate), str(certificate))
    if str(key).startswith("pkcs11:"):
        signer: Signer = pkcs11.signer(str(key), passphrase or b"", path[0].spki)
    else:
        signer = KeySigner(load_key(key, passphrase))
    return Authority(path, signer, trust_domain=settings.trust_domain, **pointers)


def load_desk(settings: Settings, authority: Authority, address: str, when: datetime) -> Desk | None:
    """The CA and policy for upstream's Keeps: its files, or an intermediate below the Steward's own CA."""
    if settings.legacy_policy is None:
        return None
    loaded = policy_.load(read(settings.legacy_policy), str(settings.legacy_policy))
    terms = Terms(lifetime=settings.lifetime, dns=settings.dns)
    given = settings.legacy_intermediates
    between = tuple(one.raw for one in x509.from_pem(read(given), str(given))) if given else ()
    pointers = {"crl_url": f"{address}/v1/legacy/crl", "ocsp_url": f"{address}/v1/legacy/ocsp"}
    if settings.legacy_certificate is not None and settings.legacy_key is not None:
        own = _authority(settings.legacy_certificate, settings.legacy_key, settings, pointers)
        return Desk(own, Rule(loaded, terms), between)
    if authority.certificate.path_length == 0:
        raise Misused(
            Reason.CERTIFICATE_PROFILE,
            f"{authority.certificate.name} may not have a CA below it",
            hint="give --legacy-crt and --legacy-key, of a CA with the word legacy in its subject",
        )
    words = ", ".join(["legacy", *sorted(authority.words - {"legacy"})])
    made = make_intermediate(
        authority.path,
        authority.signer,
        f"enarx 0.7 keeps ({words})",
        trust_domain=settings.trust_domain,
        when=when,
        serial=_serial(),
    )
    own = Authority(made.path, KeySigner(made.key), trust_domain=settings.trust_domain, **pointers)
    return Desk(own, Rule(loaded, terms), between)


def _serial() -> int:
    return secrets.randbits(126) | 1 << 126


def load_administrators(settings: Settings) -> tuple[Administrator, ...]:
    """Who may change policies; nobody, when no file says."""
    if settings.administrators is None:
        return ()
    return administration.load(read(settings.administrators), str(settings.administrators))


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


def log_key_file(settings: Settings, folder: Path) -> Path:
    """Where the log's key is: as told, beside the CA's key, or in this run's own folder without a database."""
    of_file = settings.key is not None and not str(settings.key).startswith("pkcs11:")
    beside = (
        settings.key.with_name(settings.key.name + ".log") if settings.key and of_file and settings.database else None
    )
    if beside is None and settings.database and settings.log_key is None:
        raise Misused(Reason.MISSING, "--log-key", hint="a file for the log's key, which outlives this run")
    return settings.log_key or beside or folder / "log.key"


def load_log_key(settings: Settings, path: Path) -> LogKey:
    """The log's key, which is made at the first start."""
    if not path.exists():
        made = ed25519.Ed25519PrivateKey.generate()
        pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_private(path, pem)
    key = load_key(path, None)
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise Misused(Reason.KEY_INVALID, f"{path}: not an Ed25519 key")
    return LogKey(key, settings.log_origin or f"{settings.trust_domain}/log")


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
