# SPDX-License-Identifier: Apache-2.0
"""The Steward as a part of a Keep's image: everything that it is comes with the tenant's secrets.

    ca.key           the CA's key, PKCS#8 PEM            ca.pem           its certificate and issuers
    settings.toml    see `Wishes`                        policy-*.toml    one policy a file
    anchors-*.pem    roots to believe instead of the vendors', as `anchors-amd.pem`
    log.key          the log's Ed25519 key; without it, one is made for this run
    administrators.toml

The host gives nothing: no file, no variable, no argument.
"""

from __future__ import annotations

import secrets as randomness
import socket
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from enarx.codec import x509
from enarx.delivery.release import Secrets
from enarx.errors import Malformed, Misused, Reason
from enarx.evidence.anchor import Anchors, unsafe_set
from enarx.evidence.production import production
from enarx.identity.authority import Authority
from enarx.identity.ca import service_certificate
from enarx.identity.settings import Settings, TenantSettings, TlsChoice, load_key
from enarx.identity.signer import KeySigner
from enarx.keep.native_memory import MemoryFiles

KEY, CERTIFICATE, SETTINGS = "ca.key", "ca.pem", "settings.toml"
LOG_KEY, ADMINISTRATORS = "log.key", "administrators.toml"
POLICY, ANCHORS = "policy-", "anchors-"
_KNOWN = {KEY, CERTIFICATE, SETTINGS, LOG_KEY, ADMINISTRATORS}


class Wishes(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`settings.toml`.

    listen    HOST:PORT; port 0 takes a free one
    names     names and addresses by which clients reach it, for its TLS certificate
    url       where clients find it, for the pointers in certificates; "" where it listens
    database  by default SQLite, gone when the Keep ends; a PostgreSQL holds the log for longer
    lifetime_hours, dns, rate, persons  as the options of `enarx steward serve`
    """

    trust_domain: str
    listen: str = "127.0.0.1:0"
    names: tuple[str, ...] = ()
    url: str = ""
    database: str = ""
    lifetime_hours: float = 24.0
    dns: tuple[str, ...] = ()
    rate: float = 0.0
    persons: int = 1


class Entrusted(msgspec.Struct, frozen=True):
    """A Steward's secrets, sorted."""

    wishes: Wishes
    policies: dict[str, bytes]
    anchors: dict[str, bytes]
    host: str
    port: int
    given: Secrets

    def __repr__(self) -> str:
        return "Entrusted(...)"

    def believed(self) -> Anchors:
        """The roots: the vendors', or those that came along."""
        return unsafe_set(self.anchors) if self.anchors else production()


def sorted_out(given: Secrets) -> Entrusted:
    """`Malformed` when something is missing, or is there and nobody would read it."""
    values = given.values
    policies = {name: value for name, value in values.items() if name.startswith(POLICY) and name.endswith(".toml")}
    anchors = {name.removeprefix(ANCHORS): value for name, value in values.items() if name.startswith(ANCHORS)}
    strange = {name for name in values if name not in _KNOWN and name not in policies and not name.startswith(ANCHORS)}
    if strange:
        raise Malformed(Reason.UNKNOWN_KEY, f"secrets of a steward: {min(strange)!r}")
    if missing := {KEY, CERTIFICATE, SETTINGS} - values.keys():
        raise Malformed(Reason.MISSING, f"secrets of a steward: {min(missing)!r}")
    if not policies:
        raise Malformed(Reason.MISSING, f"secrets of a steward: {POLICY}NAME.toml")
    wishes = _wishes(values[SETTINGS])
    host, _, port = wishes.listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise Malformed(Reason.SYNTAX, f"{SETTINGS}: listen")
    return Entrusted(wishes, policies, anchors, host.strip("[]"), int(port), given)


def _wishes(raw: bytes) -> Wishes:
    try:
        return msgspec.toml.decode(raw, type=Wishes)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Malformed(Reason.SYNTAX, SETTINGS) from None  # the library's message may quote a password


def settings(entrusted: Entrusted, files: MemoryFiles, *, when: datetime) -> Settings:
    """What `enarx.identity.main.run` is told: every path in it is memory of this process."""
    wishes, values = entrusted.wishes, entrusted.given.values
    certificate, key = files.add(CERTIFICATE, values[CERTIFICATE]), files.add(KEY, values[KEY])
    authority = Authority(
        x509.from_pem(values[CERTIFICATE], CERTIFICATE),
        KeySigner(_key(key)),
        trust_domain=wishes.trust_domain,
    )
    names = sorted({"localhost", "127.0.0.1", "::1", socket.gethostname(), *wishes.names})
    chain, tls_key = service_certificate(authority, names, when=when, serial=randomness.randbits(126) | 1 << 126)
    administrators = values.get(ADMINISTRATORS)
    tenant = TenantSettings(
        trust_domain=wishes.trust_domain,
        certificate=certificate,
        key=key,
        anchors=entrusted.believed(),
        policies=tuple(files.add(name, policy) for name, policy in sorted(entrusted.policies.items())),
        dns=wishes.dns,
        lifetime=timedelta(hours=wishes.lifetime_hours),
        names=wishes.names,
        url=wishes.url,
        administrators=None if administrators is None else files.add(ADMINISTRATORS, administrators),
        persons=wishes.persons,
    )
    return Settings(
        tenants=(tenant,),
        database=wishes.database,
        host=entrusted.host,
        port=entrusted.port,
        tls=TlsChoice(certificate=files.add("tls.pem", chain), key=files.add("tls.key", tls_key)),
        rate=wishes.rate,
        log_key=files.add(LOG_KEY, values.get(LOG_KEY) or _log_key()),
    )


def _key(path: Path) -> object:
    try:
        return load_key(path, None)
    except Misused as error:
        raise Malformed(error.reason, f"secrets of a steward: {KEY}", hint="PKCS#8 PEM, not encrypted") from None


def _log_key() -> bytes:
    made = ed25519.Ed25519PrivateKey.generate()
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
