# SPDX-License-Identifier: Apache-2.0
"""Two Keeps that talk to each other, each knowing what the other runs; and certificates that change."""

from __future__ import annotations

import os
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from enarx.errors import Misused, Reason, Unacceptable
from enarx.runtime.process import start
from enarx.runtime.workload import Identity, Stdio, Workload
from enarx.workload.manifest import Connect, Listen, Manifest, Null, Stderr, Stdin, Stdout, Trust
from enarx.workload.spiffe import SpiffeId
from examples.build import build, build_source

PROGRAMS = Path(__file__).parent / "programs"
NOW = datetime.now(UTC)
SERVER, CLIENT, OTHER = (bytes([n]) * 32 for n in (1, 2, 3))


class Steward:
    """An authority that certifies Keeps by the package they run."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Steward of this test")])
        basic = x509.BasicConstraints(ca=True, path_length=0)
        self.certificate = self._builder(self.name, self.key).add_extension(basic, critical=True)
        self.pem = self.certificate.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        begin, end = NOW - timedelta(hours=1), NOW + timedelta(hours=1)
        return x509.CertificateBuilder(self.name, subject, key.public_key(), x509.random_serial_number(), begin, end)

    def certify(self, package: bytes) -> Identity:
        key = ec.generate_private_key(ec.SECP256R1())
        uri = x509.UniformResourceIdentifier(str(SpiffeId("test", package, bytes(32))))
        names = x509.SubjectAlternativeName([x509.DNSName("localhost"), uri])
        made = self._builder(x509.Name([]), key).add_extension(names, critical=True).sign(self.key, hashes.SHA256())
        pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        return Identity(key.private_bytes(pem, form, serialization.NoEncryption()), made.public_bytes(pem), self.pem)


@pytest.fixture(scope="module")
def steward() -> Steward:
    return Steward()


def echoing(trust: Trust) -> Manifest:
    """What half_close needs: its listener is descriptor 3."""
    return Manifest(files=(Null(), Null("o"), Null("e"), Listen("web", 0, "tls", "127.0.0.1", trust)))


def conversation(server: Trust, client: Trust, steward: Steward, runs: bytes = CLIENT) -> int:
    """A Keep that echoes and a Keep that sends three lines; the client's exit code."""
    one = start(
        Workload(build_source(PROGRAMS / "half_close.c").read_bytes(), echoing(server)),
        identity=steward.certify(SERVER),
        stdio=Stdio(None, None, None),
    )
    read, write = os.pipe()
    os.write(write, b"unused")
    connect = Connect("stream", "127.0.0.1", one.bound[0].port, "tls", client)
    manifest = Manifest(files=(Stdin(), Stdout(), Stderr(), connect))
    module = build_source(PROGRAMS / "hold.c").read_bytes()
    try:
        two = start(Workload(module, manifest), identity=steward.certify(runs), stdio=Stdio(read, None, None))
        ended = two.wait(60)
        assert ended is not None
        return ended.code
    finally:
        one.stop()
        os.close(read)
        os.close(write)


def test_two_keeps_know_each_other_by_their_workloads(steward: Steward) -> None:
    ours, theirs = Trust(workloads=(CLIENT.hex(),)), Trust(workloads=(SERVER.hex(),))
    assert 0 == conversation(ours, theirs, steward)


def test_a_server_that_runs_something_else_is_not_talked_to(steward: Steward) -> None:
    with pytest.raises(Unacceptable) as caught:
        conversation(Trust(), Trust(workloads=(OTHER.hex(),)), steward)
    assert Reason.WORKLOAD_MISMATCH == caught.value.reason


def test_a_client_that_runs_something_else_gets_nothing(steward: Steward) -> None:
    theirs = Trust(workloads=(SERVER.hex(),))
    assert 0 != conversation(Trust(workloads=(CLIENT.hex(),)), theirs, steward, runs=OTHER)


def test_a_server_of_another_steward_is_not_talked_to(steward: Steward) -> None:
    stranger = Steward()
    one = start(
        Workload(build_source(PROGRAMS / "half_close.c").read_bytes(), echoing(Trust())),
        identity=stranger.certify(SERVER),
        stdio=Stdio(None, None, None),
    )
    connect = Connect("stream", "127.0.0.1", one.bound[0].port, "tls", Trust(workloads=(SERVER.hex(),)))
    manifest = Manifest(files=(Null(), Null("o"), Null("e"), connect))
    with pytest.raises(Exception, match="unknown-anchor"):
        start(Workload(build_source(PROGRAMS / "hold.c").read_bytes(), manifest), identity=steward.certify(CLIENT))
    one.stop()


def test_clients_cannot_be_asked_for_certificates_without_roots() -> None:
    with pytest.raises(Misused) as caught:
        start(Workload(build("http-hello").read_bytes(), echoing(Trust(clients="required"))))
    assert Reason.UNKNOWN_ANCHOR == caught.value.reason


def test_roots_of_the_package_are_the_only_ones_trusted(steward: Steward) -> None:
    stranger = Steward()
    for roots, runs in ((steward.pem, True), (stranger.pem, False)):
        one = start(
            Workload(build_source(PROGRAMS / "half_close.c").read_bytes(), echoing(Trust())),
            identity=steward.certify(SERVER),
            stdio=Stdio(None, None, None),
        )
        connect = Connect("stream", "localhost", one.bound[0].port, "tls", Trust(roots="ca.pem"))
        manifest = Manifest(files=(Null(), Null("o"), Null("e"), connect))
        workload = Workload(build_source(PROGRAMS / "hold.c").read_bytes(), manifest, {"ca.pem": roots})
        try:
            two = start(workload, identity=steward.certify(CLIENT), stdio=Stdio(None, None, None))
        except Exception as error:  # noqa: BLE001 - what it is, is what this test asks
            assert (runs, "unknown-anchor") == (False, str(getattr(error, "reason", error)))
        else:
            ended = two.wait(60)
            assert ended is not None
            assert (runs, 0) == (True, ended.code)
        one.stop()


def test_a_certificate_is_renewed_and_open_connections_stay(steward: Steward) -> None:
    first, second = steward.certify(SERVER), steward.certify(SERVER)
    web = Manifest(files=(Null(), Null("o"), Null("e"), Listen("web", 0, "tls", "127.0.0.1")))
    guest = start(Workload(build("http-hello").read_bytes(), web), identity=first, stdio=Stdio(None, None, None))
    context = ssl.create_default_context(cadata=steward.pem.decode())

    def connection() -> ssl.SSLSocket:
        raw = socket.create_connection(("127.0.0.1", guest.bound[0].port))
        return context.wrap_socket(raw, server_hostname="localhost")

    def shown(stream: ssl.SSLSocket) -> str:
        return ssl.DER_cert_to_PEM_cert(stream.getpeercert(binary_form=True) or b"").replace("\n", "")

    with connection() as old:
        assert first.chain_pem.decode().replace("\n", "") == shown(old)
        guest.renew(second)
        for _ in range(100):
            with connection() as new:
                seen = shown(new)
            if seen == second.chain_pem.decode().replace("\n", ""):
                break
        assert second.chain_pem.decode().replace("\n", "") == seen
        old.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert old.recv(1000).endswith(b"Hello from inside a Keep!\n")
    guest.stop()
