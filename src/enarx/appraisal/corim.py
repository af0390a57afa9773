# SPDX-License-Identifier: Apache-2.0
"""Reference values as CoRIM (draft-ietf-rats-corim-10), signed with COSE_Sign1.

Read here: CoMIDs with reference triples whose environment is a class, and measurements that are
digests or raw values, in names of ours or as a profile that we know has them (`corim_profile`). Whatever else a manifest may say is refused, not skipped: a condition that
nobody reads would make a value hold where it should not.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import cbor2
import msgspec

from enarx.appraisal import corim_profile
from enarx.appraisal.corim_profile import digest_of, profile_of
from enarx.appraisal.reference import LISTS, REGISTERS, ReferenceValues, Value, current, is_event
from enarx.codec import cbor
from enarx.codec.cbor_shape import list_of, map_of, pair_of, tagged, unsigned
from enarx.codec.digest import sha256
from enarx.codec.x509 import PublicKey
from enarx.errors import EnarxError, Malformed, Reason, Unauthentic
from enarx.evidence.check import Trail
from enarx.evidence.cose import Sign1, parse_sign1, verify_sign1

UNSIGNED, COMID, RAW_VALUE, EPOCH = 501, 506, 560, 1
"""CBOR tags: unsigned-corim-map, concise-mid-tag, tagged-bytes, and time of RFC 8949."""
CONTENT_TYPES = ("application/rim+cbor", "application/corim-unsigned+cbor")
META, CWT_CLAIMS = 8, 15
"""Header labels of which a signed CoRIM has one: corim-meta or CWT Claims (RFC 9597)."""

MAX_VALUES = 200_000
MAX_LABEL = 200

CLASSES: dict[tuple[str, str], str] = {
    ("AMD", "SEV-SNP"): "snp",
    ("Intel", "SGX"): "sgx",
    ("Intel", "TDX"): "tdx",
    ("AWS", "Nitro"): "nitro",
    ("AWS", "NitroTPM"): "nitrotpm",
    ("TCG", "TPM 2.0"): "tpm",
    ("Microsoft", "Azure vTPM"): "azure",
}
"""Vendor and model of a class-map, by the technology that it stands for."""


class Manifest(msgspec.Struct, frozen=True):
    """A signed CoRIM as received: parsed, not believed."""

    raw: bytes
    sign1: Sign1
    unsigned: ReferenceValues


def parse(raw: bytes) -> Manifest:
    """Read a signed manifest; `Malformed` for an unsigned one, and for anything that is not read here."""
    sign1 = parse_sign1(raw, "CoRIM", tag="required")
    if sign1.protected.get(3) not in CONTENT_TYPES:
        raise Malformed(Reason.UNKNOWN_VALUE, "CoRIM: content type")
    if not {META, CWT_CLAIMS} & sign1.protected.keys():
        raise Malformed(Reason.MISSING, "CoRIM: corim-meta or CWT claims")
    return Manifest(raw, sign1, _manifest(sign1.payload))


def authenticate(manifest: Manifest, keys: Mapping[bytes, PublicKey], trail: Trail) -> ReferenceValues:
    """The reference values, if one of `keys` (by their DER SubjectPublicKeyInfo) signed them."""
    refusal: EnarxError | None = None
    for spki, key in keys.items():
        attempt = Trail()
        try:
            verify_sign1(manifest.sign1, key, trail=attempt, name="CoRIM")
        except EnarxError as error:
            refusal = error
            continue
        trail.extend(attempt.checks())
        return msgspec.structs.replace(manifest.unsigned, signer=sha256(spki), digest=sha256(manifest.raw))
    if refusal is not None:
        raise refusal
    raise Unauthentic(Reason.UNKNOWN_ANCHOR, "CoRIM: no key is trusted to sign reference values")


def believed(
    manifests: Iterable[Manifest], keys: Mapping[bytes, PublicKey], *, when: datetime, trail: Trail
) -> tuple[ReferenceValues, ...]:
    """The current reference values of signed manifests: authenticated, superseded ones left out."""
    return current((authenticate(one, keys, trail) for one in manifests), when=when)


def _manifest(payload: bytes) -> ReferenceValues:
    found = cbor.decode(payload, "CoRIM", epoch=True)
    table = map_of(tagged(found, UNSIGNED, "CoRIM"), {0, 1, 3, 4, 5}, {0, 1, 4}, "CoRIM")
    start, end = _validity(table[4])
    names: set[tuple[str, int]] = set()
    triples: list[tuple[Any, Any]] = []
    for tag in list_of(table[1], "CoRIM: tags"):
        raw = tagged(tag, COMID, "CoRIM: tag")
        if not isinstance(raw, bytes):
            raise Malformed(Reason.WRONG_TYPE, "CoRIM: tag")
        names.add(_comid(raw, triples))
    if len(names) != 1:
        raise Malformed(Reason.INCONSISTENT, "CoRIM: tags of several identities")
    ((name, version),) = names
    values = _listed(triples) if 3 not in table else corim_profile.values(profile_of(table[3]), triples)
    if len(values) > MAX_VALUES:
        raise Malformed(Reason.TOO_LARGE, f"CoRIM: more than {MAX_VALUES} values")
    return ReferenceValues(
        name=name, security_version=version, not_before=start, not_after=end, values=tuple(values), signer=b"", digest=b""
    )  # fmt: skip


def _comid(raw: bytes, triples: list[tuple[Any, Any]]) -> tuple[str, int]:
    """One concise-mid-tag; its identity is a name and a version that only grows, 0 where there is none."""
    table = map_of(cbor.decode(raw, "CoMID"), {0, 1, 2, 4}, {1, 4}, "CoMID")
    identity = map_of(table[1], {0, 1}, {0}, "CoMID: tag-identity")
    said, version = identity[0], identity.get(1, 0)
    name = str(uuid.UUID(bytes=said)) if isinstance(said, bytes) and len(said) == 16 else said
    if not isinstance(name, str) or not unsigned(version):
        raise Malformed(Reason.WRONG_TYPE, "CoMID: tag-identity")
    for record in list_of(map_of(table[4], {0}, {0}, "CoMID: triples")[0], "CoMID: reference-triples"):
        environment, measurements = pair_of(record, "CoMID: reference-triple")
        triples += [(environment, one) for one in list_of(measurements, "CoMID: measurements")]
    return name, version


def _listed(triples: list[tuple[Any, Any]]) -> list[Value]:
    """The values of triples in our own names."""
    return [value for environment, one in triples for value in _values(_technology(environment), one)]


def _technology(environment: Any) -> str:
    """The class of an environment. An instance or a group would narrow the value to what we cannot tell."""
    table = map_of(environment, {0}, {0}, "CoMID: environment")
    names = map_of(table[0], {1, 2}, {1, 2}, "CoMID: class")
    found = CLASSES.get((str(names[1]), str(names[2])))
    if found is None:
        raise Malformed(Reason.UNKNOWN_KIND, f"CoMID: class {names[1]!r} {names[2]!r}")
    return found


def _values(technology: str, measurement: Any) -> list[Value]:
    """A measurement's digests, or its raw value, for one element by name or register by number."""
    table = map_of(measurement, {0, 1}, {0, 1}, "CoMID: measurement")
    element = table[0]
    known = unsigned(element) and element < 32 if technology in REGISTERS else (technology, element) in LISTS
    if not known and not is_event(technology, element):
        raise Malformed(Reason.UNKNOWN_KEY, f"CoMID: measured element {element!r} of {technology}")
    said = map_of(table[1], {2, 4, 11}, set(), "CoMID: measurement values")
    label = said.get(11, "")
    if not isinstance(label, str) or len(label) > MAX_LABEL:
        raise Malformed(Reason.WRONG_TYPE, "CoMID: name of a measurement")
    digests = list_of(said.get(2, ()), "CoMID: digests", empty=True)
    found = [Value(technology, element, *digest_of(one), label) for one in digests]
    if 4 in said:
        if technology in REGISTERS:
            raise Malformed(Reason.WRONG_TYPE, "CoMID: a register holds a digest")
        raw = tagged(said[4], RAW_VALUE, "CoMID: raw value")
        if not isinstance(raw, bytes):
            raise Malformed(Reason.WRONG_TYPE, "CoMID: raw value")
        found.append(Value(technology, element, None, raw, label))
    if not found:
        raise Malformed(Reason.MISSING, "CoMID: measurement without a value")
    return found


def _validity(value: Any) -> tuple[datetime, datetime]:
    """Reference values expire: the end is required here, where the draft leaves it open."""
    table = map_of(value, {0, 1}, {1}, "CoRIM: rim-validity")
    return _time(table.get(0, cbor2.CBORTag(EPOCH, 0))), _time(table[1])


def _time(value: Any) -> datetime:
    seconds = tagged(value, EPOCH, "CoRIM: time")
    if not unsigned(seconds) or seconds > 253402300799:  # the end of year 9999
        raise Malformed(Reason.UNKNOWN_VALUE, "CoRIM: time")
    return datetime.fromtimestamp(seconds, UTC)
