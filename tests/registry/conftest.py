# SPDX-License-Identifier: Apache-2.0
"""A Drawbridge as a process of its own, an OpenID Connect provider, and certificates of Keeps."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import trustme
from joserfc import jwk, jwt

from enarx.registry.connection import Identity
from tests.postgres import Postgres

AUDIENCE = "https://drawbridge.test/"
SCOPES = "openid manage:drawbridge_users manage:drawbridge_repositories manage:drawbridge_tags"
STEWARD = trustme.CA()
"""Stands for the Steward: what it signs are certificates of Keeps."""
STRANGER = trustme.CA()
TLS = trustme.CA()
SERVER = TLS.issue_cert("localhost", "127.0.0.1")


def _keep_identity(
    package: bytes, *, ca: trustme.CA = STEWARD, uris: tuple[str, ...] | None = None, not_after: Any = None
) -> Identity:
    """The certificate of a Keep that runs a package."""
    named = uris if uris is not None else (f"spiffe://test/keep/{package.hex()}/{bytes(32).hex()}",)
    leaf = certificate(ca, named, not_after=not_after)
    return Identity(leaf.private_key_pem.bytes(), leaf.cert_chain_pems[0].bytes())


def certificate(ca: trustme.CA, uris: tuple[str, ...], *, not_after: Any = None) -> trustme.LeafCert:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    issuer = x509.load_pem_x509_certificate(ca.cert_pem.bytes())
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2025, 1, 1, tzinfo=UTC))
        .not_valid_after(not_after or now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    )
    if uris:
        names = [x509.UniformResourceIdentifier(uri) for uri in uris]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=True)
    signed = builder.sign(serialization.load_pem_private_key(ca.private_key_pem.bytes(), None), hashes.SHA256())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return trustme.LeafCert(pem, signed.public_bytes(serialization.Encoding.PEM), [])


class OpenIdProvider:
    """Discovery and keys over loopback HTTP, and tokens with them."""

    def __init__(self, certificate: Path | None = None) -> None:
        self.keys = {"one": jwk.RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})}
        self.asked: list[str] = []
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.asked.append(self.path)
                body = provider.answer(self.path)
                self.send_response(200 if body else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        scheme = "http" if certificate is None else "https"
        self.issuer = f"{scheme}://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def answer(self, path: str) -> bytes:
        if path == "/.well-known/openid-configuration":
            return json.dumps({"issuer": self.issuer, "jwks_uri": f"{self.issuer}keys"}).encode()
        if path == "/keys":
            return json.dumps({"keys": [key.as_dict(private=False) for key in self.keys.values()]}).encode()
        return b""

    def token(self, *, kid: str = "one", key: Any = None, header: dict[str, Any] | None = None, **changed: Any) -> str:
        key = key or self.keys[kid]
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": AUDIENCE, "sub": "test|subject", "scope": SCOPES, "iat": now, "exp": now + 600,
            **changed,
        }  # fmt: skip
        algorithm = "RS256" if key.key_type == "RSA" else "ES256"
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode({"alg": algorithm, "kid": kid, **(header or {})}, claims, key, algorithms=["RS256", "ES256"])

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="session")
def provider() -> Iterator[OpenIdProvider]:
    running = OpenIdProvider()
    yield running
    running.close()


@pytest.fixture
def secure_provider(tmp_path: Path) -> Iterator[tuple[OpenIdProvider, Path]]:
    """A provider with TLS, and the PEM of its CA."""
    (tmp_path / "provider.pem").write_bytes(SERVER.private_key_and_cert_chain_pem.bytes())
    (tmp_path / "provider-ca.pem").write_bytes(TLS.cert_pem.bytes())
    running = OpenIdProvider(tmp_path / "provider.pem")
    yield running, tmp_path / "provider-ca.pem"
    running.close()


class Running:
    """One Drawbridge process."""

    def __init__(self, folder: Path, *options: str) -> None:
        for name, raw in {
            "cert.pem": b"".join(one.bytes() for one in SERVER.cert_chain_pems),
            "key.pem": SERVER.private_key_pem.bytes(),
            "keeps.pem": STEWARD.cert_pem.bytes(),
            "tokens": b"alice-token alice # the first\nbob-token bob\n",
        }.items():
            (folder / name).write_bytes(raw)
        self.folder = folder
        self.store = folder / "store"
        command = [
            sys.executable, "-c", "from enarx.cli.main import entry; entry()", "drawbridge", "serve", "--store", str(self.store),
            "--cert", str(folder / "cert.pem"), "--key", str(folder / "key.pem"), "--ca", str(folder / "keeps.pem"),
            "--insecure-static-tokens", str(folder / "tokens"), *options,
        ]  # fmt: skip
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True, env=dict(os.environ)
            )
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        assert said.startswith("drawbridge: listening on https://127.0.0.1:"), (folder / "log").read_text()
        self.host = said.strip().rpartition("/")[2]
        self.base = f"https://{self.host}/api/v0.1.0"

    def http(self, *, token: str | None = None, identity: Identity | None = None) -> httpx.Client:
        from enarx.registry.connection import client_context

        context: ssl.SSLContext = client_context(ca=TLS.cert_pem.bytes(), identity=identity)
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(verify=context, headers=headers, base_url=self.base, timeout=20)

    def stop(self) -> int:
        self.process.terminate()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return self.process.wait(20)


@pytest.fixture(scope="session")
def drawbridge(tmp_path_factory: pytest.TempPathFactory, provider: OpenIdProvider) -> Iterator[Running]:
    running = Running(
        tmp_path_factory.mktemp("drawbridge"), "--oidc-issuer", provider.issuer, "--oidc-audience", AUDIENCE
    )
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="session")
def cas() -> SimpleNamespace:
    """The authorities of these tests, and the certificate of the Drawbridge."""
    return SimpleNamespace(tls=TLS, steward=STEWARD, stranger=STRANGER, server=SERVER)


@pytest.fixture(scope="session")
def keep_identity() -> Callable[..., Identity]:
    """Makes the certificate of a Keep that runs a package."""
    return _keep_identity


@pytest.fixture(scope="session")
def start_drawbridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Running]]:
    """Starts further Drawbridges, and ends them."""
    started: list[Running] = []

    def start(*options: str) -> Running:
        started.append(Running(tmp_path_factory.mktemp("drawbridge"), *options))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def fresh_name() -> Callable[[], str]:
    """Names of users that no other test has."""
    return lambda: "u" + os.urandom(6).hex()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL of our own, on a Unix socket."""
    cluster = Postgres()
    try:
        cluster.start()
        yield cluster.url
    finally:
        cluster.remove()
