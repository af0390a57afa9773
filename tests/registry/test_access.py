# SPDX-License-Identifier: Apache-2.0
"""Who may publish and fetch, without a network: names, scopes, certificates, tokens, settings."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enarx.codec.x509 import from_pem
from enarx.errors import EnarxError, Malformed, Misused, Reason, Unacceptable, Unauthentic, Undetermined
from enarx.registry import name
from enarx.registry.access import Bearer, Caller, Context, Level, keep_package, may_read_tree
from enarx.registry.meta import content_digest, headers, parse_content_digest, parse_headers
from enarx.registry.settings import Settings, static_tokens
from enarx.registry.token import REFRESH_SECONDS, RETRY_SECONDS, Provider
from enarx.workload.tree import weigh

PACKAGE = bytes(range(32))
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def certificate(identity: Any) -> Any:
    return from_pem(identity.chain, "certificate")[0]


def test_a_keeps_certificate_opens_its_package_while_it_is_valid(keep_identity: Any) -> None:
    mine = certificate(keep_identity(PACKAGE, not_after=datetime(2026, 7, 1, tzinfo=UTC)))
    caller = Caller(None, mine)
    assert keep_package(mine, when=NOW) == PACKAGE
    assert may_read_tree(caller, PACKAGE, any_certificate=False, when=NOW)
    assert not may_read_tree(caller, bytes(32), any_certificate=False, when=NOW)
    assert not may_read_tree(caller, None, any_certificate=False, when=NOW)
    assert may_read_tree(caller, bytes(32), any_certificate=True, when=NOW)
    for outside in (datetime(2026, 7, 2, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)):
        assert not may_read_tree(caller, PACKAGE, any_certificate=False, when=outside)


def test_no_certificate_opens_nothing() -> None:
    assert not may_read_tree(Caller(), PACKAGE, any_certificate=True, when=NOW)


def test_a_caller_without_a_token_is_nobody() -> None:
    with pytest.raises(Unauthentic) as refused:
        Caller().user()
    assert refused.value.subject == "Bearer token header missing"


@pytest.mark.parametrize(
    ("scopes", "granted"),
    [("read:drawbridge_tags", True), ("manage:drawbridge_tags", True), ("write:drawbridge_tags", False), ("", False)],
)
def test_a_scope_has_a_level_and_manage_has_all(scopes: str, granted: bool) -> None:
    bearer = Bearer("alice", frozenset(scopes.split()))
    if granted:
        bearer.require(Level.READ, Context.TAGS)
        return
    with pytest.raises(Unacceptable) as refused:
        bearer.require(Level.READ, Context.TAGS)
    assert refused.value.subject == "Token is missing a scope for level Read, context drawbridge_tags"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("alice/app:1.0.0", "https://store.profian.com/api/v0.1.0/alice/app/_tag/1.0.0"),
        ("127.0.0.1:8443/alice/app:1.0.0", "https://127.0.0.1:8443/api/v0.1.0/alice/app/_tag/1.0.0"),
        ("[::1]:8443/alice/a-b:1.0.0-rc.1+x", "https://[::1]:8443/api/v0.1.0/alice/a-b/_tag/1.0.0-rc.1+x"),
        ("https://h/api/v0.1.0/a/b/_tag/1.0.0/", "https://h/api/v0.1.0/a/b/_tag/1.0.0"),
    ],
)
def test_a_package_has_a_url(text: str, url: str) -> None:
    assert name.package_url(text) == url


@pytest.mark.parametrize(
    "text",
    ["", "a", "a/b", "a/b:", "a/b:1", "a/b:01.0.0", "a-b/c:1.0.0", "a/b_c:1.0.0", "h/x/a/b:1.0.0", "a b/a/b:1.0.0",
     "a@h/u/r:1.0.0", "http://h/x", "file:///x", "h#/u/r:1.0.0", "a/b:1.0.0\n", "https://"],
)  # fmt: skip
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(Misused):
        name.package_url(text)


@given(st.text(max_size=40))
def test_any_text_is_a_name_or_misused(text: str) -> None:
    for parse in (name.parse_user, name.parse_repository, name.parse_package, name.package_url):
        try:
            parse(text)
        except Misused:
            continue


@given(st.binary(max_size=64), st.sampled_from(["text/plain", "application/wasm"]))
def test_an_entry_survives_its_headers(raw: bytes, kind: str) -> None:
    entry = weigh(raw, kind)
    assert parse_headers(headers(entry)) == entry
    assert parse_content_digest(content_digest(entry.digest).replace(",", " , ")) == entry.digest


@given(st.text(max_size=60))
def test_any_text_is_a_content_digest_or_malformed(text: str) -> None:
    try:
        assert parse_content_digest(text)
    except Malformed:
        return


def test_upstreams_headers() -> None:
    said = headers(weigh(b"foo", "text/plain"))
    assert said["content-length"] == "3"
    assert said["content-digest"].startswith(
        "sha-224=:CAj2TmDViXn8tnbJbsk4Jw3qQkRa7vzTpOb42w==:,sha-256=:LCa0a2j/xo/5m0U8HTBBNBNCLXBkg7+g+YpeiGJm564=:,"
    )


@pytest.mark.parametrize("length", ["", "-1", "+1", "1.0", "٣", "9" * 19])
def test_a_length_is_a_number(length: str) -> None:
    with pytest.raises(Malformed):
        parse_headers({"content-length": length, "content-type": "text/plain"})


def test_static_tokens_are_read_strictly() -> None:
    assert static_tokens("a alice\n\n# none\nb bob # b\n") == {"a": "alice", "b": "bob"}
    for text in ("a", "a b c", "a alice\na bob"):
        with pytest.raises(Malformed):
            static_tokens(text)


def test_a_drawbridge_that_nobody_could_publish_to_is_refused(tmp_path: Path) -> None:
    for given_ in ({}, {"oidc_issuer": "https://i.test/"}, {"oidc_audience": "x"}):
        with pytest.raises(Misused):
            Settings(store=tmp_path, **given_)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def checker(provider: Any, clock: Clock) -> Provider:
    return Provider(provider.issuer, "https://drawbridge.test/", httpx.Client(trust_env=False), clock)


def test_keys_are_fetched_when_needed_and_again_for_a_key_that_is_new(
    provider: Any, checker: Provider, clock: Clock
) -> None:
    from joserfc import jwk

    provider.asked.clear()
    assert checker.bearer(provider.token()).subject == "test|subject"
    checker.bearer(provider.token())
    assert provider.asked == ["/.well-known/openid-configuration", "/keys"]
    provider.keys["new"] = jwk.RSAKey.generate_key(2048, {"kid": "new", "use": "sig"})
    with pytest.raises(Unauthentic):  # strangers' key identifiers do not make us ask at once
        checker.bearer(provider.token(kid="new"))
    assert len(provider.asked) == 2
    clock.now += RETRY_SECONDS + 1
    assert checker.bearer(provider.token(kid="new")).subject == "test|subject"
    old = provider.keys.pop("new")
    clock.now += REFRESH_SECONDS + 1
    with pytest.raises(Unauthentic):  # a key that the provider has withdrawn
        checker.bearer(provider.token(kid="new", key=old))


def test_a_provider_that_is_down_is_not_a_no(clock: Clock, provider: Any) -> None:
    away = Provider("http://127.0.0.1:1/", "https://drawbridge.test/", httpx.Client(trust_env=False), clock)
    with pytest.raises(Undetermined) as refused:
        away.bearer(provider.token())
    assert refused.value.reason == Reason.UNREACHABLE


def test_the_keys_that_we_have_stay_good_while_a_provider_is_down(
    provider: Any, checker: Provider, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    checker.bearer(provider.token())
    monkeypatch.setattr(provider, "answer", lambda _: b"")
    clock.now += REFRESH_SECONDS + 1
    assert checker.bearer(provider.token()).subject == "test|subject"


@pytest.mark.parametrize(
    "token",
    ["", "a", "a.b.c", "a.b", "é.é.é", "eyJhbGciOiJub25lIiwia2lkIjoib25lIn0.e30.", "x" * 20_000, "....", "e30.e30.e30"],
)
def test_nonsense_is_no_token(checker: Provider, token: str) -> None:
    with pytest.raises(EnarxError) as refused:
        checker.bearer(token)
    assert refused.value.reason == Reason.UNAUTHENTICATED


def test_a_token_of_another_algorithm_is_refused(provider: Any, checker: Provider) -> None:
    """The public key as the secret of an HMAC: the oldest trick."""
    secret = provider.keys["one"].as_pem(private=False)
    claims = {
        "iss": provider.issuer,
        "aud": "https://drawbridge.test/",
        "sub": "x",
        "scope": "",
        "iat": 1,
        "exp": 1 << 33,
    }
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256", "kid": "one"}, claims)]
    signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    mac = base64.urlsafe_b64encode(hmac.digest(secret, signed, "sha256")).rstrip(b"=")
    with pytest.raises(Unauthentic):
        checker.bearer(f"{signed.decode()}.{mac.decode()}")


def test_an_issuer_in_the_clear_is_refused(clock: Clock) -> None:
    with pytest.raises(Misused):
        Provider("http://provider.test/", "x", httpx.Client(), clock)
