# SPDX-License-Identifier: Apache-2.0
"""Users at the command line: logging in at a provider, and being somebody in a Drawbridge."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

HELPER = """#!/bin/sh
# a credential helper as upstream's: HELPER insert|show|erase ID
file="$(dirname "$0")/kept-$2"
case "$1" in
  insert) cat > "$file" ;;
  show) cat "$file" 2>/dev/null; exit 0 ;;
  erase) rm -f "$file" ;;
esac
"""


class Login:
    """A provider with a device flow and client credentials."""

    def __init__(self) -> None:
        login = self
        self.forms: list[dict[str, str]] = []
        self.answers: list[tuple[int, dict[str, Any]]] = []
        self.discovery = True

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/.well-known/openid-configuration" and login.discovery:
                    self.answer(
                        200,
                        {
                            "token_endpoint": f"{login.url}token",
                            "device_authorization_endpoint": f"{login.url}device",
                            "userinfo_endpoint": f"{login.url}me",
                        },
                    )
                elif self.path in {"/me", "/userinfo"} and self.headers["authorization"] == "Bearer opaque":
                    self.answer(200, {"sub": "test|opaque"})
                else:
                    self.answer(401 if self.path == "/userinfo" else 404, {})

            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
                login.forms.append({"path": self.path, **{name: values[0] for name, values in form.items()}})
                self.answer(*login.answers.pop(0))

            def answer(self, status: int, table: dict[str, Any]) -> None:
                body = json.dumps(table).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"
        self.url = f"http://{self.host}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def login() -> Iterator[Login]:
    running = Login()
    yield running
    running.server.shutdown()
    running.server.server_close()


@pytest.fixture
def helper(tmp_path: Path) -> Path:
    program = tmp_path / "helper"
    program.write_text(HELPER)
    program.chmod(0o755)
    return program


PENDING = {
    "device_code": "dc",
    "user_code": "ABCD-EFGH",
    "verification_uri": "https://provider.test/go",
    "interval": 0,
    "expires_in": 60,
}


@pytest.mark.parametrize(
    ("discovery", "paths"), [(True, ("/device", "/token")), (False, ("/oauth/device/code", "/oauth/token"))]
)
def test_a_person_logs_in_and_the_token_is_kept(
    enarx: Any, login: Login, helper: Path, discovery: bool, paths: tuple[str, str]
) -> None:
    login.discovery = discovery
    login.answers = [
        (200, PENDING),
        (400, {"error": "authorization_pending"}),
        (200, {"access_token": "opaque", "token_type": "Bearer"}),
    ]
    said = enarx(
        "user", "login", "--oidc-domain", login.url, "--store-host", "store.test", ENARX_CREDENTIAL_HELPER=str(helper)
    )
    assert (said.code, said.out) == (0, "Login successful.\n")
    assert "https://provider.test/go" in said.err
    assert "ABCD-EFGH" in said.err
    assert [form["path"] for form in login.forms] == [paths[0], paths[1], paths[1]]
    assert (login.forms[0]["audience"], login.forms[1]["device_code"]) == ("https://store.test/", "dc")
    kept = helper.parent / f"kept-{login.host}-store.test"
    assert kept.read_text() == "opaque"
    options = ("--oidc-domain", login.url, "--store-host", "store.test", "--credential-helper", helper)
    assert enarx("user", "logout", *options).code == 0
    assert not kept.exists()


def test_a_program_logs_in_with_its_secret(enarx: Any, login: Login, helper: Path) -> None:
    login.answers = [(200, {"access_token": "machine"})]
    options = (
        "user", "login", "--oidc-domain", login.url, "--oidc-flow", "client", "--oidc-client-id", "me",
        "--credential-helper", helper, "--json",
    )  # fmt: skip
    assert enarx(*options).code == 2
    said = enarx(*options, ENARX_OIDC_CLIENT_SECRET="hush")
    assert (said.code, json.loads(said.out)) == (0, {"credential": f"{login.host}-store.profian.com"})
    assert (login.forms[0]["grant_type"], login.forms[0]["client_secret"]) == ("client_credentials", "hush")


@pytest.mark.parametrize(
    ("answers", "code", "err"),
    [
        ([(200, PENDING), (403, {"error": "access_denied"})], 1, "enarx: unauthenticated: login: access_denied\n"),
        (
            [(200, PENDING), (400, {"error": "expired_token"})],
            1,
            "enarx: expired: login: nobody confirmed it in time\n",
        ),
        ([(200, {"device_code": 3})], 3, "enarx: unexpected-answer: OpenID Connect answer: device_code\n"),
        ([(500, {})], 3, "enarx: unexpected-answer: "),
    ],
)
def test_a_login_that_fails_keeps_nothing(
    enarx: Any, login: Login, helper: Path, answers: list[tuple[int, dict[str, Any]]], code: int, err: str
) -> None:
    login.answers = answers
    said = enarx("user", "login", "--oidc-domain", login.url, "--credential-helper", helper)
    assert (said.code, said.out) == (code, "")
    assert err in said.err
    assert list(helper.parent.glob("kept-*")) == []


def test_a_user_is_registered_with_the_subject_of_the_token(
    enarx: Any, store: Any, provider: Any, helper: Path
) -> None:
    token = provider.token(aud="https://drawbridge.test/")
    (helper.parent / f"kept-{provider.issuer.split('/')[2]}-{store.host}").write_text(token)
    options = ("--oidc-domain", provider.issuer, "--credential-helper", helper, "--ca-bundle", store.ca)
    said = enarx("user", "register", store.user, *options, "--json")
    assert (said.code, json.loads(said.out)) == (0, {"subject": "test|subject"})
    assert enarx("user", "info", store.user, *options).out == '{"subject":"test|subject"}\n'


def test_an_opaque_token_is_explained_by_the_provider(enarx: Any, store: Any, login: Login) -> None:
    said = enarx(
        "user", "register", store.user, "--oidc-domain", login.url, "--insecure-auth-token", "opaque",
        "--ca-bundle", store.ca,
    )  # fmt: skip
    assert (said.code, said.err) == (1, f"enarx: unauthenticated: {store.host}: Invalid token provided\n")
    login.discovery = False
    said = enarx(
        "user", "register", store.user, "--oidc-domain", login.url, "--insecure-auth-token", "bad",
        "--ca-bundle", store.ca,
    )  # fmt: skip
    assert (said.code, said.err) == (1, f"enarx: unauthenticated: {login.host}: status code 401\n")


def test_who_is_not_logged_in_is_told_how(enarx: Any, store: Any, helper: Path) -> None:
    said = enarx("user", "register", store.user, "--credential-helper", helper)
    assert (said.code, said.err) == (
        2,
        f"enarx: unauthenticated: not logged in\nhint: enarx user login --store-host {store.host}\n",
    )


def test_a_token_that_says_no_subject_needs_one_typed(enarx: Any, store: Any) -> None:
    said = enarx("user", "register", store.user, **store.environment)
    assert (said.code, said.err.splitlines()) == (
        2,
        [
            "enarx: missing: the token does not say its subject",
            "hint: --subject NAME, or --oidc-domain URL",
        ],
    )


def test_a_name_is_taken_once(enarx: Any, store: Any) -> None:
    assert enarx("user", "register", store.user, "--subject", "alice", **store.environment).code == 0
    said = enarx("user", "register", store.user, "--subject", "alice", **store.environment)
    assert (said.code, said.err) == (1, f"enarx: already-exists: {store.host}: Already exists\n")
