# SPDX-License-Identifier: Apache-2.0
"""From a VCEK or VLEK to AMD's root: leaf, ASK or ASVK, ARK, and the root's revocation list.

The path has one shape and is not searched for: the leaf is chosen by the key that the report
names, each issuer by its name. Certificates from anyone take part; only a pinned root believes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from enarx.codec.x509 import Certificate
from enarx.errors import Malformed, Reason, Unauthentic, Undetermined
from enarx.evidence import amd_certificate
from enarx.evidence.amd_certificate import LEAVES, Endorsed
from enarx.evidence.amd_crl import Revocation, read_root_crls, require_not_revoked
from enarx.evidence.amd_intermediates import intermediates
from enarx.evidence.anchor import Anchors, Vendor
from enarx.evidence.chain import authenticate_links, require_valid, window_of
from enarx.evidence.check import Check, Trail, Verdict
from enarx.evidence.claims import Window
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.memory import Memory
from enarx.evidence.snp_report import SigningKey, SnpReport
from enarx.evidence.snp_tcb import Product, product_named

SOURCE = "AMD 57230 section 2"
MAX_CERTIFICATES = 32
MAX_CRLS = 16
"""More than any platform has; each may cost a signature's verification."""


class AmdChain(msgspec.Struct, frozen=True):
    """A path whose signatures hold, and what its leaf says. Time is asked on every use.

    checks      those of the links and of the leaf's profile
    valid       what to say of every certificate's validity at a time inside `window`
    revocation  what the root's lists, their signatures checked, say of the intermediate
    """

    path: tuple[Certificate, ...]
    window: Window
    endorsed: Endorsed
    key: ec.EllipticCurvePublicKey
    revocation: Revocation
    checks: tuple[Check, ...]
    valid: tuple[Check, ...]


class Given(msgspec.Struct, frozen=True):
    """Certificates as given, read but not believed; the leaves among them with what they say."""

    certificates: tuple[Certificate, ...]
    leaves: tuple[tuple[Certificate, SigningKey, Endorsed | None], ...]


def authenticate_chain(
    report: SnpReport,
    endorsements: Endorsements,
    *,
    anchors: Anchors,
    when: datetime,
    trail: Trail,
    memory: Memory[Any] | None = None,
    alone: bool = False,
) -> tuple[AmdChain, Window]:
    """The chain for the key that `report` says it was signed with, valid and unrevoked at `when`.

    `alone`: the endorsements are AMD's only, and whatever stands beside the chain must be too.
    """
    roots = anchors.of(Vendor.AMD)
    certificates, crls = endorsements.certificates, endorsements.crls
    given = memory.get(("amd given", certificates)) if memory is not None else None
    if given is None:
        given = _given(certificates, crls)
    leaf = _leaf(report, given, trail)
    asked = ("amd", roots, certificates, crls, leaf.raw, alone)
    chain = memory.get(asked) if memory is not None else None
    if chain is None:
        chain = authenticate_leaf(leaf, given.certificates, crls, roots=roots, trail=trail, alone=alone)
        if memory is not None:  # only now: what nobody vouches for is not worth remembering
            memory.keep(asked, chain)
            memory.keep(("amd given", certificates), given)
    else:
        trail.extend(chain.checks)
    return chain, require_current(chain, when=when, trail=trail)


def _given(certificates: tuple[bytes, ...], crls: tuple[bytes, ...]) -> Given:
    """The certificates read, and what each leaf among them says; believed no more than before."""
    if len(certificates) > MAX_CERTIFICATES or len(crls) > MAX_CRLS:
        raise Malformed(Reason.TOO_LARGE, f"endorsements: {len(certificates)} certificates and {len(crls)} CRLs")
    read = tuple(Certificate(raw) for raw in certificates)
    return Given(read, tuple((c, LEAVES[c.common_name()], _said(c)) for c in read if c.common_name() in LEAVES))


def _said(leaf: Certificate) -> Endorsed | None:
    """What a leaf says, before anyone vouches for it: for a choice among several."""
    try:
        return amd_certificate.parse(leaf)
    except Malformed:
        return None


def authenticate_leaf(
    leaf: Certificate,
    given: tuple[Certificate, ...],
    crls: tuple[bytes, ...],
    *,
    roots: tuple[Certificate, ...],
    trail: Trail,
    alone: bool = True,
) -> AmdChain:
    """The chain above one leaf: every signature, the leaf's profile, the root's CRL; no time yet."""
    links = Trail()
    try:
        path = _path(leaf, given, roots, links)
        authenticate_links(path, roots, trail=links, name="AMD chain", source=SOURCE)
        if alone:
            _require_no_strangers(given, path, roots, links)
        endorsed = _endorsed(path, links)
        revocation = read_root_crls(crls, path[1], path[2], trail=links)
    finally:
        trail.extend(links.checks())
    key = leaf.public_key
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP384R1):
        trail.refuse(Reason.ALGORITHM, f"{endorsed.key}: key", expectation="P-384", source=SOURCE)
    valid = tuple(_valid(certificate) for certificate in path)
    return AmdChain(path, window_of(path), endorsed, key, revocation, links.checks(), valid)


def require_current(chain: AmdChain, *, when: datetime, trail: Trail) -> Window:
    """Every certificate of the chain is valid at `when`, and the intermediate is not revoked."""
    if chain.window.not_before <= when <= chain.window.not_after:
        trail.extend(chain.valid)
    else:
        for certificate in chain.path:
            require_valid(certificate, when=when, trail=trail, name="AMD chain")
    return require_not_revoked(chain.revocation, chain.window, when=when, trail=trail)


def _valid(certificate: Certificate) -> Check:
    return Check(
        f"AMD chain: {certificate.common_name()} validity",
        Verdict.PASSED,
        None,
        f"{certificate.not_before:%Y-%m-%dT%H:%M:%SZ} to {certificate.not_after:%Y-%m-%dT%H:%M:%SZ}",
        "valid at the time of judging",
        "RFC 5280 4.1.2.5",
    )


def authenticate_intermediate(
    ask: Certificate,
    given: tuple[Certificate, ...],
    crls: tuple[bytes, ...],
    *,
    roots: tuple[Certificate, ...],
    when: datetime,
    trail: Trail,
) -> Window:
    """An ASK or ASVK alone, under its root, valid and unrevoked at `when`."""
    path = ask, _root(ask, given, roots, trail)
    authenticate_links(path, roots, trail=trail, name="AMD chain", source=SOURCE)
    for certificate in path:
        require_valid(certificate, when=when, trail=trail, name="AMD chain")
    return require_not_revoked(read_root_crls(crls, *path, trail=trail), window_of(path), when=when, trail=trail)


def _leaf(report: SnpReport, given: Given, trail: Trail) -> Certificate:
    """The given certificate for the key that the signed field names (AMD 56860 table 23, SIGNING_KEY).

    Of several, the one that says it is for this chip at this TCB.
    """
    leaves = [(leaf, said) for leaf, key, said in given.leaves if key is report.signing_key]
    if not leaves:
        others = [str(key) for _, key, _ in given.leaves]
        trail.refuse(
            Reason.ENDORSEMENT_MISMATCH if others else Reason.ENDORSEMENT_MISSING,
            f"{report.signing_key} certificate",
            fact=others[0] if others else "none was given",
            expectation=report.signing_key,
            source="AMD 56860 table 23, SIGNING_KEY",
            mend="fetch it from AMD's key distribution service, or ask the host for its certificate table",
            family=Unauthentic if others else Undetermined,
        )
    return next((leaf for leaf, said in leaves if said is not None and _matches(said, report)), leaves[0][0])


def _matches(said: Endorsed, report: SnpReport) -> bool:
    chip = said.hwid is None or not any(report.chip_id) or report.chip_id.startswith(said.hwid)
    return chip and said.tcb == report.reported_tcb


def _path(
    leaf: Certificate, given: tuple[Certificate, ...], roots: tuple[Certificate, ...], trail: Trail
) -> tuple[Certificate, ...]:
    """Leaf, intermediate, root: issuers by name; of two with one name, the one that signed.

    Pinned intermediates stand in where none was given, never in place of a wrong one.
    """
    issuers = [c for c in given if c.common_name().startswith("SEV-") and c != leaf]
    named = [c for c in issuers or intermediates() if c.subject == leaf.issuer]
    if not named:
        trail.refuse(
            Reason.ENDORSEMENT_MISMATCH if issuers else Reason.ENDORSEMENT_MISSING,
            "ASK or ASVK certificate",
            fact=issuers[0].common_name() if issuers else "none was given",
            source=SOURCE,
            mend="give the intermediate of this product",
            family=Unauthentic if issuers else Undetermined,
        )
    ask = next((c for c in named if leaf.signed_by(c.public_key)), named[0])
    return leaf, ask, _root(ask, given, roots, trail)


def _root(
    ask: Certificate, given: tuple[Certificate, ...], roots: tuple[Certificate, ...], trail: Trail
) -> Certificate:
    """The ARK that the intermediate names: a pinned one, which is among those given if any is.

    A given root that nobody pinned is returned too, for the chain to say that no one believes it.
    """
    pinned = [c for c in roots if c.subject == ask.issuer]
    shown = [c for c in given if c.common_name().startswith("ARK-")]
    found = [c for c in pinned if c in shown] or shown or pinned
    if not found:
        trail.refuse(Reason.UNKNOWN_ANCHOR, "AMD chain: root", fact=ask.name, source="trust anchors")
    return found[0]


def _require_no_strangers(
    given: tuple[Certificate, ...], path: tuple[Certificate, ...], roots: tuple[Certificate, ...], trail: Trail
) -> None:
    """What came along without a place on the path is AMD's own too: a forged certificate is a lie."""
    for certificate in given:
        if certificate in path or certificate in roots:
            continue
        leaf = certificate.common_name() in LEAVES
        issuers = (path[1], *given, *intermediates()) if leaf else roots
        trail.require(
            any(certificate.issuer == one.subject and certificate.signed_by(one.public_key) for one in issuers),
            Reason.CHAIN_BROKEN,
            "certificate beside the chain",
            fact=certificate.name,
            expectation="signed by an issuer of AMD's",
            source=SOURCE,
            mend="leave it out",
        )


def _endorsed(path: tuple[Certificate, ...], trail: Trail) -> Endorsed:
    """What the authenticated leaf says, agreeing with who issued it."""
    leaf, ask, _ = path
    trail.require(not leaf.is_ca, Reason.CERTIFICATE_PROFILE, "AMD chain: leaf is not a CA", source=SOURCE)
    endorsed = amd_certificate.parse(leaf)
    key, product = issues(ask)
    trail.require(
        key is endorsed.key,
        Reason.ENDORSEMENT_MISMATCH,
        f"issuer of {endorsed.key}",
        fact=ask.common_name(),
        expectation="SEV-VLEK-… for a VLEK, SEV-… for a VCEK",
        source="AMD 57230 section 2",
    )
    trail.require(
        product is endorsed.product,
        Reason.ENDORSEMENT_MISMATCH,
        "product of the leaf and its issuer",
        fact=endorsed.product_name,
        expectation=ask.common_name(),
        source="AMD 57230 section 2",
    )
    return endorsed


def issues(intermediate: Certificate) -> tuple[SigningKey | None, Product | None]:
    """Which leaves an intermediate signs: "SEV-Milan" VCEKs of Milan, "SEV-VLEK-Milan" VLEKs."""
    name = intermediate.common_name()
    if name.startswith("SEV-VLEK-"):
        return SigningKey.VLEK, product_named(name.removeprefix("SEV-VLEK-"))
    if name.startswith("SEV-"):
        return SigningKey.VCEK, product_named(name.removeprefix("SEV-"))
    return None, None
