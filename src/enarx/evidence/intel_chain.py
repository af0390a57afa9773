# SPDX-License-Identifier: Apache-2.0
"""Intel's certificate paths: of a platform's PCK key, and of the key that signs collateral.

Intel SGX PCK Certificate and CRL Profile Specification, section 1.3: paths of fixed shape under
names of fixed wording, so nothing is searched for.
"""

from __future__ import annotations

import functools
from datetime import datetime
from typing import Any

import msgspec

from enarx.codec.x509 import Certificate
from enarx.errors import Malformed, Reason
from enarx.evidence import intel_pck, intel_pem, intel_signature, intel_terms
from enarx.evidence.check import Check, Trail
from enarx.evidence.intel_pck import Platform
from enarx.evidence.intel_terms import Terms
from enarx.evidence.memory import Memory

_PROFILE = "Intel SGX PCK Certificate Profile 1.3"
_PCK = frozenset({"Intel SGX PCK Certificate"})
PCK_CAS = frozenset({"Intel SGX PCK Platform CA", "Intel SGX PCK Processor CA"})
SIGNER = frozenset({"Intel SGX TCB Signing"})

Roots = tuple[Certificate, ...]


class PckChain(msgspec.Struct, frozen=True):
    """An authenticated path from a platform's PCK certificate to a root."""

    leaf: Certificate
    ca: Certificate
    root: Certificate
    platform: Platform
    terms: Terms
    checks: tuple[Check, ...]


class Signer(msgspec.Struct, frozen=True):
    """An authenticated certificate right below a root."""

    certificate: Certificate
    root: Certificate
    checks: tuple[Check, ...]


def authenticate_pck(text: bytes, roots: Roots, *, when: datetime, trail: Trail, memory: Memory[Any]) -> PckChain:
    """Believe the PCK chain in `text` (PEM: leaf, CA, root) because of one of `roots`."""
    key = ("intel-pck", text, roots)
    chain = memory.get(key)
    if chain is None:
        chain = memory.keep(key, _pck(text, roots, trail, memory))
    else:
        trail.extend(chain.checks)
    intel_terms.require_current(chain.terms, when=when, trail=trail)
    known: PckChain = chain
    return known


def _pck(text: bytes, roots: Roots, trail: Trail, memory: Memory[Any]) -> PckChain:
    path = intel_pem.certificates(text, "PCK chain")
    if len(path) != 3:
        raise Malformed(Reason.WRONG_LENGTH, f"PCK chain of {len(path)} certificates, expected 3")
    leaf, ca, root = path
    first = len(trail.checks())
    _below_root(ca, root, roots, PCK_CAS, trail=trail, memory=memory, name="PCK CA")
    trail.require(ca.is_ca, Reason.CERTIFICATE_PROFILE, "PCK CA is a CA", source="RFC 5280 4.2.1.9")
    trail.require(leaf.issuer == ca.subject, Reason.CHAIN_BROKEN, "PCK certificate issuer", source=_PROFILE)
    _named(leaf, _PCK, trail, "PCK certificate")
    trail.require(not leaf.is_ca, Reason.CERTIFICATE_PROFILE, "PCK certificate is no CA", source=_PROFILE)
    trail.require(leaf.signed_by(ca.public_key), Reason.SIGNATURE_INVALID, "PCK certificate signature", source=_PROFILE)
    trail.require(
        intel_signature.key_of(leaf) is not None, Reason.ALGORITHM, "PCK key", expectation="P-256", source=_PROFILE
    )
    extension = leaf.extension(intel_pck.EXTENSION)
    if extension is None:
        trail.refuse(Reason.CERTIFICATE_PROFILE, "SGX extension of the PCK certificate", source=f"{_PROFILE}.5")
    platform = intel_pck.parse(extension.value)
    terms = intel_terms.together(
        intel_terms.of_certificate("PCK certificate", leaf),
        intel_terms.of_certificate("PCK CA", ca),
        intel_terms.of_certificate("root", root),
    )
    return PckChain(leaf, ca, root, platform, terms, trail.checks()[first:])


def authenticate_signer(
    text: bytes, roots: Roots, names: frozenset[str], *, trail: Trail, memory: Memory[Any], name: str
) -> Signer:
    """Believe the certificate in `text` (PEM: certificate, root), called one of `names`, because of one of `roots`."""
    key = ("intel-signer", text, roots, names)
    known: Signer | None = memory.get(key)
    if known is not None:
        trail.extend(known.checks)
        return known
    path = intel_pem.certificates(text, name)
    if len(path) != 2:
        raise Malformed(Reason.WRONG_LENGTH, f"{name} chain of {len(path)} certificates, expected 2")
    first = len(trail.checks())
    _below_root(*path, roots, names, trail=trail, memory=memory, name=name)
    known = Signer(*path, trail.checks()[first:])
    memory.keep(key, known)
    return known


def found_among(given: tuple[bytes, ...]) -> bytes:
    """The PCK chain among certificates (DER) in any order, as PEM; empty if it is not there.

    Only finds it: `authenticate_pck` believes it or not.
    """
    known = [Certificate(raw, "certificate") for raw in given]
    leaf = next((one for one in known if one.extension(intel_pck.EXTENSION)), None)
    ca = next((one for one in known if leaf and one.subject == leaf.issuer), None)
    root = next((one for one in known if ca and one.subject == ca.issuer), None)
    path = [one for one in (leaf, ca, root) if one is not None]
    return b"".join(intel_pem.armour(one.raw) for one in path) if len(path) == 3 else b""


def _below_root(
    certificate: Certificate,
    root: Certificate,
    roots: Roots,
    names: frozenset[str],
    *,
    trail: Trail,
    memory: Memory[Any],
    name: str,
) -> None:
    # the root is believed because its bytes are listed; its signature of itself adds nothing
    trail.require(
        root in roots,
        Reason.UNKNOWN_ANCHOR,
        f"{name}: root",
        fact="" if root in roots else root.name,
        expectation="a root that is trusted for Intel",
        source="pinned anchors",
        mend="evidence of a test or pre-production part is believed only with --anchors FILE --unsafe-anchors",
    )
    trail.require(certificate.issuer == root.subject, Reason.CHAIN_BROKEN, f"{name} issuer", source=_PROFILE)
    _named(certificate, names, trail, name)
    key = ("intel-link", certificate.raw, root.raw)
    signed = memory.get(key) or certificate.signed_by(root.public_key)
    trail.require(signed, Reason.SIGNATURE_INVALID, f"{name} signature", source=_PROFILE)
    memory.keep(key, signed)


def _named(certificate: Certificate, names: frozenset[str], trail: Trail, name: str) -> None:
    subject = certificate.subject
    fine = any(_COMMON_NAME + tag + _text(one) in subject for one in names for tag in _STRINGS)
    trail.require(
        fine,
        Reason.CERTIFICATE_PROFILE,
        f"{name} subject",
        fact=b"" if fine else subject,
        expectation="" if fine else " or ".join(sorted(names)),
        source=_PROFILE,
    )


_COMMON_NAME = bytes.fromhex("0603550403")
_STRINGS = (b"\x0c", b"\x13")  # UTF8String, PrintableString


@functools.cache
def _text(one: str) -> bytes:
    return bytes((len(one),)) + one.encode()
