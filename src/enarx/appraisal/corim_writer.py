# SPDX-License-Identifier: Apache-2.0
"""Writing reference values as a signed CoRIM, for whoever builds an image."""

from __future__ import annotations

from collections import defaultdict

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from enarx.appraisal import corim_profile
from enarx.appraisal.corim import CLASSES, COMID, CONTENT_TYPES, EPOCH, META, RAW_VALUE, UNSIGNED
from enarx.appraisal.corim_profile import Profile
from enarx.appraisal.reference import ReferenceValues, Value
from enarx.codec import cbor
from enarx.codec.digest import sha256
from enarx.errors import Misused, Reason
from enarx.evidence.cose import ES256, ES384, TAG, signed_bytes

_NUMBERS = {"sha-256": 1, "sha-384": 7, "sha-512": 8}
_SUITES: dict[str, tuple[int, hashes.HashAlgorithm, int]] = {
    "secp256r1": (ES256, hashes.SHA256(), 32),
    "secp384r1": (ES384, hashes.SHA384(), 48),
}


def sign(
    references: ReferenceValues, key: ec.EllipticCurvePrivateKey, *, signer: str, profile: Profile | None = None
) -> bytes:
    """The manifest, signed by `key` (P-256 or P-384); `signer` names whose key it is.

    profile  the vendor's form in which the values are written; None: names of ours, for all of them
    """
    if key.curve.name not in _SUITES:
        raise Misused(Reason.ALGORITHM, f"key of {key.curve.name}", hint="use P-256 or P-384")
    algorithm, digest, size = _SUITES[key.curve.name]
    payload = _payload(references, profile)
    meta = cbor.encode({0: {0: signer}})
    protected = cbor.encode({1: algorithm, 3: CONTENT_TYPES[0], META: meta})
    r, s = decode_dss_signature(key.sign(signed_bytes(protected, payload), ec.ECDSA(digest)))
    signature = r.to_bytes(size, "big") + s.to_bytes(size, "big")
    return cbor.encode(cbor2.CBORTag(TAG, [protected, {}, payload, signature]))


def _payload(references: ReferenceValues, profile: Profile | None) -> bytes:
    if profile is None:
        return _enclosed(references, _triples(references), {})
    triples = [corim_profile.triple(profile, value) for value in references.values]
    return _enclosed(references, triples, {3: corim_profile.named(profile)})


def _triples(references: ReferenceValues) -> list[list[object]]:
    """In names of ours: one triple for each element and label."""
    by_element: dict[tuple[str, str | int, str], list[Value]] = defaultdict(list)
    for value in references.values:
        by_element[value.technology, value.element, value.label].append(value)
    return [[_environment(technology), [_measurement(element, label, values)]]
            for (technology, element, label), values in by_element.items()]  # fmt: skip


def _enclosed(references: ReferenceValues, triples: list[list[object]], more: dict[int, object]) -> bytes:
    comid = {1: {0: references.name, 1: references.security_version}, 4: {0: triples}}
    validity = {
        0: cbor2.CBORTag(EPOCH, int(references.not_before.timestamp())),
        1: cbor2.CBORTag(EPOCH, int(references.not_after.timestamp())),
    }
    identity = f"{references.name}/{references.security_version}/{sha256(cbor.encode(comid)).hex()[:16]}"
    table = {0: identity, 1: [cbor2.CBORTag(COMID, cbor.encode(comid))], 4: validity, **more}
    return cbor.encode(cbor2.CBORTag(UNSIGNED, table))


def _environment(technology: str) -> dict[int, dict[int, str]]:
    vendor, model = next(names for names, found in CLASSES.items() if found == technology)
    return {0: {1: vendor, 2: model}}


def _measurement(element: str | int, label: str, values: list[Value]) -> dict[int, object]:
    said: dict[int, object] = {11: label} if label else {}
    if digests := [[_NUMBERS[v.algorithm], v.raw] for v in values if v.algorithm is not None]:
        said[2] = digests
    raw = [v.raw for v in values if v.algorithm is None]
    if len(raw) > 1:
        raise Misused(Reason.DUPLICATE, f"reference values of {element}", hint="an element has at most one raw value")
    if raw:
        said[4] = cbor2.CBORTag(RAW_VALUE, raw[0])
    return {0: element, 1: said}
