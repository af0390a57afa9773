# SPDX-License-Identifier: Apache-2.0
"""A tenant as it is served: its CA, roots, policies and administrators, read whole from the files it names."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from enarx.appraisal import policy as policy_
from enarx.codec import x509
from enarx.errors import Misused, Reason
from enarx.evidence.anchor import PRODUCTION, Anchors
from enarx.identity import administration, pkcs11, profile
from enarx.identity.administration import Administrator
from enarx.identity.authority import Authority, Terms
from enarx.identity.ca import make_intermediate, make_root
from enarx.identity.rule import Rule, require_one_anchor_set
from enarx.identity.settings import TenantSettings, load_key, read
from enarx.identity.signer import KeySigner, Signer


class Desk(msgspec.Struct, frozen=True):
    """The CA and the policy for upstream's Keeps.

    intermediates  vendors' certificates (DER) that its requests do not carry and we have not pinned
    """

    authority: Authority
    rule: Rule
    intermediates: tuple[bytes, ...] = ()


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    """One tenant. `address`: where its clients find it."""

    name: str
    hosts: tuple[str, ...]
    names: tuple[str, ...]
    address: str
    authority: Authority
    anchors: Anchors
    rules: dict[str, Rule]
    desk: Desk | None
    administrators: tuple[Administrator, ...]
    persons: int


class TenantFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What an administrator may know of the tenant. `persons`: how many have to want a change of policy."""

    name: str
    hosts: tuple[str, ...]
    trust_domain: str
    ca: str
    ca_spki_sha256: str
    ca_expires: str
    anchors: str
    administrators: tuple[str, ...]
    persons: int
    you: str


def facts(tenant: Tenant, *, you: str) -> TenantFacts:
    """What the administrator `you` is told."""
    own = tenant.authority
    return TenantFacts(
        name=tenant.name,
        hosts=tenant.hosts,
        trust_domain=own.trust_domain,
        ca=own.certificate.name,
        ca_spki_sha256=own.spki_digest.hex(),
        ca_expires=own.certificate.not_after.isoformat(),
        anchors=tenant.anchors.name,
        administrators=tuple(one.name for one in tenant.administrators),
        persons=tenant.persons,
        you=you,
    )


def load(settings: TenantSettings, *, address: str, when: datetime) -> Tenant:
    """Read a tenant's files. `Misused` when they do not belong together."""
    rules = _rules(settings)
    authority = _authority(settings, rules, address, when)
    require_one_anchor_set(authority, rules.values(), settings.anchors)
    return Tenant(
        name=settings.name,
        hosts=settings.hosts,
        names=settings.names,
        address=address,
        authority=authority,
        anchors=settings.anchors,
        rules=rules,
        desk=_desk(settings, authority, address, when),
        administrators=_administrators(settings),
        persons=settings.persons,
    )


def require_apart(tenants: Sequence[Tenant]) -> None:
    """Several tenants share no name, host, trust domain or CA, and each CA is bound to its trust domain."""
    if len(tenants) < 2:
        return
    kinds: dict[str, Iterable[str]] = {
        "name": (one.name for one in tenants),
        "host": (host for one in tenants for host in one.hosts),
        "trust domain": (one.authority.trust_domain for one in tenants),
        "key of a CA": (one.authority.spki_digest.hex() for one in tenants),
    }
    for kind, found in kinds.items():
        twice = [value for value, count in Counter(found).items() if count > 1]
        if twice:
            raise Misused(Reason.DUPLICATE, f"two tenants with one {kind}: {twice[0]}")
    for one in tenants:
        if not one.hosts:
            raise Misused(Reason.MISSING, f"tenant {one.name!r}: hosts", hint="the names under which clients ask")
        if one.authority.certificate.extension(profile.NAME_CONSTRAINTS) is None:
            raise Misused(
                Reason.CERTIFICATE_PROFILE,
                f"tenant {one.name!r}: {one.authority.certificate.name} is not bound to a trust domain",
                hint="`enarx steward ca issuing` makes CAs with a critical URI name constraint",
            )


def _authority(settings: TenantSettings, rules: dict[str, Rule], address: str, when: datetime) -> Authority:
    """The CA of the files, or one made for this run; `Misused` when the files are not a CA's."""
    pointers = {"crl_url": f"{address}/v1/crl", "ocsp_url": f"{address}/v1/ocsp"}
    if settings.certificate is not None and settings.key is not None:
        return _of_files(settings.certificate, settings.key, settings, pointers)
    if not settings.names or settings.certificate or settings.key:
        raise Misused(Reason.USAGE, "a steward has --crt and --key", hint="or --host alone: a CA made for this run")
    words = [*(("simulated",) if settings.anchors.name != PRODUCTION else ())]
    words += ["none"] if any(rule.policy.policy.none is not None for rule in rules.values()) else []
    name = " ".join(filter(None, (settings.names[0], f"({', '.join(words)})" if words else "")))
    made = make_root(
        name, trust_domain=settings.trust_domain, when=when, serial=_serial(), lifetime=timedelta(days=365)
    )
    return Authority(made.path, KeySigner(made.key), trust_domain=settings.trust_domain, **pointers)


def _of_files(certificate: Path, key: Path, settings: TenantSettings, pointers: dict[str, str]) -> Authority:
    passphrase = read(settings.passphrase).rstrip(b"\r\n") if settings.passphrase else None
    path = x509.from_pem(read(certificate), str(certificate))
    if str(key).startswith("pkcs11:"):
        signer: Signer = pkcs11.signer(str(key), passphrase or b"", path[0].spki)
    else:
        signer = KeySigner(load_key(key, passphrase))
    made = Authority(path, signer, trust_domain=settings.trust_domain, **pointers)
    bound = path[0].extension(profile.NAME_CONSTRAINTS)
    if bound is not None and not (bound.critical and bound.value == profile.uri_subtree(made.trust_domain)):
        raise Misused(
            Reason.CERTIFICATE_PROFILE,
            f"{certificate}: its name constraints do not say the trust domain {made.trust_domain}",
            hint="--trust-domain is the one that the CA was made for",
        )
    return made


def _desk(settings: TenantSettings, authority: Authority, address: str, when: datetime) -> Desk | None:
    """The CA and policy for upstream's Keeps: its files, or an intermediate below the Steward's own CA."""
    if settings.legacy_policy is None:
        return None
    loaded = policy_.load(read(settings.legacy_policy), str(settings.legacy_policy))
    rule = Rule(loaded, Terms(lifetime=settings.lifetime, dns=settings.dns))
    given = settings.legacy_intermediates
    between = tuple(one.raw for one in x509.from_pem(read(given), str(given))) if given else ()
    pointers = {"crl_url": f"{address}/v1/legacy/crl", "ocsp_url": f"{address}/v1/legacy/ocsp"}
    if settings.legacy_certificate is not None and settings.legacy_key is not None:
        own = _of_files(settings.legacy_certificate, settings.legacy_key, settings, pointers)
        return Desk(own, rule, between)
    if authority.certificate.path_length == 0:
        raise Misused(
            Reason.CERTIFICATE_PROFILE,
            f"{authority.certificate.name} may not have a CA below it",
            hint="give --legacy-crt and --legacy-key, of a CA with the word legacy in its subject",
        )
    words = ", ".join(["legacy", *sorted(authority.words - {"legacy"})])
    made = make_intermediate(
        authority.path,
        authority.signer,
        f"enarx 0.7 keeps ({words})",
        trust_domain=settings.trust_domain,
        when=when,
        serial=_serial(),
    )
    own = Authority(made.path, KeySigner(made.key), trust_domain=settings.trust_domain, **pointers)
    return Desk(own, rule, between)


def _administrators(settings: TenantSettings) -> tuple[Administrator, ...]:
    """Who may change policies; nobody, when no file says."""
    if settings.administrators is None:
        return ()
    return administration.load(read(settings.administrators), str(settings.administrators))


def _rules(settings: TenantSettings) -> dict[str, Rule]:
    """The policies by name; `Misused` when two have one name."""
    terms = Terms(lifetime=settings.lifetime, dns=settings.dns)
    rules: dict[str, Rule] = {}
    for path in settings.policies:
        text = read(path)
        loaded = policy_.load(text, str(path))
        if loaded.policy.name in rules:
            raise Misused(Reason.DUPLICATE, f"{path}: policy {loaded.policy.name!r}")
        rules[loaded.policy.name] = Rule(loaded, terms, text)
    return rules


def _serial() -> int:
    return secrets.randbits(126) | 1 << 126
