# SPDX-License-Identifier: Apache-2.0
"""The tenant's side of one release: whether what was offered is a Keep that may have the secrets. No IO here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from enarx.appraisal.appraise import appraise
from enarx.appraisal.composition import joined
from enarx.appraisal.expectation import failed, open_, passed
from enarx.appraisal.policy import Loaded
from enarx.appraisal.result import Appraisal
from enarx.appraisal.tied import Expected
from enarx.appraisal.workload import Package
from enarx.codec.digest import same, sha256
from enarx.delivery.release import Ask, Offer, Parcel, Secrets
from enarx.delivery.release_seal import TenantSigner, seal, signed
from enarx.errors import EnarxError, Reason, Unacceptable
from enarx.evidence import cmw
from enarx.evidence.anchor import Anchors
from enarx.evidence.binding import Binding, Purpose, spki_digest
from enarx.evidence.check import Check
from enarx.evidence.composition import authenticate_members
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind, without_tee
from enarx.workload import launch as launch_document
from enarx.workload.launch import Launch


def unsigned(launch: Launch) -> Package:
    """The launch document's package, of which no signature was shown."""
    return Package(digest=launch.package)


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """Under which terms a tenant releases secrets.

    tenant   the tenant's own key; the launch document must name it
    launch   the launch document that the tenant made, or None when it has not got it
    package  what the tenant knows of the package that a launch document names: who signed it
    """

    loaded: Loaded
    anchors: Anchors
    tenant: TenantSigner
    launch: bytes | None = None
    package: Callable[[Launch], Package] = unsigned


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What came of judging an offer: the appraisal, and what a release asks for beyond a policy.

    binding  the tenant's own map, with the offered one-time key in it
    """

    appraisal: Appraisal
    expected: Expected
    checks: tuple[Check, ...]
    launch: Launch
    binding: Binding

    def require(self) -> None:
        """Raise the first refusal, with every check."""
        accepted = self.appraisal.accepted()
        if said_no := next((check for check in self.checks if check.says_no()), None):
            every = (*accepted.appraisal.every_check(), *self.checks)
            raise Unacceptable(said_no.reason or Reason.NOT_ALLOWED, said_no.name, hint=said_no.mend, checks=every)

    def refusal(self) -> EnarxError | None:
        """Why nothing may be released, or None."""
        try:
            self.require()
        except EnarxError as error:
            return error
        return None

    def parcel(self, secrets: Secrets, tenant: TenantSigner) -> Parcel:
        """The secrets for this Keep alone. Raises the refusal where there is one: nothing is sealed then."""
        self.require()
        sealed = seal(secrets.encoded(), self.binding.hpke or b"", self.binding)
        return Parcel(sealed, tenant.sign(signed(self.binding, sealed)))


def judge(offer: Offer, terms: Terms, *, ask: Ask, spki: bytes, when: datetime) -> Judged:
    """Hold an offer against the tenant's terms.

    ask   this tenant's own challenge, made for this connection
    spki  the key that TLS proved, DER SubjectPublicKeyInfo

    Raises what authentication raises; what the terms refuse is in the result.
    """
    launch = launch_document.parse(offer.launch)
    binding = Binding(
        purpose=Purpose.RELEASE,
        spki=spki_digest(spki),
        nonce=ask.nonce,
        launch=sha256(offer.launch),
        hpke=offer.hpke,
    )
    members = cmw.decode(offer.evidence)
    claims = authenticate_members(members, (offer.endorsements,) * len(members), anchors=terms.anchors, when=when)
    wanted = Expected(binding=binding, fresh=True, launch=binding.launch, package=terms.package(launch))
    expected = joined(members, claims, wanted)
    return Judged(
        appraisal=appraise(claims, terms.loaded, expected, when=when),
        expected=expected,
        checks=(_bound(terms), _protected(members), _tenant(launch, terms), _steered(offer.launch, launch, terms)),
        launch=launch,
        binding=binding,
    )


def _bound(terms: Terms) -> Check:
    """Where the policy does not tie evidence to the one-time key, anybody may own that key."""
    name, form, wanted, source = "release: binding", terms.loaded.policy.binding, "enarx-binding-1", "design 4.4"
    if form == wanted:
        return passed(name, form, wanted, source)
    return failed(name, Reason.BINDING_FORM, form, wanted, source, "secrets need a policy that checks the binding")


def _protected(members: tuple[Evidence, ...]) -> Check:
    """Evidence that keeps no host out vouches for no key, whatever the policy says of it."""
    name, source = "release: a TEE vouches for the one-time key", "design 4.4"
    kinds = ", ".join(sorted({str(one.kind) for one in members}))
    if any(one.kind is Kind.NONE for one in members) or without_tee(one.kind for one in members):
        return failed(name, Reason.NO_TEE, kinds, "a TEE", source, "open the keep where there is one")
    return passed(name, kinds, "a TEE", source)


def _tenant(launch: Launch, terms: Terms) -> Check:
    name, source = "release: tenant of the launch document", "the tenant's key"
    if same(launch.tenant, terms.tenant.spki):
        return passed(name, sha256(launch.tenant), sha256(terms.tenant.spki), source)
    mend = "this keep was opened for another tenant, and takes secrets of that one alone"
    return failed(name, Reason.LAUNCH_MISMATCH, sha256(launch.tenant), sha256(terms.tenant.spki), source, mend)


def _steered(raw: bytes, launch: Launch, terms: Terms) -> Check:
    """Whose launch document it is: the host may have written one that names our package and our key."""
    name = "release: launch document"
    if terms.launch is not None:
        source = "the launch document given"
        if same(raw, terms.launch):
            return passed(name, sha256(raw), sha256(terms.launch), source)
        mend = "the host opened this keep for something else"
        return failed(name, Reason.LAUNCH_MISMATCH, sha256(raw), sha256(terms.launch), source, mend)
    steering = [
        item
        for item in ("steward", "args", "env", "stdio", "resolver", "limits")
        if getattr(launch, item) not in (None, (), {})
    ]
    if not steering:
        return open_(name, "names a package and nothing that steers it", "no launch document given")
    mend = "give the launch document that you made: anybody could have written this one"
    return failed(name, Reason.LAUNCH_MISMATCH, ", ".join(steering), "nothing", "no launch document given", mend)
