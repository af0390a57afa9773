"""Whatever is sent to a Steward, it answers 4xx with a problem document and goes on."""

from __future__ import annotations

import base64
import json
import random
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest

from enarx.evidence import cmw, endorsement
from tests.identity.parties import Keep, Pki, Serving

PATHS = ("/v1/nonce", "/v1/credential", "/v1/attest", "/v1/time", "/v1/ocsp", "/")
MUTATIONS = 10_000


@pytest.fixture(scope="module")
def web(steward: Serving, pki: Pki) -> httpx.Client:
    context = ssl.create_default_context(cadata=pki.root.certificates_pem().decode())
    return httpx.Client(base_url=steward.url, verify=context, timeout=30)


def real(keep: Keep, nonce: bytes) -> dict[str, str]:
    parts = {
        "request": keep.request,
        "evidence": cmw.encode(keep.evidence(nonce)),
        "endorsements": endorsement.encode(keep.chip.endorsements()),
        "nonce": nonce,
        "launch": keep.launch.encoded(),
    }
    return {name: base64.b64encode(raw).decode() for name, raw in parts.items()}


def mutated(table: dict[str, str], dice: random.Random) -> bytes:
    """One real request with something wrong: a bit, a field, a length, the JSON itself."""
    table = dict(table)
    name = dice.choice(list(table))
    raw = bytearray(base64.b64decode(table[name]))
    match dice.randrange(8):
        case 0 | 1 | 2:
            raw[dice.randrange(len(raw))] ^= 1 << dice.randrange(8)
        case 3:
            del raw[dice.randrange(len(raw)) :]
        case 4:
            raw += dice.randbytes(dice.randrange(1, 64))
        case 5:
            at = dice.randrange(len(raw))
            raw[at:at] = dice.randbytes(4)
        case 6:
            table[dice.choice(["request", "evidence", "extra"])] = table[name]
        case _:
            text = bytearray(json.dumps(table).encode())
            text[dice.randrange(len(text))] = dice.randrange(256)
            return bytes(text)
    table[name] = base64.b64encode(raw).decode()
    return json.dumps(table).encode()


def differences(table: dict[str, str], body: bytes) -> list[tuple[str, int]]:
    """Where a request differs from the real one: field, and offset of the first byte that does."""
    changed = json.loads(body)
    found = []
    for name, value in table.items():
        # spare bits of base64 text belong to no byte (RFC 4648 section 3.5)
        old, new = base64.b64decode(value), base64.b64decode(changed[name])
        if old != new:
            pairs = zip(old, new, strict=False)
            found.append((name, next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(old), len(new)))))
    return found


def harmless(table: dict[str, str], body: bytes) -> bool:
    """The change is in no byte, or in a certificate that the judge has pinned itself and does not need."""
    return all(name == "endorsements" for name, _ in differences(table, body))


@pytest.mark.slow
@pytest.mark.timeout(1200)  # twenty thousand requests, to one process, on whatever machine this is
def test_ten_thousand_mutated_requests_find_no_500_and_no_certificate(web: httpx.Client, keep: Keep) -> None:
    dice = random.Random(20261123)  # noqa: S311
    found: dict[str, int] = {}
    asked = {"launch": base64.b64encode(keep.launch.digest()).decode()}
    for number in range(MUTATIONS):
        table = real(keep, base64.b64decode(web.post("/v1/nonce", json=asked).json()["nonce"]))
        body = mutated(table, dice)
        answer = web.post("/v1/attest", content=body, headers={"content-type": "application/json"})
        reason = answer.json().get("reason", "issued")
        found[reason] = found.get(reason, 0) + 1
        if answer.status_code == 200:  # what was changed is not covered by any signature, and steers nothing
            assert harmless(table, body), (number, differences(table, body))
            continue
        assert 400 <= answer.status_code < 500, (number, body, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
    assert len(found) > 10, found
    assert 200 == web.get("/healthz").status_code


def test_random_bytes_to_every_address_are_problems(web: httpx.Client) -> None:
    dice = random.Random(7)  # noqa: S311
    kinds = ("application/json", "application/ocsp-request", "application/pkcs10", "text/plain", "application/cbor", "")
    for _ in range(300):
        path, kind = dice.choice(PATHS), dice.choice(kinds)
        headers = {"content-type": kind} if kind else {}
        answer = web.post(path, content=dice.randbytes(dice.randrange(200)), headers=headers)
        assert 400 <= answer.status_code < 500, (path, kind, answer.text)


def test_the_interface_as_described_withstands_schemathesis(
    web: httpx.Client, steward: Serving, tmp_path: Path
) -> None:
    import schemathesis

    described: dict[str, Any] = web.get("/docs/openapi.json").json()
    schema = schemathesis.openapi.from_dict(described)
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) >= 6

    for operation in operations:
        send = checked(web, steward, operation)
        send()


def checked(web: httpx.Client, steward: Serving, operation: Any) -> Any:
    """A test of one operation: generated requests, right ones and wrong ones."""
    from hypothesis import HealthCheck, Phase, given, seed, settings
    from hypothesis import strategies as st
    from schemathesis import GenerationMode

    @seed(1)
    @settings(
        max_examples=25, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(case=st.one_of(operation.as_strategy(), operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)))
    def send(case: Any) -> None:
        arguments = case.as_transport_kwargs(base_url=steward.url)
        answer = web.request(
            arguments["method"],
            arguments["url"],
            params=arguments.get("params"),
            headers={name: value for name, value in (arguments.get("headers") or {}).items() if value is not None},
            json=arguments.get("json"),
            content=arguments.get("data"),
        )
        assert answer.status_code < 500, (operation.label, answer.text)

    return send
