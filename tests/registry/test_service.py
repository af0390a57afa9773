# SPDX-License-Identifier: Apache-2.0
"""The Drawbridge over HTTP, as upstream's own scenario has it, and where we refuse what it allowed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from enarx.codec.digest import sha256
from enarx.registry.meta import headers
from enarx.workload.tree import DIRECTORY, ENTRY, Entry, encode_directory, weigh

Running = Any
"""The process of conftest."""
EMPTY = encode_directory({})

# Upstream's tree: eleven nodes, the root included.
FILES = {
    "test-file": b"text",
    "test-file.txt": b"text",
    "test-file.json": b"{}",
    "tEst-file..__.foo.42.": b"\0\1\2",
    "test-dir-1/test-file": b"inner",
    "test-dir-1/test-subdir-2/test-file": b"innermost",
}


def _octets(raw: bytes) -> Entry:
    return weigh(raw, "application/octet-stream")


SUBDIR_2 = encode_directory({"test-file": _octets(FILES["test-dir-1/test-subdir-2/test-file"])})
DIR_1 = encode_directory(
    {
        "test-file": _octets(FILES["test-dir-1/test-file"]),
        "test-subdir-1": weigh(EMPTY, DIRECTORY),
        "test-subdir-2": weigh(SUBDIR_2, DIRECTORY),
    }
)
ROOT = encode_directory(
    {
        **{name: _octets(raw) for name, raw in FILES.items() if "/" not in name},
        "test-dir-1": weigh(DIR_1, DIRECTORY),
        "empty": _octets(b""),
    }
)
DIRECTORIES = {"": ROOT, "test-dir-1": DIR_1, "test-dir-1/test-subdir-1": EMPTY, "test-dir-1/test-subdir-2": SUBDIR_2}
NODES = {**DIRECTORIES, **FILES, "empty": b""}
PACKAGE = sha256(ROOT)


def put(http: httpx.Client, path: str, raw: bytes, kind: str, **changed: str) -> httpx.Response:
    said = {**headers(weigh(raw, kind)), **changed}
    return http.put(path, content=raw, headers={name: value for name, value in said.items() if value})


def put_node(http: httpx.Client, tag: str, path: str) -> httpx.Response:
    kind = DIRECTORY if path in DIRECTORIES else "application/octet-stream"
    return put(http, f"{tag}/tree/{path}" if path else f"{tag}/tree", NODES[path], kind)


@pytest.fixture
def alice(drawbridge: Running) -> Iterator[httpx.Client]:
    with drawbridge.http(token="alice-token") as http:
        yield http


@pytest.fixture
def user(alice: httpx.Client, fresh_name: Callable[[], str]) -> str:
    name = fresh_name()
    assert put(alice, name, b'{"subject":"alice"}', "application/json").status_code == 201
    return name


@pytest.fixture(params=["private", "public"])
def tag(request: pytest.FixtureRequest, alice: httpx.Client, user: str) -> str:
    repository = f"{user}/{request.param}"
    record = json.dumps({"public": request.param == "public"}).encode()
    assert put(alice, repository, record, "application/json").status_code == 201
    path = f"{repository}/_tag/0.1.0"
    assert put(alice, path, weigh(ROOT, DIRECTORY).encoded(), ENTRY).status_code == 201
    for node in NODES:
        assert put_node(alice, path, node).status_code == 201, node
    return path


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("who", ["anyone", "owner", "keep", "other keep", "other user"])
def test_who_may_read_what(drawbridge: Running, tag: str, keep_identity: Any, who: str, method: str) -> None:
    options: dict[str, Any] = {
        "anyone": {},
        "owner": {"token": "alice-token"},
        "other user": {"token": "bob-token"},
        "keep": {"identity": keep_identity(PACKAGE)},
        "other keep": {"identity": keep_identity(sha256(b"other"))},
    }[who]
    public = "/public/" in tag
    refused = 403 if who == "other keep" else 401
    with drawbridge.http(**options) as http:
        for path, raw in NODES.items():
            answer = http.request(method, f"{tag}/tree/{path}" if path else f"{tag}/tree")
            if public or who in {"owner", "keep"}:
                entry = weigh(raw, DIRECTORY if path in DIRECTORIES else "application/octet-stream")
                assert (answer.status_code, answer.content) == (200, raw if method == "GET" else b"")
                assert {name: answer.headers[name] for name in headers(entry)} == headers(entry)
            else:
                assert (answer.status_code, answer.headers["content-type"]) == (refused, "application/problem+json")
        # A Keep's certificate opens the tree of its package: no tag, no list, no other record.
        for path in (tag, tag.rpartition("/")[0]):
            expected = 200 if public or who == "owner" else 401
            assert http.request(method, path).status_code == expected
        for path in (tag.partition("/_tag")[0], tag.partition("/")[0]):
            assert http.request(method, path).status_code == (200 if who == "owner" else 401)


@pytest.mark.parametrize(
    "uris",
    [
        (),
        ("https://example.test/keep",),
        ("spiffe://test/other/x",),
        ("spiffe://test/keep/" + PACKAGE.hex(),),
        (f"spiffe://test/keep/{PACKAGE.hex()}/{bytes(32).hex()}", "spiffe://test/more"),
        (f"spiffe://test/keep/{PACKAGE.hex().upper()}/{bytes(32).hex()}",),
    ],
)
@pytest.mark.parametrize("tag", ["private"], indirect=True)
def test_a_certificate_that_does_not_name_the_package_reads_nothing(
    drawbridge: Running, tag: str, keep_identity: Any, uris: tuple[str, ...]
) -> None:
    with drawbridge.http(identity=keep_identity(PACKAGE, uris=uris)) as http:
        answer = http.get(f"{tag}/tree")
    assert (answer.status_code, answer.json()["reason"]) == (403, "forbidden")


def test_upstreams_rule_for_certificates_has_to_be_asked_for(start_drawbridge: Any, keep_identity: Any) -> None:
    running = start_drawbridge("--unsafe-any-client-certificate")
    with running.http(token="alice-token") as http:
        put(http, "alice", b'{"subject":"alice"}', "application/json")
        put(http, "alice/prv", b'{"public":false}', "application/json")
        put(http, "alice/prv/_tag/1.0.0", weigh(ROOT, DIRECTORY).encoded(), ENTRY)
        put_node(http, "alice/prv/_tag/1.0.0", "")
    with running.http(identity=keep_identity(sha256(b"other"), uris=())) as http:
        assert http.get("alice/prv/_tag/1.0.0/tree").content == ROOT
        assert http.get("alice/prv/_tag/1.0.0").status_code == 401
    with running.http() as http:
        assert http.get("alice/prv/_tag/1.0.0/tree").status_code == 401


@pytest.mark.parametrize(
    ("changed", "detail"),
    [
        ({"exp": 1}, "Invalid token provided"),
        ({"exp": None}, "Invalid token provided"),
        ({"iat": None}, "Invalid token provided"),
        ({"aud": "https://other.test/"}, "Invalid token provided"),
        ({"aud": None}, "Invalid token provided"),
        ({"iss": "https://other.test/"}, "Invalid token provided"),
        ({"sub": None}, "Invalid token provided"),
        ({"sub": ""}, "Invalid token provided"),
        ({"scope": None}, "Invalid token provided"),
        ({"scope": ["manage:drawbridge_users"]}, "Invalid token provided"),
        ({"header": {"kid": None}}, "Invalid token provided"),
        ({"scope": "openid"}, "Token is missing a scope for level Write, context drawbridge_users"),
        (
            {"scope": "read:drawbridge_users manage:drawbridge_tags"},
            "Token is missing a scope for level Write, context drawbridge_users",
        ),
        ({"sub": "test|other"}, "Subject mismatch"),
    ],
)
def test_a_token_with_one_thing_wrong_creates_no_user(
    drawbridge: Running, provider: Any, fresh_name: Any, changed: dict[str, Any], detail: str
) -> None:
    record = b'{"subject":"test|subject"}'
    token = provider.token(header={"kid": ""}) if "header" in changed else provider.token(**changed)
    with drawbridge.http(token=token) as http:
        answer = put(http, fresh_name(), record, "application/json")
    assert (answer.status_code, answer.json()["detail"]) == (401, detail)


def test_a_token_signed_by_another_key_creates_no_user(drawbridge: Running, provider: Any, fresh_name: Any) -> None:
    from joserfc import jwk

    forged = provider.token(key=jwk.RSAKey.generate_key(2048))
    with drawbridge.http(token=forged) as http:
        answer = put(http, fresh_name(), b'{"subject":"test|subject"}', "application/json")
    assert (answer.status_code, answer.json()["detail"]) == (401, "Invalid token provided")


def test_a_good_token_creates_a_user_and_reads_it_back(drawbridge: Running, provider: Any, fresh_name: Any) -> None:
    name = fresh_name()
    with drawbridge.http(token=provider.token(scope="write:drawbridge_users")) as http:
        assert put(http, name, b'{"subject":"test|subject"}', "application/json").status_code == 201
        assert http.get(name).status_code == 401
    with drawbridge.http(token=provider.token(scope="read:drawbridge_users")) as http:
        assert http.get(name).json() == {"subject": "test|subject"}


def test_a_provider_may_rotate_its_keys(start_drawbridge: Any, provider: Any) -> None:
    """Ten seconds must pass between two looks; so the Drawbridge is one that has not looked yet."""
    from joserfc import jwk

    provider.keys["two"] = jwk.ECKey.generate_key("P-256", {"kid": "two", "use": "sig"})
    running = start_drawbridge("--oidc-issuer", provider.issuer, "--oidc-audience", "https://drawbridge.test/")
    with running.http(token=provider.token(kid="two")) as http:
        assert put(http, "carol", b'{"subject":"test|subject"}', "application/json").status_code == 201
    with running.http(token=provider.token(kid="one")) as http:
        assert http.get("carol").status_code == 200


@pytest.mark.parametrize(("trusted", "status"), [(True, 201), (False, 503)])
def test_a_provider_with_a_ca_of_its_own(
    start_drawbridge: Any, secure_provider: Any, trusted: bool, status: int
) -> None:
    provider, ca = secure_provider
    options = ("--oidc-ca", str(ca)) if trusted else ()
    running = start_drawbridge(
        "--oidc-issuer", provider.issuer, "--oidc-audience", "https://drawbridge.test/", *options
    )
    with running.http(token=provider.token()) as http:
        answer = put(http, "carol", b'{"subject":"test|subject"}', "application/json")
    assert answer.status_code == status


PARTS = st.sampled_from(
    ["alice", "app", "_tag", "1.0.0", "tree", "main.wasm", "..", ".", "%2e%2e", "%00", "%ff", "a b", "é", "", "x" * 300]
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "content-type": st.sampled_from([ENTRY, DIRECTORY, "application/json", "application/jose+json", "", "\u00ff"]),
        "content-digest": st.sampled_from(["", "sha-256=:AAAA:", ":", "sha-256=:" + "A" * 43 + "=:", "x" * 5000]),
        "authorization": st.sampled_from(["Bearer alice-token", "Bearer", "Bearer a.b.c", "Basic eDp5", "\u00ff"]),
        "range": st.just("bytes=0-1"),
        "expect": st.just("100-continue"),
    },
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["GET", "HEAD", "PUT", "DELETE", "POST", "OPTIONS"]),
    st.lists(PARTS, max_size=8),
    HEADERS,
    st.binary(max_size=50) | st.sampled_from([b"{}", b'{"subject":"alice"}', b'{"public":true}', EMPTY]),
)
def test_no_request_is_our_fault(
    drawbridge: Running, method: str, parts: list[str], given_headers: dict[str, str], body: bytes
) -> None:
    with drawbridge.http() as http:
        url = "/".join((http.base_url.raw_path.decode().rstrip("/"), *parts))
        said = [(name.encode(), value.encode("latin-1")) for name, value in given_headers.items()]
        answer = http.request(method, f"https://{drawbridge.host}{url}", headers=said, content=body)
    assert answer.status_code < 500


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("nobody", 401, "User `nobody` not found"),
        ("nobody/nothing/_tag", 404, "Repository does not exist"),
        ("nobody/nothing/_tag/1.0.0", 404, "Repository does not exist"),
        ("nobody/nothing/_tag/1.0.0/tree", 404, "Repository does not exist"),
        ("no-body", 400, "user name 'no-body'"),
        ("nobody/no_thing/_tag", 400, "repository name 'no_thing'"),
        ("nobody/nothing/_tag/v1", 400, "tag name 'v1'"),
    ],
)
def test_what_is_not_there(alice: httpx.Client, path: str, status: int, detail: str) -> None:
    answer = alice.get(path)
    assert (answer.status_code, answer.json()["detail"]) == (status, detail)


@pytest.mark.parametrize(
    ("version", "status"),
    [("v0.1.0", 401), ("v0.4.9", 401), ("v0.5.0", 501), ("v1.0.0", 501), ("0.1.0", 400), ("vx", 400), ("v0.1", 400)],
)
def test_the_version_of_the_interface(drawbridge: Running, version: str, status: int) -> None:
    with drawbridge.http() as http:
        assert http.get(f"https://{drawbridge.host}/api/{version}/alice").status_code == status


def test_signs_of_life(drawbridge: Running) -> None:
    with drawbridge.http() as http:
        for path in ("health", "healthz", "readyz"):
            assert http.get(f"https://{drawbridge.host}/{path}").status_code == 200


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_other_methods_are_refused(alice: httpx.Client, method: str) -> None:
    assert alice.request(method, "alice").status_code == 405
    assert alice.request(method, "alice/repo").status_code == 405
    assert alice.request(method, "alice/repo/_tag/1.0.0/tree").status_code == 405


def test_what_exists_is_not_overwritten(alice: httpx.Client, user: str, tag: str) -> None:
    assert put(alice, user, b'{"subject":"alice"}', "application/json").status_code == 409
    repository = tag.partition("/_tag")[0]
    assert put(alice, repository, b'{"public":true}', "application/json").status_code == 409
    assert put(alice, tag, weigh(ROOT, DIRECTORY).encoded(), ENTRY).status_code == 409
    answer = put_node(alice, tag, "test-file")
    assert (answer.status_code, answer.json()["detail"]) == (409, "Already exists")


def test_nobody_writes_for_somebody_else(drawbridge: Running, user: str, tag: str) -> None:
    with drawbridge.http(token="bob-token") as bob:
        answers = [
            put(bob, user, b'{"subject":"alice"}', "application/json"),
            put(bob, f"{user}/more", b'{"public":true}', "application/json"),
            put(bob, tag.replace("0.1.0", "0.2.0"), weigh(ROOT, DIRECTORY).encoded(), ENTRY),
            put_node(bob, tag, "test-file"),
            bob.delete(tag),
        ]
    assert [answer.status_code for answer in answers] == [401] * 5
    assert answers[2].json()["detail"] == f"You are logged in as `bob`, and not authorized for user `{user}`"


@pytest.fixture
def empty(alice: httpx.Client, user: str) -> str:
    """A tag whose root is here, and nothing below it."""
    put(alice, f"{user}/app", b'{"public":false}', "application/json")
    path = f"{user}/app/_tag/1.0.0"
    put(alice, path, weigh(ROOT, DIRECTORY).encoded(), ENTRY)
    assert put_node(alice, path, "").status_code == 201
    return path


OCTETS = "application/octet-stream"


@pytest.mark.parametrize(
    ("raw", "kind", "changed", "status", "reason"),
    [
        (b"test", OCTETS, {}, 400, "digest-mismatch"),
        (b"texts", OCTETS, {}, 400, "wrong-length"),
        (b"text", "text/plain", {}, 415, "media-type"),
        (b"text", OCTETS, {"content-digest": ""}, 400, "missing"),
        (b"text", OCTETS, {"content-digest": "sha-256=:AAAA:"}, 400, "wrong-length"),
        (b"text", OCTETS, {"content-digest": "md5=:AAAA:"}, 400, "algorithm"),
        (b"text", OCTETS, {"content-digest": "sha-256"}, 400, "syntax"),
        (b"text", OCTETS, {"content-type": ""}, 400, "missing"),
    ],
)
def test_a_node_with_one_thing_wrong_leaves_nothing_behind(
    drawbridge: Running,
    alice: httpx.Client,
    empty: str,
    raw: bytes,
    kind: str,
    changed: dict[str, str],
    status: int,
    reason: str,
) -> None:
    answer = put(alice, f"{empty}/tree/test-file", raw, kind, **changed)
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)
    assert alice.get(f"{empty}/tree/test-file").status_code == 404
    assert list((drawbridge.store / "incoming").iterdir()) == []
    assert put_node(alice, empty, "test-file").status_code == 201


def test_a_body_that_is_not_what_its_true_headers_say_is_refused(alice: httpx.Client, empty: str) -> None:
    said = headers(weigh(b"text", OCTETS))
    answer = alice.put(f"{empty}/tree/test-file", content=b"tExt", headers=said)
    assert (answer.status_code, answer.json()["detail"]) == (400, "Content digest mismatch")


def test_an_upload_that_breaks_off_leaves_nothing_behind(drawbridge: Running, alice: httpx.Client, empty: str) -> None:
    def half() -> Iterator[bytes]:
        yield b"te"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        alice.put(f"{empty}/tree/test-file", content=half(), headers=headers(weigh(b"text", OCTETS)))
    assert put_node(alice, empty, "test-file").status_code == 201
    assert list((drawbridge.store / "incoming").iterdir()) == []


def test_a_node_whose_directory_is_not_here_is_refused(alice: httpx.Client, empty: str) -> None:
    assert put_node(alice, empty, "test-dir-1/test-file").status_code == 404
    assert put(alice, f"{empty}/tree/unnamed", b"text", OCTETS).status_code == 404


def test_a_directory_that_is_none_is_refused(alice: httpx.Client, user: str) -> None:
    put(alice, f"{user}/app", b'{"public":false}', "application/json")
    for number, (raw, reason) in enumerate(
        [(b"[]", "wrong-type"), (b'{"..":{}}', "syntax"), (b'{"a":{}}', "missing"), (b"{", "syntax")]
    ):
        tag = f"{user}/app/_tag/1.0.{number}"
        assert put(alice, tag, weigh(raw, DIRECTORY).encoded(), ENTRY).status_code == 201
        answer = put(alice, f"{tag}/tree", raw, DIRECTORY)
        assert (answer.status_code, answer.json()["reason"]) == (400, reason)
        assert alice.get(f"{tag}/tree").status_code == 404


def test_bytes_are_given_back_as_received_however_they_were_written(alice: httpx.Client, user: str) -> None:
    """Upstream parsed and wrote JSON anew before it checked digests, and refused every other spelling."""
    put(alice, f"{user}/app", b' {"public" : true}\n', "application/json")
    root = b'{ "b.txt": %s,\n  "a.txt": %s }' % (_octets(b"b").encoded(), _octets(b"a").encoded())
    tag = weigh(root, DIRECTORY).encoded().replace(b",", b" , ")
    path = f"{user}/app/_tag/1.0.0"
    assert put(alice, path, tag, ENTRY).status_code == 201
    assert put(alice, f"{path}/tree", root, DIRECTORY).status_code == 201
    assert (alice.get(path).content, alice.get(f"{path}/tree").content) == (tag, root)


@pytest.mark.parametrize(
    ("raw", "kind", "status"),
    [
        (b"{}", ENTRY, 400),
        (b"nonsense", ENTRY, 400),
        (weigh(ROOT, DIRECTORY).encoded(), "application/json", 415),
        (b"{}", "application/jose+json", 400),
        (b'{"payload":"!","signatures":[]}', "application/jose+json", 400),
        (b" " * 70_000, ENTRY, 413),
    ],
)
def test_a_tag_that_is_none_is_refused(alice: httpx.Client, user: str, raw: bytes, kind: str, status: int) -> None:
    put(alice, f"{user}/app", b'{"public":true}', "application/json")
    assert put(alice, f"{user}/app/_tag/1.0.0", raw, kind).status_code == status
    assert alice.get(f"{user}/app/_tag").json() == []


@pytest.mark.parametrize("raw", [b"{}", b'{"public":1}', b'{"public":true,"more":1}', b"[", b"\xff"])
def test_a_record_that_is_none_is_refused(alice: httpx.Client, user: str, raw: bytes) -> None:
    assert put(alice, f"{user}/app", raw, "application/json").status_code == 400
    assert alice.get(f"{user}/app").status_code == 404


def test_a_tag_is_yanked_and_its_version_stays_spent(
    drawbridge: Running, alice: httpx.Client, tag: str, keep_identity: Any
) -> None:
    assert alice.delete(tag, params={"unfinished": "true"}).status_code == 409
    assert alice.delete(tag).status_code == 204
    assert alice.get(tag).status_code == 404
    assert alice.get(f"{tag}/tree/test-file").status_code == 404
    assert alice.get(tag.rpartition("/")[0]).json() == []
    assert alice.delete(tag).status_code == 404
    assert put(alice, tag, weigh(ROOT, DIRECTORY).encoded(), ENTRY).status_code == 409
    with drawbridge.http(identity=keep_identity(PACKAGE)) as http:
        assert http.get(f"{tag}/tree").status_code in {403, 404}


def test_a_tag_that_never_became_whole_is_forgotten(alice: httpx.Client, empty: str) -> None:
    assert alice.get(empty.rpartition("/")[0]).json() == ["1.0.0"]
    assert alice.delete(empty, params={"unfinished": "true"}).status_code == 204
    assert put(alice, empty, weigh(EMPTY, DIRECTORY).encoded(), ENTRY).status_code == 201


def test_blobs_that_two_tags_share_outlive_one_of_them(alice: httpx.Client, tag: str) -> None:
    other = tag.replace("0.1.0", "0.2.0")
    put(alice, other, weigh(ROOT, DIRECTORY).encoded(), ENTRY)
    for node in NODES:
        put_node(alice, other, node)
    assert alice.delete(tag).status_code == 204
    assert alice.get(f"{other}/tree/test-file").content == b"text"


def test_a_quota_ends(start_drawbridge: Any) -> None:
    running = start_drawbridge("--quota", "1000000")
    big = bytes(600_000)
    root = encode_directory({"a": _octets(big), "b": _octets(big)})
    with running.http(token="alice-token") as http:
        for user in ("one", "two"):  # a second name of the same subject has no quota of its own
            put(http, user, b'{"subject":"alice"}', "application/json")
            put(http, f"{user}/app", b'{"public":false}', "application/json")
            put(http, f"{user}/app/_tag/1.0.0", weigh(root, DIRECTORY).encoded(), ENTRY)
            assert put(http, f"{user}/app/_tag/1.0.0/tree", root, DIRECTORY).status_code == 201
        assert put(http, "one/app/_tag/1.0.0/tree/a", big, OCTETS).status_code == 201
        for path in ("one/app/_tag/1.0.0/tree/b", "two/app/_tag/1.0.0/tree/a"):
            answer = put(http, path, big, OCTETS)
            assert (answer.status_code, answer.json()["detail"]) == (413, "quota: 1000000 bytes for each subject")


def test_what_was_published_survives_the_process(start_drawbridge: Any) -> None:
    first = start_drawbridge()
    with first.http(token="alice-token") as http:
        put(http, "alice", b'{"subject":"alice"}', "application/json")
        put(http, "alice/app", b'{"public":true}', "application/json")
        put(http, "alice/app/_tag/1.0.0", weigh(ROOT, DIRECTORY).encoded(), ENTRY)
        put_node(http, "alice/app/_tag/1.0.0", "")
    assert first.stop() == 0
    second = start_drawbridge("--store", str(first.store))
    with second.http() as http:
        assert http.get("alice/app/_tag/1.0.0/tree").content == ROOT


def test_a_port_in_use_is_said_in_one_line(drawbridge: Running) -> None:
    command = [
        sys.executable, "-c", "from enarx.cli.main import entry; entry()", "drawbridge", "serve",
        "--addr", drawbridge.host, "--store", str(drawbridge.folder / "other"),
        "--cert", str(drawbridge.folder / "cert.pem"), "--key", str(drawbridge.folder / "key.pem"),
        "--insecure-static-tokens", str(drawbridge.folder / "tokens"),
    ]  # fmt: skip
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith("enarx: port-in-use: 127.0.0.1 port ")


def test_nothing_confidential_is_logged(drawbridge: Running, alice: httpx.Client) -> None:
    alice.get("alice")
    assert b"alice-token" not in (drawbridge.folder / "log").read_bytes()


def test_a_browser_does_nothing_with_an_upload(alice: httpx.Client, empty: str) -> None:
    said = alice.get(f"{empty}/tree").headers
    assert (said["content-security-policy"], said["x-content-type-options"]) == (
        "default-src 'none'; sandbox",
        "nosniff",
    )


def test_a_certificate_that_ran_out_is_refused(
    drawbridge: Running, alice: httpx.Client, empty: str, keep_identity: Any
) -> None:
    past = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(httpx.TransportError), drawbridge.http(identity=keep_identity(PACKAGE, not_after=past)) as http:
        http.get(f"{empty}/tree")


def test_the_stores_folder_is_closed_to_others(drawbridge: Running) -> None:
    assert oct(Path(drawbridge.store).stat().st_mode & 0o777) == "0o700"
