# SPDX-License-Identifier: Apache-2.0
"""NVIDIA's servers: the RIM service for manifests, and the OCSP responder for revocation."""

from __future__ import annotations

import base64
import binascii
import functools
from collections.abc import Callable
from datetime import datetime
from urllib.parse import quote

from enarx.codec import json, ocsp
from enarx.codec.digest import sha256
from enarx.codec.x509 import Certificate
from enarx.endorser.ask import Endorser
from enarx.endorser.request import Answer, Kept, Request, Wanted
from enarx.errors import EnarxError, Malformed, Reason, Unauthentic
from enarx.evidence import nvidia, rim
from enarx.evidence.anchor import Anchors, Vendor
from enarx.evidence.check import Trail
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.nvidia_chain import authenticate_device, device_path
from enarx.evidence.nvidia_identity import device_of
from enarx.evidence.nvidia_ocsp import Pair, pairs_of, statuses
from enarx.evidence.nvidia_rim import manifest_ids

JSON_TYPES = frozenset(("application/json",))
OCSP_RESPONSE, OCSP_REQUEST = "application/ocsp-response", "application/ocsp-request"
MAX_RIM = 4 << 20
NONCE_SIZE = 32


def gather(
    evidence: Evidence, given: Endorsements, endorser: Endorser, *, anchors: Anchors, when: datetime
) -> Endorsements:
    """`given`, with the manifests of a device's software and what is said of all certificates involved."""
    chain = nvidia.certificates_of(evidence.parts["certificates"]) if "certificates" in evidence.parts else ()
    report = nvidia.parse(evidence.body, evidence.kind, chain)
    roots = anchors.of(Vendor.NVIDIA)
    path = device_path(report.certificates or given.certificates, roots, Trail())
    authenticate_device(path, roots, when=when, trail=Trail())
    rim_roots = anchors.of(Vendor.NVIDIA_RIM)
    rims = given.rims
    for name in manifest_ids(device_of(path[0]).product, report.opaque):
        rims += endorser.get(rim_wanted(name, rim_roots, endorser, when=when), when=when)
    pairs = (*pairs_of(path, first=1), *_signers(rims, rim_roots, when=when))
    answers = given.ocsp
    for pair in dict.fromkeys(pairs):
        answers += endorser.get(ocsp_wanted(pair, endorser, when=when), when=when)
    return Endorsements(given.certificates, given.crls, given.intel, _unique(rims), _unique(answers))


def _unique(items: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys(items))


def _signers(rims: tuple[bytes, ...], roots: tuple[Certificate, ...], *, when: datetime) -> tuple[Pair, ...]:
    """The signers of those manifests that can be believed: nobody else's certificates are asked about."""
    found: list[Pair] = []
    for raw in rims:
        try:
            found.extend(pairs_of(rim.authenticate(rim.parse(raw), roots, when=when).path, first=0))
        except EnarxError:
            continue
    return tuple(found)


def rim_wanted(name: str, roots: tuple[Certificate, ...], endorser: Endorser, *, when: datetime) -> Wanted:
    """One manifest: `GET /v1/rim/{id}` answers `{"id", "rim" (base64), "sha256", …}`."""
    key = endorser.services.nvidia_key
    request = Request(
        what=f"manifest {name}",
        url=f"{endorser.services.nvidia_rim}/v1/rim/{quote(name, safe='')}",
        accept=JSON_TYPES,
        limit=MAX_RIM,
        headers=(("authorization", f"Bearer {key}"),) if key else (),
    )
    return Wanted(request=request, verify=functools.partial(_read_rim, name=name, roots=roots, when=when))


def _read_rim(body: bytes, *, name: str, roots: tuple[Certificate, ...], when: datetime) -> Kept:
    """The manifest inside, signed under a pinned root; of two, the one signed later counts."""
    raw = manifest_of(body, name)
    authentic = rim.authenticate(rim.parse(raw), roots, when=when)
    issued = max(certificate.not_before for certificate in authentic.path)
    return Kept((raw,), int(issued.timestamp()), authentic.window.not_after)


def manifest_of(body: bytes, name: str) -> bytes:
    """The XML in an answer of the RIM service, which must be the one asked for.

    The digest that comes beside it adds nothing to the signature inside it, and is not looked at.
    """
    table = json.decode(body, f"manifest {name}", limit=MAX_RIM)
    if not isinstance(table, dict) or not isinstance(table.get("rim"), str):
        raise Malformed(Reason.MISSING, f"manifest {name}: rim")
    if str(table.get("id", name)).upper() != name.upper():
        raise Unauthentic(Reason.ENDORSEMENT_MISMATCH, f"manifest {name}: another one came")
    try:
        return base64.b64decode(table["rim"], validate=True)
    except (binascii.Error, ValueError):
        raise Malformed(Reason.SYNTAX, f"manifest {name}: base64") from None


def ocsp_wanted(pair: Pair, endorser: Endorser, *, when: datetime) -> Wanted:
    """What the responder says of one certificate, over a nonce of ours."""
    nonce = endorser.random(NONCE_SIZE)
    who = pair.certificate.common_name()
    request = Request(
        what=f"OCSP of {who}",
        url=f"{endorser.services.nvidia_ocsp}/",
        accept=frozenset((OCSP_RESPONSE,)),
        limit=ocsp.MAX_BYTES,
        method="POST",
        headers=(("content-type", OCSP_REQUEST),),
        body=ocsp.request(pair.certificate, pair.issuer, nonce),
    )
    return Wanted(
        request=request,
        key=f"ocsp:{sha256(pair.issuer.raw).hex()}:{pair.certificate.serial:x}",
        verify=functools.partial(_read_ocsp, pair=pair, when=when),
        first=_nonce_check(nonce, who),
    )


def _nonce_check(nonce: bytes, who: str) -> Callable[[Answer], None]:
    """RFC 9654: the answer carries the nonce of the request, or it may be an old one."""

    def check(answer: Answer) -> None:
        if ocsp.parse(answer.body).nonce != nonce:
            raise Unauthentic(Reason.NONCE_MISMATCH, f"OCSP of {who}")

    return check


def _read_ocsp(body: bytes, *, pair: Pair, when: datetime) -> Kept:
    """A genuine, current answer about this certificate. "Revoked" is an answer too, and is kept."""
    response = ocsp.parse(body)
    answers = [one for one in response.singles if one.concerns(pair.certificate, pair.issuer)]
    if not answers:
        raise Unauthentic(Reason.ENDORSEMENT_MISMATCH, f"OCSP of {pair.certificate.common_name()}: about others")
    try:
        statuses((body,), (pair,), when=when, trail=Trail())
    except Unauthentic as error:
        if error.reason is not Reason.REVOKED:
            raise
    newest = max(answers, key=lambda one: one.this_update)
    return Kept((body,), int(newest.this_update.timestamp()), newest.next_update or newest.this_update)
