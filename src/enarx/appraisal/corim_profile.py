# SPDX-License-Identifier: Apache-2.0
"""Reference values in the forms that AMD's and Intel's drafts give them, beside our own names.

draft-deeglaze-amd-sev-snp-corim-profile-02: the class is an OID, MEASUREMENT a digest under no key,
or under key 0 (the guest). draft-cds-rats-intel-corim-profile-05: the class is an OID, `tee.mrtee` and
`tee.mrsigner` are digests or a set of them. Both have many conditions more (flags, versions at least so
high): a list of values cannot say them, so a manifest with one is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

import cbor2

from enarx.appraisal.reference import Value
from enarx.codec.cbor_shape import list_of, map_of, pair_of, tagged
from enarx.codec.digest import SIZES
from enarx.errors import Malformed, Misused, Reason

URI, OID, EXPRESSIONS, MEMBER = 32, 111, (60010, 60020), 6
"""CBOR tags of RFC 8949 and RFC 9090, of Intel's expressions (the second since draft 04), and their operator."""
MRTEE, MRSIGNER, VENDOR, MODEL = -83, -84, -70, -71
DIGESTS, NAME = 2, 11

# Named Information Hash Algorithm Registry, and COSE algorithms, of the hashes that we take
ALGORITHMS: dict[int | str, str] = {
    1: "sha-256", 7: "sha-384", 8: "sha-512", -16: "sha-256", -43: "sha-384", -44: "sha-512",
    "sha-256": "sha-256", "sha-384": "sha-384", "sha-512": "sha-512",
}  # fmt: skip


class Profile(StrEnum):
    """What `profile` (3) of a CoRIM says."""

    AMD = "http://amd.com/please-permalink-me"
    INTEL = "2.16.840.1.113741.1.16.1"


_INTEL = bytes.fromhex("6086480186f84d01")
_NAMES: dict[Any, Profile] = {Profile.AMD: Profile.AMD, _INTEL + b"\x10\x01": Profile.INTEL}
SNP_GUEST = bytes.fromhex("2b060104019c780201")
"""1.3.6.1.4.1.3704.2.1."""
SGX_ENCLAVE, TDX_SEAM = _INTEL + bytes.fromhex("02030501"), _INTEL + bytes.fromhex("02030403")
"""2.16.840.1.113741.1.2.3.5.1 and …2.3.4.3."""
_ENCLAVES: dict[bytes, tuple[str, str, dict[int, str]]] = {
    SGX_ENCLAVE: ("sgx", "sha-256", {MRTEE: "MRENCLAVE", MRSIGNER: "MRSIGNER"}),
    TDX_SEAM: ("tdx", "sha-384", {MRTEE: "MRSEAM", MRSIGNER: "MRSIGNERSEAM"}),
}


def profile_of(value: Any) -> Profile:
    """The one profile that a manifest names; one that is not known changes what its values mean."""
    if isinstance(value, list | tuple):
        (value, *more) = list_of(value, "CoRIM: profile")
        if more:
            raise Malformed(Reason.UNKNOWN_VALUE, "CoRIM: more than one profile")
    said = value.value if isinstance(value, cbor2.CBORTag) and value.tag in (URI, OID) else value
    found = _NAMES.get(said) if isinstance(said, str | bytes) else None
    if found is None:
        raise Malformed(Reason.UNKNOWN_VALUE, f"CoRIM: profile {str(said)[:80]!r}")
    return found


def values(profile: Profile, triples: Iterable[tuple[Any, Any]]) -> list[Value]:
    """What the triples of a manifest (environment and one measurement each) list."""
    found: list[Value] = []
    signers: dict[str, set[Value]] = {}
    for environment, measurement in triples:
        class_id = _class(environment)
        if profile is Profile.AMD:
            found += _guest(class_id, measurement)
            continue
        one = _enclave(class_id, measurement)
        found += one
        _require_one_signer(one, signers)
    return found


def _class(environment: Any) -> bytes:
    """The class by its OID. An instance or a group would narrow the value to what we cannot tell."""
    table = map_of(map_of(environment, {0}, {0}, "CoMID: environment")[0], {0, 1, 2}, {0}, "CoMID: class")
    raw = tagged(table[0], OID, "CoMID: class-id")
    if not isinstance(raw, bytes):
        raise Malformed(Reason.WRONG_TYPE, "CoMID: class-id")
    return raw


def _guest(class_id: bytes, measurement: Any) -> list[Value]:
    if class_id != SNP_GUEST:
        raise Malformed(Reason.UNKNOWN_KIND, f"CoMID: class {class_id.hex()}")
    table = map_of(measurement, {0, 1}, {1}, "CoMID: measurement")
    if table.get(0, 0) != 0 or table.get(0) is False:
        raise Malformed(Reason.UNKNOWN_KEY, f"CoMID: measured element {table[0]!r} of snp")
    said = map_of(table[1], {DIGESTS, NAME}, {DIGESTS}, "CoMID: measurement values")
    listed = list_of(said[DIGESTS], "CoMID: digests")
    return [Value("snp", "MEASUREMENT", "sha-384", raw, _label(said)) for raw in _digests(listed, "sha-384")]


def _enclave(class_id: bytes, measurement: Any) -> list[Value]:
    if class_id not in _ENCLAVES:
        raise Malformed(Reason.UNKNOWN_KIND, f"CoMID: class {class_id.hex()}")
    technology, algorithm, elements = _ENCLAVES[class_id]
    table = map_of(measurement, {1}, {1}, "CoMID: measurement")
    said = map_of(table[1], {MRTEE, MRSIGNER, VENDOR, MODEL, NAME}, set(), "CoMID: measurement values")
    found = [
        Value(technology, element, algorithm, raw, _label(said))
        for key, element in elements.items()
        if key in said
        for raw in _digests(_set(said[key]), algorithm)
    ]
    if not found:
        raise Malformed(Reason.MISSING, "CoMID: measurement without a value")
    return found


def _set(value: Any) -> Iterable[Any]:
    """A digest, several, or "a member of" several, as Intel's profile writes them."""
    if isinstance(value, cbor2.CBORTag):
        operator, value = pair_of(value.value if value.tag in EXPRESSIONS else None, "CoMID: expression")
        if operator != MEMBER:
            raise Malformed(Reason.UNKNOWN_VALUE, f"CoMID: operator {operator!r}")
    listed = list_of(value, "CoMID: digests")
    return [listed] if isinstance(listed[0], int | str) else listed


def _digests(listed: Iterable[Any], algorithm: str) -> list[bytes]:
    """Those of the hash that the technology has; others say the same in a hash that no evidence holds."""
    found = [raw for entry in listed for name, raw in [digest_of(entry)] if name == algorithm]
    if not found:
        raise Malformed(Reason.MISSING, f"CoMID: digest of {algorithm}")
    return found


def digest_of(entry: Any) -> tuple[str, bytes]:
    """A digest's algorithm ("sha-384") and bytes."""
    number, raw = pair_of(entry, "CoMID: digest")
    algorithm = ALGORITHMS.get(number) if isinstance(number, int | str) and number is not True else None
    if algorithm is None or not isinstance(raw, bytes) or len(raw) != SIZES[algorithm]:
        raise Malformed(Reason.UNKNOWN_VALUE, f"CoMID: digest of algorithm {number!r}")
    return algorithm, raw


def _label(said: Mapping[Any, Any]) -> str:
    return str(said.get(NAME, ""))[:200]


def _require_one_signer(one: list[Value], signers: dict[str, set[Value]]) -> None:
    """Of records that tie enclaves to signers all must name the same signers: two lists cannot say which with which."""
    by_signer = {value for value in one if str(value.element).startswith("MRSIGNER")}
    if not by_signer or len(by_signer) == len(one):
        return
    if signers.setdefault(one[0].technology, by_signer) != by_signer:
        raise Malformed(Reason.INCONSISTENT, "CoMID: enclaves with different signers", hint="sign a manifest for each")


def named(profile: Profile) -> Any:
    """How a manifest names it."""
    if profile is Profile.AMD:
        return [cbor2.CBORTag(URI, str(profile))]
    return cbor2.CBORTag(OID, next(raw for raw, one in _NAMES.items() if one is profile))


def triple(profile: Profile, value: Value) -> list[Any]:
    """The reference triple that lists one value. `Misused` for one that the profile has no form for."""
    said: dict[int, Any] = {NAME: value.label} if value.label else {}
    if profile is Profile.AMD and (value.technology, value.element) == ("snp", "MEASUREMENT"):
        return _triple(SNP_GUEST, {0: 0, 1: {DIGESTS: [_written(value)], **said}})
    for class_id, (technology, _, elements) in _ENCLAVES.items():
        for key, element in elements.items():
            if profile is Profile.INTEL and (technology, element) == (value.technology, value.element):
                return _triple(class_id, {1: {key: [_written(value)], **said}})
    raise Misused(Reason.UNKNOWN_KEY, f"{value.technology} {value.element}: profile {profile} has no form for it")


def _triple(class_id: bytes, measurement: dict[int, Any]) -> list[Any]:
    return [{0: {0: cbor2.CBORTag(OID, class_id)}}, [measurement]]


def _written(value: Value) -> list[Any]:
    return [next(number for number, name in ALGORITHMS.items() if name == value.algorithm), value.raw]
