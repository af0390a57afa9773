# SPDX-License-Identifier: Apache-2.0
"""AMD's Key Distribution Service: VCEKs, intermediates and CRLs (AMD 57230 section 4).

A VLEK comes only from the host, whose cloud provider AMD gave it to.
"""

from __future__ import annotations

import functools
from datetime import datetime

from enarx.codec.x509 import Certificate, Crl, from_pem
from enarx.endorser.ask import Endorser
from enarx.endorser.request import DER_TYPES, Kept, Request, Wanted
from enarx.errors import EnarxError, Reason, Unauthentic
from enarx.evidence import amd_certificate, snp_table
from enarx.evidence.amd_intermediates import intermediates
from enarx.evidence.anchor import Anchors, Vendor
from enarx.evidence.chain import authenticate_links
from enarx.evidence.check import Trail
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.snp_report import SIZE, SigningKey, SnpReport, parse
from enarx.evidence.snp_tcb import CHIP_ID_SIZE, COMPONENTS, Product, product_of

MAX_CERTIFICATE = 16 << 10
MAX_CHAIN = 64 << 10
MAX_CRL = 1 << 20
PEM_TYPES = frozenset(("application/x-pem-file", "application/pem-certificate-chain", "text/plain")) | DER_TYPES

_PARAMETERS = {"fmc": "fmcSPL", "bootloader": "blSPL", "tee": "teeSPL", "snp": "snpSPL", "microcode": "ucodeSPL"}
"""AMD 57230 table 11: the query parameter of each component of the TCB."""


def gather(body: bytes, given: Endorsements, endorser: Endorser, *, anchors: Anchors, when: datetime) -> Endorsements:
    """`given`, with what KDS has for a report: its VCEK, the chain above it, the root's CRL."""
    report = parse(body[:SIZE])
    known = given
    if len(body) > SIZE:
        table = snp_table.parse(snp_table.split(body)[1], snp_table.GuidOrder.GHCB)
        known = snp_table.added(given, table)
    roots = anchors.of(Vendor.AMD)
    at_hand = tuple(one for raw in known.certificates if (one := _readable(raw)) is not None)
    fetched, product = _fetched(report, at_hand, endorser, roots, when)
    crls: tuple[bytes, ...] = ()
    if product is not None:
        wanted = crl_wanted(product, report.signing_key, roots, base=endorser.services.amd)
        crls = endorser.offer(wanted, given.crls, when=when)
    return Endorsements(
        tuple(dict.fromkeys((*given.certificates, *fetched))),
        tuple(dict.fromkeys((*given.crls, *crls))),
        given.intel,
        given.rims,
        given.ocsp,
    )


def _readable(raw: bytes) -> Certificate | None:
    try:
        return Certificate(raw)
    except EnarxError:
        return None


def _fetched(
    report: SnpReport,
    at_hand: tuple[Certificate, ...],
    endorser: Endorser,
    roots: tuple[Certificate, ...],
    when: datetime,
) -> tuple[tuple[bytes, ...], Product | None]:
    """The certificates that were not at hand, and the product, if that became clear.

    A report of version 2 does not say what made it: KDS has the chip under one product only.
    """
    wants_leaf = (
        report.signing_key is SigningKey.VCEK
        and any(report.chip_id)
        and not any(one.common_name() == "SEV-VCEK" for one in at_hand)
    )
    base = endorser.services.amd
    products = _products(report, at_hand)
    for product in products:
        issuers = tuple(one for one in (*at_hand, *_pinned(roots)) if one.common_name() == _issuer(product, report))
        chain = () if issuers else endorser.get(chain_wanted(product, report.signing_key, roots, base=base), when=when)
        if not wants_leaf:
            return chain, product
        issuers += tuple(Certificate(raw) for raw in chain)
        leaf = endorser.get(vcek_wanted(report, product, issuers, roots, base=base), when=when)
        if leaf or len(products) == 1:
            return (*leaf, *chain), product
    return (), None


def _pinned(roots: tuple[Certificate, ...]) -> tuple[Certificate, ...]:
    """The intermediates that the judge knows anyway, if their roots are believed here."""
    return tuple(one for one in intermediates() if any(root.subject == one.issuer for root in roots))


def _issuer(product: Product, report: SnpReport) -> str:
    """The common name of what issues the leaf."""
    return f"SEV-VLEK-{product}" if report.signing_key is SigningKey.VLEK else f"SEV-{product}"


def _products(report: SnpReport, at_hand: tuple[Certificate, ...]) -> tuple[Product, ...]:
    """The product that the report names; in version 2 the one of its certificate, else those it may be."""
    if report.cpuid is not None:
        product = product_of(report.cpuid)
        return (product,) if product is not None else ()
    for one in at_hand:
        if one.common_name() in amd_certificate.LEAVES:
            return (amd_certificate.parse(one).product,)
    return (Product.MILAN, Product.GENOA)


def vcek_url(report: SnpReport, product: Product, base: str) -> str:
    """`/vcek/v1/{product}/{hwid}?…`, AMD 57230 section 4.1: the TCB that the key stands for, by component."""
    parts = zip(COMPONENTS[product], report.reported_tcb, strict=True)
    query = "&".join(f"{_PARAMETERS[name]}={value:02}" for name, value in parts if name)
    return f"{base}/vcek/v1/{product}/{report.chip_id[: CHIP_ID_SIZE[product]].hex()}?{query}"


def vcek_wanted(
    report: SnpReport,
    product: Product,
    issuers: tuple[Certificate, ...],
    roots: tuple[Certificate, ...],
    *,
    base: str,
) -> Wanted:
    """The VCEK of the chip that made a report, at the TCB that it reported."""
    verify = functools.partial(_read_vcek, report=report, product=product, issuers=issuers, roots=roots)
    url = vcek_url(report, product, base)
    return Wanted(
        request=Request(what=f"VCEK of a {product}", url=url, accept=DER_TYPES, limit=MAX_CERTIFICATE), verify=verify
    )


def _read_vcek(
    raw: bytes, *, report: SnpReport, product: Product, issuers: tuple[Certificate, ...], roots: tuple[Certificate, ...]
) -> Kept:
    """A VCEK under the given intermediate and a pinned root, for this chip at this TCB."""
    leaf = Certificate(raw, "VCEK")
    endorsed = amd_certificate.parse(leaf)
    if (endorsed.product, endorsed.tcb) != (product, report.reported_tcb):
        raise Unauthentic(Reason.ENDORSEMENT_MISMATCH, "VCEK: of another product or TCB")
    if endorsed.hwid != report.chip_id[: CHIP_ID_SIZE[product]]:
        raise Unauthentic(Reason.ENDORSEMENT_MISMATCH, "VCEK: of another chip")
    _require_chain((leaf, *_issuers(leaf, issuers, roots)), roots)
    return Kept((raw,))


def _issuers(
    leaf: Certificate, issuers: tuple[Certificate, ...], roots: tuple[Certificate, ...]
) -> tuple[Certificate, ...]:
    found = [one for one in issuers if one.subject == leaf.issuer]
    above = [root for root in roots if found and root.subject == found[0].issuer]
    return (*found[:1], *above[:1])


def _require_chain(path: tuple[Certificate, ...], roots: tuple[Certificate, ...]) -> None:
    authenticate_links(path, roots, trail=Trail(), name="AMD chain", source="AMD 57230 section 2")


def chain_wanted(product: Product, signing_key: SigningKey, roots: tuple[Certificate, ...], *, base: str) -> Wanted:
    """The intermediate and the root of a product: PEM, the intermediate first."""
    request = Request(
        what=f"certificate chain of {product}",
        url=f"{base}/{_family(signing_key)}/v1/{product}/cert_chain",
        accept=PEM_TYPES,
        limit=MAX_CHAIN,
    )
    return Wanted(request=request, verify=functools.partial(_read_chain, roots=roots))


def _read_chain(raw: bytes, *, roots: tuple[Certificate, ...]) -> Kept:
    """ASK or ASVK, and the ARK, which must be a pinned one."""
    path = from_pem(raw, "certificate chain")
    if len(path) != 2:
        raise Unauthentic(Reason.CHAIN_BROKEN, f"certificate chain: {len(path)} certificates")
    _require_chain(path, roots)
    return Kept(tuple(one.raw for one in path))


def crl_wanted(product: Product, signing_key: SigningKey, roots: tuple[Certificate, ...], *, base: str) -> Wanted:
    """The CRL of a product's root."""
    request = Request(
        what=f"CRL of {product}",
        url=f"{base}/{_family(signing_key)}/v1/{product}/crl",
        accept=DER_TYPES,
        limit=MAX_CRL,
    )
    return Wanted(request=request, verify=functools.partial(_read_crl, roots=roots, product=product))


def _read_crl(raw: bytes, *, roots: tuple[Certificate, ...], product: Product) -> Kept:
    """A CRL signed by the pinned root of the product; the later it was issued the higher its rank."""
    crl = Crl(raw)
    signer = [root for root in roots if root.subject == crl.issuer and root.common_name().endswith(f"-{product}")]
    if not signer or not crl.signed_by(signer[0].public_key):
        raise Unauthentic(Reason.SIGNATURE_INVALID, f"CRL of {product}")
    return Kept((raw,), int(crl.this_update.timestamp()), crl.next_update)


def _family(signing_key: SigningKey) -> str:
    return "vlek" if signing_key is SigningKey.VLEK else "vcek"
