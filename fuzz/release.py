# SPDX-License-Identifier: Apache-2.0
"""Fuzz a release: what a Keep reads from strangers, and what a tenant reads from a Keep."""

from __future__ import annotations

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from driver import families, main

from enarx.delivery import release
from enarx.delivery.release_keep import Session
from enarx.delivery.release_seal import TenantKey, seal, signed
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.workload.launch import Launch

_TENANT = TenantKey(
    ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ),
    "tenant",
)
_LAUNCH = Launch(package=bytes(32), tenant=_TENANT.spki, deployment=bytes(16)).encoded()
_ASK = release.Ask(bytes(32))
_SECRETS = release.Secrets({"password": b"secret", "ca.key": bytes(100)})


def _session() -> Session:
    return Session(_ASK, spki=b"key", launch=_LAUNCH)


def _parcel(session: Session) -> release.Parcel:
    sealed = seal(_SECRETS.encoded(), session.binding.hpke or b"", session.binding)
    return release.Parcel(sealed, _TENANT.sign(signed(session.binding, sealed)))


_OFFER = _session().offer((Evidence(Kind.SNP, bytes(64)),), Endorsements(certificates=(b"c",)))
SEEDS = (
    _ASK.encoded(),
    _OFFER.encoded(),
    _parcel(_session()).encoded(),
    release.Receipt(bytes(32)).encoded(),
    _SECRETS.encoded(),
)
"""The parcel is for a session that is over: none of them may open."""


def target(data: bytes) -> None:
    for parse in (
        release.parse_ask,
        release.parse_offer,
        release.parse_receipt,
        release.parse_secrets,
    ):
        with families():
            parse(data)
    with families():
        _session().take(release.parse_parcel(data))
        raise SystemExit("a parcel was taken that no tenant made for this session")


if __name__ == "__main__":
    main(target, SEEDS)
