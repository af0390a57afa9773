"""A tenant and a Keep for tests of the release protocol, with a simulated SNP machine between them."""

from __future__ import annotations

import functools
from datetime import UTC, datetime

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from enarx.appraisal.policy import Loaded, load
from enarx.cli.demo import policy
from enarx.codec.digest import sha256
from enarx.delivery.release import Ask, Offer, Secrets
from enarx.delivery.release_keep import Session
from enarx.delivery.release_seal import TenantKey
from enarx.delivery.release_tenant import Judged, Terms, judge
from enarx.evidence.binding import Binding
from enarx.platform.simulated.snp import SimulatedSnp
from enarx.workload.launch import Launch

WHEN = datetime(2026, 11, 1, tzinfo=UTC)
MEASUREMENT = b"\x11" * 48
PACKAGE = b"\x22" * 32
SPKI = b"the key that TLS shows"
NONCE = bytes(range(32))
SECRETS = Secrets({"password": b"correct horse", "ca.key": b"\x00\xff" * 40})


@functools.cache
def chip() -> SimulatedSnp:
    return SimulatedSnp.made(WHEN)


def tenant_pem() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@functools.cache
def tenant() -> TenantKey:
    return TenantKey(tenant_pem(), "tenant")


def launch(**more: object) -> bytes:
    fields: dict[str, object] = {"package": PACKAGE, "tenant": tenant().spki, "deployment": bytes(16)}
    return Launch(**{**fields, **more}).encoded()  # type: ignore[arg-type]


def text() -> str:
    """A policy for the Keep of these tests."""
    return policy.text("release", MEASUREMENT, [PACKAGE])


def loaded(*replaced: tuple[str, str]) -> Loaded:
    changed = text()
    for old, new in replaced:
        assert old in changed
        changed = changed.replace(old, new)
    return load(changed.encode(), "release.toml")


def terms(**more: object) -> Terms:
    fields: dict[str, object] = {"loaded": loaded(), "anchors": chip().anchors(), "tenant": tenant()}
    return Terms(**{**fields, **more})  # type: ignore[arg-type]


def session(document: bytes | None = None, ask: Ask | None = None, spki: bytes = SPKI) -> Session:
    return Session(ask or Ask(NONCE), spki=spki, launch=document or launch())


def offered(keep: Session, *, over: Binding | None = None, document: bytes | None = None) -> Offer:
    """The Keep's offer; `over`: another binding than its own was signed over."""
    hardware = chip().launched(measurement=MEASUREMENT, host_data=sha256(document or launch()))
    evidence, endorsements = hardware.evidence((over or keep.binding).sha512())
    return keep.offer((evidence,), endorsements)


def judged(offer: Offer, **more: object) -> Judged:
    given: dict[str, object] = {"ask": Ask(NONCE), "spki": SPKI, "when": WHEN, **more}
    return judge(offer, given.pop("terms", None) or terms(), **given)  # type: ignore[arg-type]


def with_hpke(offer: Offer, public: bytes) -> Offer:
    return msgspec.structs.replace(offer, hpke=public)
