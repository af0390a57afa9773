"""Attestations a second: nonce and attest over one TLS connection, full SNP evidence, PostgreSQL, log on.

One client process with several threads of connections stands for the Keeps; it makes its
requests beforehand as far as they do not depend on the nonce, so that what is measured is the
Steward. Client, Steward and PostgreSQL share the machine's cores.
"""

from __future__ import annotations

import base64
import json
import multiprocessing
import os
import resource
import secrets
import socket
import ssl
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

SECONDS = 60.0
CONNECTIONS = 64
WORKERS = 2


class Connection:
    """One HTTP/1.1 connection over TLS, written out by hand: a client library would cost more than the Steward."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext) -> None:
        plain = socket.create_connection((host, port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tls = context.wrap_socket(plain, server_hostname=host)

    def post(self, path: bytes, body: bytes) -> tuple[int, bytes]:
        head = b"POST " + path + b" HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        self.tls.sendall(head % len(body) + body)
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._more()
        head, _, rest = received.partition(b"\r\n\r\n")
        size = int(head.lower().partition(b"content-length: ")[2].split(b"\r", 1)[0])
        while len(rest) < size:
            rest += self._more()
        return int(head[9:12]), rest

    def _more(self) -> bytes:
        chunk = self.tls.recv(65536)
        if not chunk:
            raise ConnectionError("the steward closed the connection")
        return chunk


def attest(connection: Connection, keep: Any, parts: dict[str, bytes]) -> float:
    """One attestation; its time without what the Keep itself computes."""
    started = time.perf_counter()
    status, body = connection.post(b"/v1/nonce", parts["nonce"])
    asked = time.perf_counter()
    if status != 200:
        raise RuntimeError(body.decode())
    said = json.loads(body)["nonce"]
    (evidence,) = keep.evidence(base64.b64decode(said))
    from enarx.evidence import cmw

    wrapped = base64.b64encode(cmw.encode((evidence,)))
    body = parts["attest"] % (said.encode(), wrapped)
    made = time.perf_counter()
    status, answer = connection.post(b"/v1/attest", body)
    if status != 200:
        raise RuntimeError(answer.decode())
    return time.perf_counter() - made + asked - started


def parts_of(keep: Any) -> dict[str, bytes]:
    from enarx.evidence import endorsement

    launch = base64.b64encode(keep.launch.encoded())
    fields = {
        b"request": base64.b64encode(keep.request),
        b"launch": launch,
        b"endorsements": base64.b64encode(endorsement.encode(keep.chip.endorsements())),
    }
    rest = b",".join(b'"%s":"%s"' % pair for pair in fields.items())
    return {
        "nonce": b'{"launch":"%s"}' % base64.b64encode(keep.launch.digest()),
        "attest": b'{"nonce":"%s","evidence":"%s",' + rest + b"}",
    }


def client(url: str, ca: str, keeps: list[Any], seconds: float, rate: float, out: Any) -> None:
    """Connections of one process, each attesting in turn; `rate` 0 is as fast as they can."""
    host, port = url.removeprefix("https://").split(":")
    context = ssl.create_default_context(cadata=ca)
    times: list[float] = []
    errors: list[str] = []
    until = time.perf_counter() + seconds
    pause = len(keeps) / rate if rate else 0.0

    def one(keep: Any, phase: float) -> None:
        try:
            connection, parts = Connection(host, int(port), context), parts_of(keep)
            due = time.perf_counter() + phase
            while (now := time.perf_counter()) < until:
                if pause and now < due:
                    time.sleep(due - now)
                due += pause
                times.append(attest(connection, keep, parts))
        except (OSError, RuntimeError) as error:
            errors.append(str(error))

    threads = [threading.Thread(target=one, args=(keep, pause * n / len(keeps))) for n, keep in enumerate(keeps)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    out.put((times, errors))


def load(url: str, ca: str, chip: Any, pin: bytes, seconds: float, rate: float = 0.0, processes: int = 1) -> Any:
    """Run clients; returns all times, the errors, and the seconds that it took."""
    from tests.identity.parties import Keep

    out: Any = multiprocessing.get_context("fork").Queue()
    made = []
    for _ in range(processes):
        keeps = [Keep(chip, pin, url) for _ in range(CONNECTIONS // processes)]
        arguments = (url, ca, keeps, seconds, rate / processes, out)
        made.append(multiprocessing.get_context("fork").Process(target=client, args=arguments))
    started = time.perf_counter()
    for one in made:
        one.start()
    results = [out.get() for _ in made]
    for one in made:
        one.join()
    times = [each for found, _ in results for each in found]
    return times, [each for _, errors in results for each in errors], time.perf_counter() - started


def _primitives(seconds: float, out: Any) -> None:
    """What cannot be saved: one P-384 verification, one of P-256, two P-256 signatures."""
    p384, p256 = ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP256R1())
    message = secrets.token_bytes(672)
    large, small = p384.sign(message, ec.ECDSA(hashes.SHA384())), p256.sign(message, ec.ECDSA(hashes.SHA256()))
    verify_large, verify_small = p384.public_key().verify, p256.public_key().verify
    count, until = 0, time.perf_counter() + seconds
    while time.perf_counter() < until:
        verify_large(large, message, ec.ECDSA(hashes.SHA384()))
        verify_small(small, message, ec.ECDSA(hashes.SHA256()))
        p256.sign(message, ec.ECDSA(hashes.SHA256()))
        p256.sign(message, ec.ECDSA(hashes.SHA256()))
        count += 1
    out.put(count / seconds)


def primitives(seconds: float = 3.0) -> float:
    """Their rate on two processes."""
    out: Any = multiprocessing.get_context("fork").Queue()
    made = [multiprocessing.get_context("fork").Process(target=_primitives, args=(seconds, out)) for _ in range(2)]
    for one in made:
        one.start()
    rate = sum(out.get() for _ in made)
    for one in made:
        one.join()
    return rate


def cpu(pid: int) -> float:
    """CPU seconds of a process and all that live below it."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0.0
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(cpu(int(child)) for child in children)


class Bench:
    """A Steward with two workers on a PostgreSQL of its own."""

    def __init__(self, prepare: Callable[[str], None] = lambda _: None) -> None:
        """`prepare`: receives the database's URL before the Steward is started."""
        from contextlib import ExitStack

        from enarx.platform.simulated.snp import SimulatedSnp
        from tests.identity.parties import TRUST_DOMAIN, Pki, anchors, policy_text, serving
        from tests.postgres import Postgres

        self.stack = ExitStack()
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.pki = Pki(folder)
        self.chip = SimulatedSnp.made(datetime.now(UTC))  # noqa: TID251
        (folder / "policy.toml").write_text(policy_text())
        self.postgres = Postgres(fsync=True)
        self.stack.callback(self.postgres.remove)
        self.postgres.start()
        prepare(self.postgres.url)
        self.ca = self.pki.root.certificates_pem().decode()
        self.serving = self.stack.enter_context(
            serving(
                folder,
                *("--crt", self.pki.crt, "--key", self.pki.key, "--policy", folder / "policy.toml"),
                *("--trust-domain", TRUST_DOMAIN, "--anchors", anchors(folder, self.chip), "--unsafe-anchors"),
                *("--database", self.postgres.url, "--workers", str(WORKERS)),
            )
        )

    def spent(self) -> dict[str, float]:
        """CPU seconds so far, by part."""
        gone = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {
            "steward": cpu(self.serving.process.pid),
            "postgresql": cpu(self.postgres.server.pid),
            "client": gone.ru_utime + gone.ru_stime,
        }

    def load(self, seconds: float, rate: float = 0.0, processes: int = 1) -> Any:
        return load(self.serving.url, self.ca, self.chip, self.pki.pin, seconds, rate, processes)


def rate() -> Iterator[dict[str, Any]]:
    bench = Bench()
    with bench.stack:
        bench.load(3.0)
        before = primitives()
        spent = bench.spent()
        times, errors, seconds = bench.load(SECONDS)
        spent = {part: (used - spent[part]) / len(times) * 1e6 for part, used in bench.spent().items()}
        after = primitives()
        if errors:
            raise RuntimeError(errors[0])
        found = len(times) / seconds
        base = statistics.mean([before, after])
        yield {
            "name": "steward.rate",
            "value": round(found, 1),
            "unit": "1/s",
            "ratio": round(found / base, 3),
            "against": f"the four signature operations alone on two processes, {base:.0f}/s",
            "breakdown_us": {part: round(used) for part, used in spent.items()},
        }


def latency() -> Iterator[dict[str, Any]]:
    bench = Bench()
    with bench.stack:
        bench.load(3.0)
        times, errors, _ = bench.load(20.0, rate=200.0)
        if errors:
            raise RuntimeError(errors[0])
        p95 = statistics.quantiles(times, n=20)[18] * 1000
        yield {
            "name": "steward.p95_ms",
            "value": round(p95, 1),
            "unit": "ms",
            "ratio": round(p95 / 50, 3),
            "against": f"50 ms, at 200/s ({len(times) / 20:.0f}/s reached)",
        }


BENCHES = {"steward.rate": rate, "steward.p95_ms": latency}
