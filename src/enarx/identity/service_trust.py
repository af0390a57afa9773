# SPDX-License-Identifier: Apache-2.0
"""What relying parties ask the Steward for: trust bundle, keys, revocation, time."""

from __future__ import annotations

import asyncio
import base64
import binascii
from typing import Any, Literal

import msgspec
from litestar import Request, Response, get, post

from enarx.appraisal.jws import base64url
from enarx.errors import Malformed, Reason
from enarx.identity import bundle, moment, result, revocation
from enarx.identity.archive import Archive
from enarx.identity.authority import Authority
from enarx.identity.clock import Clock
from enarx.identity.log import LogKey
from enarx.identity.message import TimeAnswer, TimeRequest
from enarx.web.answers import JSON, only

OCSP_REQUEST, OCSP_RESPONSE = "application/ocsp-request", "application/ocsp-response"
_BRIEFLY = {"cache-control": f"public, max-age={bundle.REFRESH}"}


def bundle_routes(authorities: tuple[Authority, ...], log: LogKey, clock: Clock) -> list[Any]:
    """Anchors and keys, and time signed by the first authority."""
    own = authorities[0]

    @get("/v1/trust-bundle")
    async def trust_bundle(format: Literal["pem", "jwks", "spiffe"] = "pem") -> Response[bytes]:  # noqa: A002
        """The anchors of this trust domain: PEM, JWKS, or a SPIFFE bundle."""
        match format:
            case "pem":
                return Response(bundle.as_pem(authorities), media_type="application/x-pem-file", headers=_BRIEFLY)
            case "jwks":
                found = bundle.jwks(authorities, log)
            case _:
                found = bundle.spiffe(authorities, sequence=int(clock.now().timestamp()) // bundle.REFRESH)
        return Response(msgspec.json.encode(found), media_type=JSON, headers=_BRIEFLY)

    @get("/.well-known/jwks.json")
    async def jwks() -> Response[bytes]:
        """The keys that sign EARs and time (RFC 7517)."""
        return Response(msgspec.json.encode(bundle.jwks(authorities, log)), media_type=JSON, headers=_BRIEFLY)

    @post("/v1/time", before_request=only(JSON), status_code=200)
    async def time(data: TimeRequest) -> TimeAnswer:
        """The Steward's time, signed over the caller's nonce."""
        now = clock.now().timestamp()
        claims = {"iat": int(now), "time_ms": int(now * 1000), "eat_nonce": base64url(data.nonce)}
        return TimeAnswer(result.jwt(claims, own.signer, kind=moment.TYPE))

    return [trust_bundle, jwks, time]


def status_routes(own: Authority, archive: Archive, clock: Clock, tenant: str, *, prefix: str = "/v1") -> list[Any]:
    """Which certificates of one authority are revoked."""

    @get(f"{prefix}/crl", sync_to_thread=True)
    def crl() -> Response[bytes]:
        """The certificate revocation list, DER."""
        when = clock.now()
        raw = revocation.crl(own, archive.revoked(tenant, when=when), when=when)
        return Response(raw, media_type="application/pkix-crl", headers={"cache-control": "public, max-age=60"})

    async def answered(raw: bytes) -> Response[bytes]:
        question = revocation.parse_ocsp(raw, own)
        when = clock.now()
        status: revocation.Standing = "unknown"
        if question.ours:
            status = await asyncio.to_thread(archive.status, tenant, question.serial)
        return Response(revocation.answer(own, question, status, when=when), media_type=OCSP_RESPONSE)

    @post(f"{prefix}/ocsp", before_request=only(OCSP_REQUEST), status_code=200, include_in_schema=False)
    async def ocsp(request: Request[Any, Any, Any]) -> Response[bytes]:
        """An OCSP answer (RFC 6960)."""
        return await answered(await request.body())

    @get(prefix + "/ocsp/{asked:path}", include_in_schema=False)
    async def ocsp_by_get(asked: str) -> Response[bytes]:
        """The same, with the request in the address (RFC 6960 appendix A.1)."""
        try:
            raw = base64.b64decode(asked.removeprefix("/"), validate=True)
        except (ValueError, binascii.Error):
            raise Malformed(Reason.SYNTAX, "OCSP request") from None
        return await answered(raw)

    return [crl, ocsp, ocsp_by_get]
