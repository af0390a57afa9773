# SPDX-License-Identifier: Apache-2.0
"""The administrators' routes: policies with their history, trying one before it is used, revocation, refusals."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
from litestar import Request, get, post
from litestar.params import Parameter
from sqlalchemy import Engine

from enarx.appraisal import policy as policy_
from enarx.identity import administration
from enarx.identity.administration import Revocation, Tried
from enarx.identity.audit import REQUESTS, Audit
from enarx.identity.authority import Terms
from enarx.identity.clock import Clock
from enarx.identity.rule import Rule, require_one_anchor_set
from enarx.identity.rulebook import Document, Proposal, Rulebook, Version
from enarx.identity.tenant import Tenant, TenantFacts, facts
from enarx.web.answers import JSON, only
from enarx.web.log import logger

Count = Annotated[int, Parameter(ge=1, le=REQUESTS)]


PolicyKey = Annotated[str, Parameter(pattern="^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$", max_length=63)]


class Trial(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A policy to try on the last `last` requests."""

    text: str
    last: Annotated[int, msgspec.Meta(ge=1, le=REQUESTS)] = 100


class Retirement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The name of a policy that shall accept nothing any more."""

    name: str


class Done(msgspec.Struct, frozen=True):
    """How many certificates were revoked, or policies retired."""

    count: int


class Office(msgspec.Struct, frozen=True):
    """What the administrators of one tenant work with."""

    tenant: Tenant
    rulebook: Rulebook
    audit: Audit
    engine: Engine
    clock: Clock

    def person(self, request: Request[Any, Any, Any]) -> str:
        """Who asks. Every other way in is closed."""
        return administration.recognised(request.headers.get("authorization", ""), self.tenant.administrators).name

    def changed(self, person: str, change: str) -> None:
        """Say in the service's log who changed what."""
        logger("steward").info("administration", administrator=person, change=change, tenant=self.tenant.name)


def reading_routes(office: Office) -> list[Any]:
    """Policies as they are and were, and what another one would have said."""

    @get("/v1/admin/policies")
    async def history(request: Request[Any, Any, Any]) -> list[Version]:
        """Every version, newest first."""
        office.person(request)
        return await asyncio.to_thread(office.rulebook.history)

    @get("/v1/admin/policies/in-force")
    async def in_force(request: Request[Any, Any, Any]) -> list[Version]:
        """The versions that accept now; one of a file has the number 0."""
        office.person(request)
        return office.rulebook.versions(office.clock.now())

    @get("/v1/admin/policies/{key:str}")
    async def document(key: PolicyKey, request: Request[Any, Any, Any]) -> Document:
        """A version by its number, or the newest that accepts under a name, with its text."""
        office.person(request)
        return await asyncio.to_thread(office.rulebook.document, key, office.clock.now())

    @post("/v1/admin/policies/try", before_request=only(JSON), status_code=200)
    async def try_on(data: Trial, request: Request[Any, Any, Any]) -> list[Tried]:
        """What a policy would have said to the last requests."""
        office.person(request)
        loaded = policy_.load(data.text.encode(), "policy")
        samples = await asyncio.to_thread(office.audit.last_requests, data.last)
        return await asyncio.to_thread(administration.try_on, loaded, samples, office.tenant.anchors)

    return [history, in_force, document, try_on]


def changing_routes(office: Office) -> list[Any]:
    """What changes policies."""

    @post("/v1/admin/policies", before_request=only(JSON))
    async def propose(data: Proposal, request: Request[Any, Any, Any]) -> Version:
        """Propose a policy; where one person is enough, it is in force at once."""
        person = office.person(request)
        rule = Rule(policy_.load(data.text.encode(), "policy"), Terms())
        require_one_anchor_set(office.tenant.authority, [rule], office.tenant.anchors)
        made = await asyncio.to_thread(office.rulebook.propose, data, person, when=office.clock.now())
        office.changed(person, f"proposed version {made.id} of policy {made.name}")
        return made

    @post("/v1/admin/policies/{key:int}/approve", status_code=200)
    async def approve(key: int, request: Request[Any, Any, Any]) -> Version:
        """Approve what another person proposed: it is in force from now on."""
        person = office.person(request)
        made = await asyncio.to_thread(office.rulebook.approve, key, person, when=office.clock.now())
        office.changed(person, f"approved version {made.id} of policy {made.name}")
        return made

    @post("/v1/admin/policies/retire", before_request=only(JSON), status_code=200)
    async def retire(data: Retirement, request: Request[Any, Any, Any]) -> Done:
        """End a policy."""
        person = office.person(request)
        await asyncio.to_thread(office.rulebook.retire, data.name, when=office.clock.now())
        office.changed(person, f"retired policy {data.name}")
        return Done(1)

    return [propose, approve, retire]


def other_routes(office: Office) -> list[Any]:
    """The tenant itself, revocation and refusals."""

    @get("/v1/admin/tenant")
    async def tenant(request: Request[Any, Any, Any]) -> TenantFacts:
        """Whose Steward this is, and who one is there."""
        return facts(office.tenant, you=office.person(request))

    @post("/v1/admin/revoke", before_request=only(JSON), status_code=200)
    async def revoke(data: Revocation, request: Request[Any, Any, Any]) -> Done:
        """Revoke live certificates: by serial number, or all of a measurement, package, launch, platform, policy."""
        person = office.person(request)
        when = office.clock.now()
        count = await asyncio.to_thread(administration.revoke, office.engine, office.tenant.name, data, when=when)
        office.changed(person, f"revoked {count} certificates")
        return Done(count)

    @get("/v1/admin/refusals")
    async def refusals(request: Request[Any, Any, Any], last: Count = 100) -> list[dict[str, Any]]:
        """The last refusals, newest first."""
        office.person(request)
        return await asyncio.to_thread(office.audit.last_refusals, last)

    return [tenant, revoke, refusals]
