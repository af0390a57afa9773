# SPDX-License-Identifier: Apache-2.0
"""Intel's Provisioning Certification Service, version 4, and any PCCS that speaks as it does.

Intel PCS API v4: each document comes with its signer's chain in a header, PEM under URL encoding.
A PCCS has the same paths and, beside them, the root's CRL, which Intel serves elsewhere.
"""

from __future__ import annotations

import functools
import string
from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal
from urllib.parse import unquote_to_bytes

import msgspec

from enarx.codec import cbor
from enarx.codec.x509 import Certificate
from enarx.endorser.ask import Endorser
from enarx.endorser.request import Answer, Kept, Request, Services, Wanted
from enarx.errors import Malformed, Reason, Unauthentic, Undetermined
from enarx.evidence import intel_chain, intel_collateral, intel_qe_identity, intel_tcb_info, sgx, tdx
from enarx.evidence.anchor import Anchors, Vendor
from enarx.evidence.check import Trail
from enarx.evidence.endorsement import Endorsements, IntelCollateral
from enarx.evidence.intel_chain import PCK_CAS, SIGNER, PckChain, Roots
from enarx.evidence.intel_quote import PCK_CHAIN, TDX, Quote
from enarx.evidence.kind import Kind
from enarx.evidence.memory import Memory

MAX_DOCUMENT = 1 << 20
MAX_CRL = 8 << 20
ROOT_CRL = "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"
_ANY: frozenset[str] = frozenset()
_CHAINS = {
    "tcb info": ("tcb-info-issuer-chain", "sgx-tcb-info-issuer-chain"),
    "qe identity": ("sgx-enclave-identity-issuer-chain", "enclave-identity-issuer-chain"),
    "pck crl": ("sgx-pck-crl-issuer-chain",),
}
"""In which header each answer has its signer's chain; the second spelling is of version 3."""


def gather(
    kind: Kind, body: bytes, given: Endorsements, endorser: Endorser, *, anchors: Anchors, when: datetime
) -> Endorsements:
    """`given`, with the newest collateral for a quote that was given, kept, or can be got from Intel."""
    quote = sgx.parse(body).quote if kind is Kind.SGX else tdx.parse(body).quote
    roots = anchors.of(Vendor.INTEL)
    chain = _chain(quote, given, roots, when)
    wanted = wants(quote.tee_type, chain, roots, endorser.services)
    found: dict[str, bytes] = {}
    for document in wanted:
        found |= _newest(document, given.intel, endorser, when)
    if not found:
        return given
    known = {} if given.intel is None else msgspec.structs.asdict(given.intel)
    fields = dict.fromkeys(IntelCollateral.__struct_fields__, b"") | known | found
    return msgspec.structs.replace(given, intel=IntelCollateral(**fields))


class Document(msgspec.Struct, frozen=True):
    """One thing to ask for, and the fields of the collateral that its answer fills: body, and chain if it has one."""

    wanted: Wanted
    fields: tuple[str, ...]


def wants(
    tee_type: int,
    chain: PckChain,
    roots: Roots,
    services: Services,
    *,
    update: Literal["standard", "early"] = "standard",
    number: int | None = None,
) -> tuple[Document, ...]:
    """What there is to ask for about a platform: TCB info, QE identity, the CRLs of PCK CA and root.

    update  when a new evaluation counts: as Intel recommends, or as soon as there is one
    number  the tcbEvaluationDataNumber to ask for instead of the newest
    """
    which = f"update={update}" if number is None else f"tcbEvaluationDataNumber={number}"
    tee = "tdx" if tee_type == TDX else "sgx"
    base, fmspc = services.intel, chain.platform.fmspc.hex().upper()
    ca = "processor" if b"Processor" in chain.ca.subject else "platform"
    return (
        _document(f"TCB info of {fmspc}", f"{base}/{tee}/certification/v4/tcb?fmspc={fmspc}&{which}",
                  "tcb info", functools.partial(_read_tcb_info, roots=roots, tee=tee.upper(), fmspc=chain.platform.fmspc), ("tcb_info", "tcb_chain")),
        _document(f"{tee.upper()} QE identity", f"{base}/{tee}/certification/v4/qe/identity?{which}",
                  "qe identity", functools.partial(_read_qe_identity, roots=roots, name="TD_QE" if tee == "tdx" else "QE"), ("qe_identity", "qe_chain")),
        _document(f"CRL of the {ca} CA", f"{base}/sgx/certification/v4/pckcrl?ca={ca}&encoding=der",
                  "pck crl", functools.partial(_read_pck_crl, roots=roots, issuer=chain.ca.subject), ("pck_crl", "pck_crl_chain")),
        _root_crl(services, chain.root),
    )  # fmt: skip


def _document(
    what: str, url: str, header: str, read: Callable[[bytes, bytes], Kept], fields: tuple[str, ...]
) -> Document:
    limit = MAX_CRL if header == "pck crl" else MAX_DOCUMENT
    return Document(
        Wanted(
            request=Request(what=what, url=url, accept=_ANY, limit=limit),
            verify=lambda raw: read(*unpacked(raw)),
            pack=lambda answer: packed(answer.body, chain_of(answer, header)),
        ),
        fields,
    )


def _root_crl(services: Services, root: Certificate) -> Document:
    """Intel serves it from another host; a PCCS has it beside the rest, in hexadecimal."""
    own = services.intel == Services().intel
    url = ROOT_CRL if own else f"{services.intel}/sgx/certification/v4/rootcacrl"
    request = Request(what="CRL of Intel's root", url=url, accept=_ANY, limit=2 * MAX_CRL)
    read = functools.partial(_read_root_crl, root=root)
    return Document(Wanted(request=request, verify=read, pack=lambda answer: unhexed(answer.body)), ("root_crl",))


def chain_of(answer: Answer, document: str) -> bytes:
    """The signer's chain in an answer's headers, PEM; `Undetermined` if the server left it out."""
    for name in _CHAINS[document]:
        if name in answer.headers:
            return unquote_to_bytes(answer.headers[name])
    raise Undetermined(Reason.UNEXPECTED_ANSWER, f"{document}: no {_CHAINS[document][0]} header")


def unhexed(body: bytes) -> bytes:
    """A CRL that a PCCS wrote in hexadecimal, as DER; anything else as it is."""
    text = body.strip()
    if text and not text.translate(None, string.hexdigits.encode()) and len(text) % 2 == 0:
        return bytes.fromhex(text.decode())
    return body


def packed(body: bytes, chain: bytes) -> bytes:
    """A body and its chain as the bytes to keep."""
    return cbor.encode([body, chain])


def unpacked(raw: bytes) -> tuple[bytes, bytes]:
    """The two of `packed`."""
    found: Any = cbor.decode_canonical(raw, "kept collateral")
    if not isinstance(found, list) or len(found) != 2 or not all(isinstance(one, bytes) for one in found):
        raise Malformed(Reason.WRONG_TYPE, "kept collateral")
    return found[0], found[1]


def _newest(document: Document, given: IntelCollateral | None, endorser: Endorser, when: datetime) -> dict[str, bytes]:
    """The document with the highest evaluation number, or the latest CRL, of all that verify."""
    offered: tuple[bytes, ...] = ()
    if given is not None:
        said = [getattr(given, name) for name in document.fields]
        offered = (packed(*said) if len(said) == 2 else said[0],) if all(said) else ()
    items = endorser.offer(document.wanted, offered, when=when)
    if not items:
        return {}
    values = unpacked(items[0]) if len(document.fields) == 2 else items
    return dict(zip(document.fields, values, strict=True))


def _chain(quote: Quote, given: Endorsements, roots: Roots, when: datetime) -> PckChain:
    text = quote.certification
    if quote.certification_type != PCK_CHAIN:
        text = intel_chain.found_among(given.certificates)
        if not text:
            # Not asked for: Intel's /pckcert wants an API key, a PCCS the platform's own PCE; hosts have the chain.
            raise Undetermined(Reason.KEY_MISSING, "PCK certificate", hint="give the platform's PCK chain")
    return intel_chain.authenticate_pck(text, roots, when=when, trail=Trail(), memory=Memory())


def _read_tcb_info(body: bytes, chain: bytes, *, roots: Roots, tee: str, fmspc: bytes) -> Kept:
    info = intel_tcb_info.parse(_signed(body, chain, "tcbInfo", roots))
    _require_about((info.tee, info.fmspc) == (tee, fmspc), "TCB info")
    return Kept((packed(body, chain),), _rank(info.evaluation_number, info.issue_date), info.next_update)


def _read_qe_identity(body: bytes, chain: bytes, *, roots: Roots, name: str) -> Kept:
    identity = intel_qe_identity.parse(_signed(body, chain, "enclaveIdentity", roots))
    _require_about(identity.name == name, "QE identity")
    return Kept((packed(body, chain),), _rank(identity.evaluation_number, identity.issue_date), identity.next_update)


def _require_about(holds: bool, what: str) -> None:  # noqa: FBT001
    """Genuine, and of another platform: it must not take the place of what was asked for."""
    if not holds:
        raise Unauthentic(Reason.COLLATERAL_MISMATCH, f"{what} of another platform")


def _signed(body: bytes, chain: bytes, name: str, roots: Roots) -> bytes:
    trail = Trail()
    signer = intel_chain.authenticate_signer(chain, roots, SIGNER, trail=trail, memory=Memory(), name=name)
    return intel_collateral.signed_value(body, name, signer, trail=trail)


def _rank(number: int, issued: datetime) -> int:
    """Evaluation numbers first; of two with the same, the later issue."""
    return number << 40 | int(issued.timestamp())


def _read_pck_crl(body: bytes, chain: bytes, *, roots: Roots, issuer: bytes) -> Kept:
    trail = Trail()
    ca = intel_chain.authenticate_signer(chain, roots, PCK_CAS, trail=trail, memory=Memory(), name="PCK CRL issuer")
    crl = intel_collateral.genuine_crl(body, ca.certificate, trail=trail, name="PCK CRL")
    _require_about(crl.issuer == issuer, "PCK CRL")
    return Kept((packed(body, chain),), int(crl.this_update.timestamp()), crl.next_update)


def _read_root_crl(body: bytes, *, root: Certificate) -> Kept:
    crl = intel_collateral.genuine_crl(body, root, trail=Trail(), name="root CRL")
    return Kept((body,), int(crl.this_update.timestamp()), crl.next_update)
