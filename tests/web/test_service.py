"""A service seen from outside: a process of its own, over TCP and TLS."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from cryptography.hazmat.primitives import serialization

EXAMPLE = Path(__file__).with_name("example.py")


class Running:
    def __init__(self, process: subprocess.Popen[str], url: str, log: Path) -> None:
        self.process = process
        self.url = url
        self.log = log

    @property
    def address(self) -> tuple[str, int]:
        url = httpx.URL(self.url)
        return url.host, url.port or 0

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def line_of(self, answer: httpx.Response) -> dict[str, Any]:
        """The log line of an answer; it is written after the answer."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            for line in self.lines():
                if line.get("request") == answer.headers["x-request-id"]:
                    return line
            time.sleep(0.02)
        pytest.fail("no log line")


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until it holds: how long that takes depends on who else is using the machine."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.05)


def is_ended(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


@contextlib.contextmanager
def running(folder: Path, **settings: Any) -> Iterator[Running]:
    log = folder / "log"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, str(EXAMPLE), json.dumps({"port": 0, **settings})],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            cwd=folder,
        )
        try:
            said = process.stdout.readline()
            assert said.startswith("example: listening on "), log.read_text()
            yield Running(process, said.split()[-1], log)
        finally:
            process.terminate()
            process.communicate(timeout=60)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(
        tmp_path_factory.mktemp("service"), limits={"seconds": 1.5, "head_seconds": 1.0, "client_connections": 20}
    ) as one:
        yield one


def test_an_answer_carries_the_identifier_that_its_log_line_has(service: Running) -> None:
    answer = httpx.get(f"{service.url}/hello")
    assert answer.json() == {"hello": "world"}
    line = service.line_of(answer)
    assert (line["route"], line["status"]) == ("/hello", 200)


def test_a_refusal_is_a_problem_document_with_the_reason_and_every_finding(service: Running) -> None:
    answer = httpx.get(f"{service.url}/refuse")
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json()
    assert (said["reason"], said["family"], said["hint"]) == ("measurement-not-accepted", "unacceptable", "list it")
    assert said["findings"] == [
        {
            "name": "measurement",
            "verdict": "failed",
            "reason": "measurement-not-accepted",
            "fact": "ab",
            "expectation": "one listed",
            "source": "policy",
        }
    ]


def test_what_nobody_foresaw_is_a_500_that_tells_the_client_nothing_and_the_log_where(service: Running) -> None:
    answer = httpx.get(f"{service.url}/bug")
    assert answer.status_code == 500
    assert answer.json()["reason"] == "internal"
    assert "secret" not in answer.text
    line = service.line_of(answer)
    assert line["error"] == "RuntimeError"
    assert line["where"].startswith("example.py:")
    assert "secret" not in service.log.read_text()


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status", "reason"),
    [
        ("GET", "/nothing", {}, b"", 404, "not-found"),
        ("POST", "/hello", {}, b"", 405, "method"),
        ("POST", "/echo", {"content-type": "application/json"}, b'{"text":"a","b":1}', 400, "syntax"),
        ("POST", "/echo", {"content-type": "application/json"}, b'{"text":1}', 400, "syntax"),
        ("POST", "/echo", {"content-type": "application/json"}, b"\xff\xfe", 400, "syntax"),
        ("POST", "/echo", {"content-type": "application/json"}, b"[" * 100000, 400, "too-deep"),
        ("POST", "/echo", {"content-type": "text/plain"}, b'{"text":"a"}', 415, "media-type"),
        ("POST", "/echo", {}, b'{"text":"a"}', 415, "media-type"),
        ("POST", "/echo", {"content-type": "application/json; charset=utf-16"}, b"{}", 415, "media-type"),
        ("POST", "/echo", {"content-type": "application/json"}, b'"' + b"a" * (1 << 20), 413, "too-large"),
        ("GET", "/hello", {"x-long": "a" * 20000}, b"", 431, "too-large"),
        ("GET", "/hello", {f"x-{n}": "a" for n in range(100)}, b"", 431, "too-large"),
        ("GET", "/slow", {}, b"", 504, "timed-out"),
    ],
)
def test_bad_input_gets_a_problem_document(
    service: Running, method: str, path: str, headers: dict[str, str], body: bytes, status: int, reason: str
) -> None:
    answer = httpx.request(method, service.url + path, headers=headers, content=body)
    assert (status, "application/problem+json") == (answer.status_code, answer.headers["content-type"])
    assert reason == answer.json()["reason"]


def test_a_chunked_body_beyond_the_limit_is_refused_before_its_end(service: Running) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(40):
            yield b" " * 65536

    try:
        answer = httpx.post(f"{service.url}/echo", headers={"content-type": "application/json"}, content=endless())
    except httpx.TransportError:
        return  # it was cut off while it was still talking
    assert answer.status_code == 413


def exchanged(service: Running, *parts: bytes, pause: float = 0.0) -> bytes:
    with socket.create_connection(service.address, timeout=10) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        return received


def test_what_is_not_http_gets_a_400_problem_document(service: Running) -> None:
    answer = exchanged(service, b"\x16\x03\x01 what\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json")


def test_a_head_that_does_not_end_ends_the_connection(service: Running) -> None:
    started = time.monotonic()
    assert exchanged(service, b"GET /hello HTTP/1.1\r\nx: y") == b""
    assert time.monotonic() - started < 5


def test_a_body_that_does_not_come_is_a_408(service: Running) -> None:
    head = b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n{"
    answer = exchanged(service, head)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in answer


def test_one_client_cannot_hold_more_connections_than_its_share(service: Running) -> None:
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.create_connection(service.address, timeout=60)) for _ in range(30)]
        eventually(lambda: sum(map(is_ended, held)) >= 10)


def test_health_readiness_and_metrics_stand_beside_the_application(service: Running) -> None:
    assert httpx.get(f"{service.url}/healthz").text == "ok\n"
    assert httpx.get(f"{service.url}/readyz").status_code == 200
    unready = service.log.with_name("unready")
    unready.touch()
    try:
        answer = httpx.get(f"{service.url}/readyz")
        assert (answer.status_code, answer.json()["reason"]) == (503, "unreachable")
    finally:
        unready.unlink()
    text = httpx.get(f"{service.url}/metrics").text
    assert 'enarx_http_requests_total{method="GET",route="/healthz",service="example",status="200"}' in text


def test_the_interface_is_described(service: Running) -> None:
    assert "/echo" in httpx.get(f"{service.url}/docs/openapi.json").json()["paths"]
    assert httpx.get(f"{service.url}/docs").status_code == 200


def test_a_client_that_asks_too_often_waits(tmp_path: Path) -> None:
    with running(tmp_path, limits={"rate": 1.0, "burst": 3}) as service:
        codes = [httpx.get(f"{service.url}/hello").status_code for _ in range(6)]
        assert {200, 429} == set(codes)
        assert codes[:3] == [200, 200, 200]


def test_sigterm_lets_the_request_under_way_have_its_answer(tmp_path: Path) -> None:
    with running(tmp_path) as service, socket.create_connection(service.address, timeout=60) as connection:
        connection.sendall(b"GET /pause HTTP/1.1\r\nhost: a\r\n\r\n")
        eventually((tmp_path / "pausing").exists)
        service.process.send_signal(signal.SIGTERM)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
        assert answer.endswith(b"done")
        assert service.process.wait(timeout=60) == 0


def test_a_port_in_use_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = subprocess.run(
            [sys.executable, str(EXAMPLE), json.dumps({"port": port})], capture_output=True, text=True, check=False
        )
    assert (2, f"port-in-use: 127.0.0.1 port {port}: Address already in use") == (
        ended.returncode,
        ended.stderr.splitlines()[-1].split(" (while")[0],
    )


class Pki:
    def __init__(self, folder: Path) -> None:
        self.ca = trustme.CA()
        self.folder = folder
        self.issue("one")

    def issue(self, name: str) -> None:
        made = self.ca.issue_cert("localhost", "127.0.0.1", common_name=name)
        made.private_key_pem.write_to_path(self.folder / "key")
        (self.folder / "crt").write_bytes(b"".join(one.bytes() for one in made.cert_chain_pems))
        self.ca.cert_pem.write_to_path(self.folder / "ca")


def test_the_peers_certificate_reaches_the_application_and_none_is_demanded(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    tls = {"certificate": str(tmp_path / "crt"), "key": str(tmp_path / "key"), "clients": str(tmp_path / "ca")}
    with running(tmp_path, tls=tls) as service:
        assert service.url.startswith("https://")
        context = ssl.create_default_context(cafile=tmp_path / "ca")
        assert httpx.get(f"{service.url}/who", verify=context).json() == {"size": 0}
        client = pki.ca.issue_cert("client")
        client.configure_cert(context)
        shown = client.cert_chain_pems[0].bytes()
        size = len(ssl.PEM_cert_to_DER_cert(shown.decode()))
        assert {"size": size} == httpx.get(f"{service.url}/who", verify=context).json()
        stranger = ssl.create_default_context(cafile=tmp_path / "ca")
        trustme.CA().issue_cert("client").configure_cert(stranger)
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{service.url}/who", verify=stranger)


def presented(service: Running, folder: Path) -> str:
    context = ssl.create_default_context(cafile=folder / "ca")
    with (
        socket.create_connection(service.address) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as tls,
    ):
        return dict(pair[0] for pair in tls.getpeercert()["subject"])["commonName"]


def test_tls_files_are_reloaded_without_a_restart_and_a_bad_pair_changes_nothing(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    tls = {"certificate": str(tmp_path / "crt"), "key": str(tmp_path / "key")}
    with running(tmp_path, tls=tls) as service:
        assert presented(service, tmp_path) == "one"
        other = trustme.CA().issue_cert("localhost")
        (tmp_path / "key").write_bytes(other.private_key_pem.bytes())
        service.process.send_signal(signal.SIGHUP)
        eventually(lambda: "tls files not used" in {line["event"] for line in service.lines()})
        assert presented(service, tmp_path) == "one"
        pki.issue("two")
        service.process.send_signal(signal.SIGHUP)
        eventually(lambda: presented(service, tmp_path) == "two")
        events = {line["event"] for line in service.lines()}
        assert {"tls files not used", "tls files loaded"} <= events


def test_an_encrypted_tls_key_is_refused_and_asks_nobody(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    key = serialization.load_pem_private_key((tmp_path / "key").read_bytes(), None)
    (tmp_path / "key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    assert pki.folder == tmp_path
    tls = {"certificate": str(tmp_path / "crt"), "key": str(tmp_path / "key")}
    ended = subprocess.run(
        [sys.executable, str(EXAMPLE), json.dumps({"tls": tls})],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=120,
    )
    assert ended.returncode == 2
    assert "the key is encrypted" in ended.stderr


def test_workers_share_a_port_add_up_their_metrics_and_are_replaced_when_they_die(tmp_path: Path) -> None:
    with running(tmp_path, workers=2) as service:
        for _ in range(20):
            assert httpx.get(f"{service.url}/hello").status_code == 200
        said = 'enarx_http_requests_total{method="GET",route="/hello",service="example",status="200"} 20.0'
        assert said in httpx.get(f"{service.url}/metrics").text
        children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children")
        before = children.read_text().split()
        assert len(before) == 2
        os.kill(int(before[0]), signal.SIGKILL)
        eventually(lambda: len(set(children.read_text().split()) - {before[0]}) == 2)
        after = children.read_text().split()
        assert len(after) == 2
        assert before[0] not in after
        assert httpx.get(f"{service.url}/hello").status_code == 200
