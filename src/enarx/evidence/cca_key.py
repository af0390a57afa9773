# SPDX-License-Identifier: Apache-2.0
"""The realm's public key inside its own token: a raw point, or a COSE_Key, as its profile has it."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from enarx.codec import cbor
from enarx.errors import Malformed, Reason

_WHAT = "CCA realm public key"

# RFC 9053 table 18 (curves) with the sizes of an uncompressed point, SEC 1 section 2.3.3
_CURVES: dict[int, ec.EllipticCurve] = {1: ec.SECP256R1(), 2: ec.SECP384R1(), 3: ec.SECP521R1()}
_BY_POINT: dict[int, ec.EllipticCurve] = {65: ec.SECP256R1(), 97: ec.SECP384R1(), 133: ec.SECP521R1()}
_KTY, _CRV, _X, _Y = 1, -1, -2, -3
_EC2 = 2


def realm_key(raw: bytes) -> ec.EllipticCurvePublicKey:
    """The key in claim 44237.

    An uncompressed point begins with 4 and has one of three sizes; a COSE_Key is a CBOR map,
    which begins with 0xa0 or above. The two cannot be taken for each other.
    """
    if raw[:1] == b"\x04" and len(raw) in _BY_POINT:
        return _on_curve(_BY_POINT[len(raw)], raw)
    table = cbor.decode(raw, _WHAT)
    if not isinstance(table, dict):
        raise Malformed(Reason.WRONG_TYPE, _WHAT)
    return _on_curve(*_point(table))


def _point(table: dict[Any, Any]) -> tuple[ec.EllipticCurve, bytes]:
    """The curve and the uncompressed point of a COSE_Key, RFC 9053 section 7.1.1."""
    named = table.get(_CRV)
    if table.get(_KTY) != _EC2 or not isinstance(named, int) or named not in _CURVES:
        raise Malformed(Reason.ALGORITHM, f"{_WHAT}: not a COSE_Key on a NIST curve")
    curve = _CURVES[named]
    x, y = table.get(_X), table.get(_Y)
    size = (curve.key_size + 7) // 8
    if not isinstance(x, bytes) or not isinstance(y, bytes) or not len(x) == len(y) == size:
        raise Malformed(Reason.WRONG_LENGTH, f"{_WHAT}: coordinates")
    return curve, b"\x04" + x + y


def _on_curve(curve: ec.EllipticCurve, point: bytes) -> ec.EllipticCurvePublicKey:
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(curve, point)
    except ValueError as error:
        raise Malformed(Reason.KEY_INVALID, f"{_WHAT}: {error}") from None
