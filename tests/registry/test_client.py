# SPDX-License-Identifier: Apache-2.0
"""Publishing to and fetching from a real Drawbridge: what was published comes back, or nothing does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from enarx.codec.digest import sha256
from enarx.codec.x509 import from_pem
from enarx.errors import Misused, Reason, Unacceptable, Unauthentic, Undetermined
from enarx.registry.client import Drawbridge, connect
from enarx.registry.connection import Identity, client_context
from enarx.workload.package import Package, build

Running = Any
"""The process of conftest."""
KeepIdentity = Callable[..., Identity]


@pytest.fixture
def ca(cas: Any) -> bytes:
    return bytes(cas.tls.cert_pem.bytes())


@pytest.fixture
def package() -> Package:
    return build(
        {"main.wasm": b"\0asm\1\0\0\0", "script.py": b"print(1)\n" * 9, "data/a": bytes(2_000_000), "data/b": b""}
    )


@pytest.fixture
def alice(ca: bytes) -> Iterator[Drawbridge]:
    with connect(ca=ca, token="alice-token") as client:
        yield client


@pytest.fixture
def published(drawbridge: Running, alice: Drawbridge, package: Package, fresh_name: Callable[[], str]) -> str:
    user = fresh_name()
    alice.create_user(f"{drawbridge.base}/{user}", "alice")
    alice.create_repository(f"{drawbridge.base}/{user}/app", public=False)
    url = f"{drawbridge.base}/{user}/app/_tag/1.0.0"
    alice.publish(url, package)
    return url


def test_a_published_package_comes_back(published: str, alice: Drawbridge, package: Package) -> None:
    assert alice.fetch(published, package.digest) == package
    assert alice.fetch(published, None) == package
    assert alice.tag(published).entry == package.entry


def test_a_keep_fetches_the_package_that_its_certificate_names(
    published: str, package: Package, ca: bytes, keep_identity: KeepIdentity
) -> None:
    with connect(ca=ca, identity=keep_identity(package.digest)) as keep:
        assert keep.fetch(published, package.digest) == package


def test_a_keep_of_another_package_gets_nothing(
    published: str, package: Package, ca: bytes, keep_identity: KeepIdentity
) -> None:
    with connect(ca=ca, identity=keep_identity(sha256(b"other"))) as keep, pytest.raises(Unacceptable) as refused:
        keep.fetch(published, package.digest)
    assert refused.value.reason == Reason.FORBIDDEN


def test_without_certificate_and_token_there_is_nothing(published: str, package: Package, ca: bytes) -> None:
    with connect(ca=ca) as anyone, pytest.raises(Unacceptable) as refused:
        anyone.fetch(published, package.digest)
    assert refused.value.reason == Reason.UNAUTHENTICATED


def test_a_certificate_of_another_ca_ends_the_handshake(
    published: str, package: Package, ca: bytes, cas: Any, keep_identity: KeepIdentity
) -> None:
    with (
        connect(ca=ca, identity=keep_identity(package.digest, ca=cas.stranger)) as keep,
        pytest.raises((Unauthentic, Undetermined)),
    ):
        keep.fetch(published, package.digest)


@pytest.mark.parametrize("path", ["main.wasm", "script.py", "data", "data/a", "Enarx.toml"])
def test_one_byte_changed_in_the_store_is_refused_by_the_name_of_the_node(
    drawbridge: Running, published: str, alice: Drawbridge, package: Package, path: str
) -> None:
    digest = sha256(package.nodes[path]).hex()
    blob = drawbridge.store / "blobs" / digest[:2] / digest[2:]
    genuine = blob.read_bytes()
    raw = bytearray(genuine)
    raw[len(raw) // 2] ^= 1
    blob.write_bytes(raw)
    try:
        with pytest.raises(Unauthentic) as refused:
            alice.fetch(published, package.digest)
    finally:
        blob.write_bytes(genuine)
    assert refused.value.reason == Reason.DIGEST_MISMATCH
    assert refused.value.subject.startswith(f"node {path}: ")
    assert alice.fetch(published, package.digest) == package


@pytest.mark.parametrize("path", ["script.py", "data/a"])
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda raw: b"", Reason.TRUNCATED),
        (lambda raw: raw[:-1], Reason.TRUNCATED),
        (lambda raw: raw + b"#", Reason.TOO_LARGE),
        (lambda raw: None, Reason.NODE_MISSING),
    ],
)
def test_a_blob_cut_grown_or_gone_is_refused_by_the_name_of_the_node(
    drawbridge: Running,
    published: str,
    alice: Drawbridge,
    package: Package,
    path: str,
    change: Callable[[bytes], bytes | None],
    reason: Reason,
) -> None:
    digest = sha256(package.nodes[path]).hex()
    blob = drawbridge.store / "blobs" / digest[:2] / digest[2:]
    genuine = blob.read_bytes()
    changed = change(genuine)
    if changed is None:
        blob.unlink()
    else:
        blob.write_bytes(changed)
    try:
        with pytest.raises(Unauthentic) as refused:
            alice.fetch(published, package.digest)
    finally:
        blob.write_bytes(genuine)
    assert (refused.value.reason, refused.value.subject.partition(":")[0]) == (reason, f"node {path}")


def test_a_tag_is_not_overwritten(published: str, alice: Drawbridge, package: Package) -> None:
    alice.publish(published, package)  # the same again changes nothing
    with pytest.raises(Unacceptable) as refused:
        alice.publish(published, build({"main.wasm": b"other"}))
    assert refused.value.reason == Reason.ALREADY_EXISTS
    assert alice.fetch(published, None) == package


@pytest.mark.parametrize("stopped_at", [0, 1, 3, 5])
@pytest.mark.parametrize("same", [True, False])
def test_an_upload_that_failed_can_be_repeated(
    published: str,
    alice: Drawbridge,
    package: Package,
    monkeypatch: pytest.MonkeyPatch,
    stopped_at: int,
    same: bool,
) -> None:
    url = published.replace("1.0.0", "1.0.1")
    uploaded = iter(range(stopped_at))
    genuine = Drawbridge._put_once

    def broken(self: Drawbridge, *arguments: object) -> None:
        if next(uploaded, None) is None:
            raise Undetermined(Reason.UNREACHABLE, "cut")
        genuine(self, *arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(Drawbridge, "_put_once", broken)
        with pytest.raises(Undetermined, match="cut"):
            alice.publish(url, package)
    again = package if same else build({"main.wasm": b"corrected"})
    alice.publish(url, again)
    assert alice.fetch(url, again.digest) == again


def test_a_fetch_of_something_that_is_not_there_says_so(published: str, alice: Drawbridge) -> None:
    with pytest.raises(Unacceptable) as refused:
        alice.fetch(published.replace("1.0.0", "9.9.9"), bytes(32))
    assert refused.value.reason == Reason.NOT_FOUND


def test_the_expected_package_counts_and_not_the_tag(published: str, alice: Drawbridge) -> None:
    with pytest.raises(Unauthentic) as refused:
        alice.fetch(published, sha256(b"another package"))
    assert refused.value.reason == Reason.DIGEST_MISMATCH


def test_a_service_of_another_ca_is_not_believed(published: str, package: Package, cas: Any) -> None:
    with connect(ca=cas.stranger.cert_pem.bytes()) as client, pytest.raises(Unauthentic) as refused:
        client.fetch(published, package.digest)
    assert refused.value.reason == Reason.UNKNOWN_ANCHOR


def test_a_pinned_key_chooses_among_cas_that_the_host_supplied(
    published: str, package: Package, ca: bytes, cas: Any
) -> None:
    (authority,) = from_pem(ca, "ca")
    bundle = cas.stranger.cert_pem.bytes() + ca
    with connect(ca=bundle, ca_spki=sha256(authority.spki), token="alice-token") as client:
        assert client.fetch(published, package.digest) == package
    with pytest.raises(Unauthentic):
        client_context(ca=cas.stranger.cert_pem.bytes(), ca_spki=sha256(authority.spki))


def test_a_key_that_does_not_fit_its_certificate_is_refused(keep_identity: KeepIdentity) -> None:
    one, other = keep_identity(bytes(32)), keep_identity(bytes(32))
    with pytest.raises(Misused):
        client_context(identity=Identity(one.key, other.chain))


def test_nobody_there_is_undetermined(ca: bytes) -> None:
    with connect(ca=ca) as client, pytest.raises(Undetermined) as refused:
        client.fetch("https://127.0.0.1:1/api/v0.1.0/a/b/_tag/1.0.0", bytes(32))
    assert refused.value.reason == Reason.UNREACHABLE
    with connect(ca=ca) as client, pytest.raises(Undetermined) as refused:
        client.fetch("https://nowhere.invalid/api/v0.1.0/a/b/_tag/1.0.0", bytes(32))
    assert refused.value.reason == Reason.NAME_NOT_RESOLVED


class Strange:
    """A service that answers as it likes."""

    def __init__(self, folder: Path, certificate: trustme.LeafCert) -> None:
        import ssl

        strange = self
        self.status, self.body, self.type = 200, b"", "application/json"

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(strange.status)
                self.send_header("Content-Length", str(strange.length or len(strange.body)))
                self.send_header("Content-Type", strange.type)
                self.end_headers()
                self.wfile.write(strange.body)
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        (folder / "c.pem").write_bytes(certificate.private_key_and_cert_chain_pem.bytes())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "c.pem")
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.server.server_port}/api/v0.1.0/a/b/_tag/1.0.0"
        self.length: int | None = None
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def strange(tmp_path: Path, cas: Any) -> Iterator[Strange]:
    running = Strange(tmp_path, cas.server)
    yield running
    running.server.shutdown()
    running.server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (500, b"<html>", "undetermined: unexpected-answer"),
        (302, b"", "undetermined: unexpected-answer"),
        (418, b'{"reason":"nonsense"}', "undetermined: unexpected-answer"),
        (404, b'{"detail":"\\u001b[31mred\\nline"}', "unacceptable: not-found"),
        (401, b"\xff", "unacceptable: unauthenticated"),
        (200, b"not a directory", "unauthentic: digest-mismatch"),
    ],
)
def test_nonsense_has_a_name(strange: Strange, status: int, body: bytes, expected: str, ca: bytes) -> None:
    strange.status, strange.body = status, body
    with connect(ca=ca) as client, pytest.raises((Undetermined, Unacceptable, Unauthentic)) as refused:
        client.fetch(strange.url, bytes(32))
    assert expected == f"{refused.value.family}: {refused.value.reason}"
    assert str(refused.value).isprintable()


def test_an_answer_that_breaks_off_is_undetermined(strange: Strange, ca: bytes) -> None:
    strange.body, strange.length = b"half", 4000
    with connect(ca=ca) as client, pytest.raises(Undetermined) as refused:
        client.fetch(strange.url, bytes(32))
    assert refused.value.reason == Reason.UNEXPECTED_ANSWER


def test_no_more_is_read_than_a_directory_may_have(strange: Strange, ca: bytes) -> None:
    strange.body = bytes(3_000_000)
    with connect(ca=ca) as client, pytest.raises(Exception, match="too-large"):
        client.fetch(strange.url, bytes(32))


def test_a_module_under_a_tag_is_the_package_it_stands_for(strange: Strange, ca: bytes) -> None:
    from enarx.workload.package import bare

    module = b"\0asm\1\0\0\0"
    strange.body, strange.type = module, "application/wasm"
    with connect(ca=ca) as client:
        assert client.fetch(strange.url, bare(module).digest) == bare(module)
        with pytest.raises(Unauthentic):
            client.fetch(strange.url, bytes(32))
