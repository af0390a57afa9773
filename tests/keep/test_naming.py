from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from enarx.codec.digest import sha256
from enarx.codec.x509 import from_pem
from enarx.errors import Misused
from enarx.keep import naming
from enarx.runtime import resolver_client, tls
from enarx.runtime.resolver_client import Resolver
from enarx.workload import launch as launch_document
from enarx.workload.launch import Launch
from enarx.workload.manifest import Connect, Manifest


def test_the_launch_document_chooses_and_pins_the_resolver() -> None:
    identity = tls.self_signed(when=datetime.now(UTC))
    (ca,) = from_pem(identity.chain_pem, "CA")
    parts: dict[str, Any] = {"package": bytes(32), "tenant": b"t", "deployment": bytes(16)}
    assert naming.chosen(Launch(**parts), b"") is None
    assert naming.chosen(Launch(**parts, resolver="host"), b"") is None
    assert naming.chosen(Launch(**parts, resolver=""), b"") is resolver_client.nobody
    pinned = Launch(**parts, resolver="tls://dns.example", resolver_ca=sha256(ca.spki))
    assert launch_document.parse(pinned.encoded()) == pinned
    assert isinstance(naming.chosen(pinned, identity.chain_pem), Resolver)
    with pytest.raises(Misused):
        naming.chosen(pinned, tls.self_signed(when=datetime.now(UTC)).chain_pem)
    wrongs: tuple[dict[str, Any], ...] = (
        {"resolver": "udp://dns.example"},
        {"resolver": "host", "resolver_ca": bytes(32)},
    )
    for wrong in wrongs:
        with pytest.raises(Misused):
            Launch(**parts, **wrong)


@pytest.mark.parametrize(
    ("resolver_named", "said"),
    [
        (None, {"by": "the host", "trust": "untrusted"}),
        ("tls://dns.example", {"by": "tls://dns.example", "trust": "authenticated"}),
        ("", {"by": "nobody", "trust": "no names"}),
    ],
)
def test_who_answers_is_said_when_the_guest_may_connect(resolver_named: str | None, said: dict[str, str]) -> None:
    events: list[dict[str, str]] = []

    def report(event: str, **more: str) -> None:
        events.append({"event": event, **more})

    launch = Launch(package=bytes(32), tenant=b"t", deployment=bytes(16), resolver=resolver_named)
    naming.tell(report, Manifest(files=(Connect("keep", "keep.example", 443),)), launch)
    assert events == [{"event": "resolver", **said}]
    naming.tell(report, Manifest(files=()), launch)
    assert len(events) == 1
