# SPDX-License-Identifier: Apache-2.0
"""Intel's certificate paths: of a platform's PCK key, and of the key that signs collateral.

Intel SGX PCK Certificate and CRL Profile Specification, section 1.3: paths of fixed shape under
names of fixed wording, so nothing is searched for.
"""

from __future__ import annotations

import functools
from datetime import datetime
from typing import Any, NoReturn

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from enarx.codec.digest import sha256
from enarx.codec.x509 import Certificate
from enarx.errors import Malformed, Reason
from enarx.evidence import intel_intermediates, intel_pck, intel_pem, intel_signature, intel_terms
from enarx.evidence.check import Check, Trail, Verdict
from enarx.evidence.intel_pck import Platform
from enarx.evidence.intel_terms import Term, Terms
from enarx.evidence.memory import Memory

_PROFILE = "Intel SGX PCK Certificate Profile 1.3"
_PCK = frozenset({"Intel SGX PCK Certificate"})
PCK_CAS = frozenset({"Intel SGX PCK Platform CA", "Intel SGX PCK Processor CA"})
SIGNER = frozenset({"Intel SGX TCB Signing"})

_NO_CA = bytes.fromhex("3000")
"""BasicConstraints without anything: cA is FALSE by default."""

Roots = tuple[Certificate, ...]


class PckChain(msgspec.Struct, frozen=True):
    """An authenticated path from a platform's PCK certificate, of which key and serial number are kept, to a root."""

    key: ec.EllipticCurvePublicKey
    serial: int
    ca: Certificate
    root: Certificate
    platform: Platform
    terms: Terms
    checks: tuple[Check, ...]


class Signer(msgspec.Struct, frozen=True):
    """An authenticated certificate right below a root."""

    certificate: Certificate
    root: Certificate
    terms: tuple[Term, ...]
    checks: tuple[Check, ...]


def authenticate_pck(text: bytes, roots: Roots, *, when: datetime, trail: Trail, memory: Memory[Any]) -> PckChain:
    """Believe the PCK chain in `text` (PEM: leaf, CA, root) because of one of `roots`."""
    key = ("intel-pck", sha256(text), roots)
    chain: PckChain | None = memory.get(key)
    if chain is None:
        chain = _pck(text, roots, memory)
        memory.keep(key, chain)
    trail.extend(chain.checks)
    intel_terms.require_current(chain.terms, when=when, trail=trail)
    return chain


def authenticate_signer(
    text: bytes, roots: Roots, names: frozenset[str], *, trail: Trail, memory: Memory[Any], name: str
) -> Signer:
    """Believe the certificate in `text` (PEM: certificate, root), called one of `names`, because of one of `roots`."""
    key = ("intel-signer-chain", text, roots, names)
    found: Signer | None = memory.get(key)
    if found is None:
        path = intel_pem.blocks(text, name)
        if len(path) != 2:
            raise Malformed(Reason.WRONG_LENGTH, f"{name}: {len(path)} certificates where CA and root are expected")
        found = _signer(path[0], path[1], roots, names, memory)
        memory.keep(key, found)
    trail.extend(found.checks)
    return found


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


_LEAF = (
    ("PCK certificate issuer", Reason.CHAIN_BROKEN),
    ("PCK certificate subject", Reason.CERTIFICATE_PROFILE),
    ("PCK certificate is no CA", Reason.CERTIFICATE_PROFILE),
    ("SGX extension of the PCK certificate", Reason.CERTIFICATE_PROFILE),
    ("PCK key of P-256", Reason.ALGORITHM),
    ("PCK certificate signature", Reason.SIGNATURE_INVALID),
)
_LEAF_PASSED = tuple(Check(name, Verdict.PASSED, None, "", "", _PROFILE) for name, _ in _LEAF)


def _pck(text: bytes, roots: Roots, memory: Memory[Any]) -> PckChain:
    first, end, others = text.rstrip(b"\0").partition(intel_pem.END)
    trail = Trail()
    authority = authenticate_signer(others, roots, PCK_CAS, trail=trail, memory=memory, name="PCK chain")
    ca, leaf = authority.certificate, Certificate(intel_pem.blocks(first + end, "PCK chain")[0], "PCK certificate")
    key, basic = intel_signature.key_of(leaf), leaf.extension("2.5.29.19")
    extension = leaf.extension(intel_pck.EXTENSION)
    held = (
        leaf.issuer == ca.subject,
        _is_named(leaf, _PCK),
        basic is None or basic.value == _NO_CA,
        extension is not None,
        key is not None,
        leaf.signed_by(ca.public_key),
    )
    if key is None or extension is None or not all(held):
        _refuse_leaf(leaf, held.index(False), trail)
    term = intel_terms.of_certificate("PCK certificate", leaf)
    terms = intel_terms.together("times of PCK certificate, PCK CA and root", term, *authority.terms)
    checks = (*authority.checks, *_LEAF_PASSED)
    return PckChain(key, leaf.serial, ca, authority.root, intel_pck.parse(extension.value), terms, checks)


def _refuse_leaf(leaf: Certificate, at: int, trail: Trail) -> NoReturn:
    """The check at this place of `_LEAF` does not hold."""
    name, reason = _LEAF[at]
    trail.extend(_LEAF_PASSED[:at])
    trail.refuse(reason, name, fact=leaf.subject, source=_PROFILE)


def _signer(raw: bytes, root_raw: bytes, roots: Roots, names: frozenset[str], memory: Memory[Any]) -> Signer:
    """The certificate `raw` right below `root_raw`, authenticated at most once."""
    key = ("intel-signer", raw, root_raw, roots, names)
    known: Signer | None = memory.get(key)
    if known is None:
        known = _below_root(raw, root_raw, roots, names)
        memory.keep(key, known)
    return known


def _below_root(raw: bytes, root_raw: bytes, roots: Roots, names: frozenset[str]) -> Signer:
    trail = Trail()
    name = "PCK CA" if names is PCK_CAS else "TCB signing certificate"
    # the root is believed because its bytes are listed; its signature of itself adds nothing
    root = next((one for one in roots if one.raw == root_raw), None)
    if root is None:
        trail.refuse(
            Reason.UNKNOWN_ANCHOR,
            f"root of {name}",
            fact=Certificate(root_raw, "root").name,
            expectation="a root that is trusted for Intel",
            source="trust anchors",
            mend="evidence of a test or pre-production part is believed only with --anchors FILE --unsafe-anchors",
        )
    trail.require(True, Reason.UNKNOWN_ANCHOR, f"root of {name}", source="trust anchors")
    pinned = intel_intermediates.signed_by(root, raw)
    certificate = pinned or Certificate(raw, name)
    trail.require(certificate.issuer == root.subject, Reason.CHAIN_BROKEN, f"{name} issuer", source=_PROFILE)
    _named(certificate, names, trail, name)
    if names is PCK_CAS:
        trail.require(certificate.is_ca, Reason.CERTIFICATE_PROFILE, "PCK CA is a CA", source="RFC 5280 4.2.1.9")
    trail.require(
        pinned is not None or certificate.signed_by(root.public_key),
        Reason.SIGNATURE_INVALID,
        f"{name} signature",
        source=_PROFILE,
    )
    terms = (intel_terms.of_certificate(name, certificate), intel_terms.of_certificate("root", root))
    return Signer(certificate, root, terms, trail.checks())


def _named(certificate: Certificate, names: frozenset[str], trail: Trail, name: str) -> None:
    fine = _is_named(certificate, names)
    trail.require(
        fine,
        Reason.CERTIFICATE_PROFILE,
        f"{name} subject",
        fact=b"" if fine else certificate.subject,
        expectation="" if fine else " or ".join(sorted(names)),
        source=_PROFILE,
    )


def _is_named(certificate: Certificate, names: frozenset[str]) -> bool:
    subject = certificate.subject
    return any(one in subject for one in _common_names(names))


@functools.cache
def _common_names(names: frozenset[str]) -> tuple[bytes, ...]:
    """The commonName attribute (2.5.4.3) with each of these, in the two string types that Intel uses."""
    return tuple(
        bytes.fromhex("0603550403") + bytes((tag, len(one))) + one.encode() for one in names for tag in (0x0C, 0x13)
    )
