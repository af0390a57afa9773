# SPDX-License-Identifier: Apache-2.0
"""Keys of Arm platforms: no public chain leads to them, so the caller names those it trusts."""

from __future__ import annotations

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from enarx.errors import Malformed, Reason, Unauthentic, Undetermined
from enarx.evidence import cose
from enarx.evidence.anchor import Anchors
from enarx.evidence.check import Trail

_ALGORITHM_OF = {"secp256r1": cose.ES256, "secp384r1": cose.ES384, "secp521r1": cose.ES512}


def require_named_key(
    sign1: cose.Sign1,
    anchors: Anchors,
    *,
    trail: Trail,
    name: str,
    role: str,
    source: str,
    may_omit_algorithm: bool = False,
) -> bytes:
    """The one of `anchors.keys` that signed; recorded in `trail`.

    `Undetermined` when no key is named: who made the token cannot be found out.
    """
    trail.require(
        bool(anchors.keys),
        Reason.KEY_MISSING,
        f"{name}: {role}",
        fact=f"{len(anchors.keys)} named as trusted",
        expectation=f"the device's {role}",
        source="Arm publishes no root for these keys",
        mend="name the key: --trusted-key FILE",
        family=Undetermined,
    )
    if may_omit_algorithm and not sign1.protected_raw and cose.ALG not in sign1.unprotected:
        vouching = [spki for spki in anchors.keys if _signed_unstated(sign1, spki, trail, name, source)]
    else:
        vouching = [spki for spki in anchors.keys if _signed_by(sign1, load_key(spki), trail, name, source)]
    trail.require(
        bool(vouching),
        Reason.SIGNATURE_INVALID,
        f"{name}: signed by a named {role}",
        source=source,
        mend="is it the key of this device?",
    )
    return vouching[0]


def load_key(spki: bytes) -> ec.EllipticCurvePublicKey | None:
    """The elliptic-curve key in a DER SubjectPublicKeyInfo; None for a key of another sort."""
    try:
        key = serialization.load_der_public_key(spki)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Malformed(Reason.KEY_INVALID, f"trusted key: {error}") from None
    return key if isinstance(key, ec.EllipticCurvePublicKey) else None


def _signed_by(sign1: cose.Sign1, key: ec.EllipticCurvePublicKey | None, trail: Trail, name: str, source: str) -> bool:
    if key is None:
        return False
    attempt = Trail()
    try:
        cose.verify_sign1(sign1, key, trail=attempt, name=name, source=source)
    except Unauthentic:
        return False
    trail.extend(attempt.checks())
    return True


def _signed_unstated(sign1: cose.Sign1, spki: bytes, trail: Trail, name: str, source: str) -> bool:
    """As `_signed_by`, where the protected header is empty and states no algorithm.

    The first tools wrote such tokens. The named key's curve then says which algorithm it is, as
    it would have to anyway: there is one for each curve, so the sender has nothing to choose.
    The signature still covers the header as received.
    """
    key = load_key(spki)
    if key is None or key.curve.name not in _ALGORITHM_OF:
        return False
    stated = msgspec.structs.replace(sign1, protected={cose.ALG: _ALGORITHM_OF[key.curve.name]})
    if not _signed_by(stated, key, trail, name, source):
        return False
    trail.note(
        f"{name}: algorithm not stated", "fixed by the named key", reason=Reason.ALGORITHM, source="RFC 9052 3.1"
    )
    return True
