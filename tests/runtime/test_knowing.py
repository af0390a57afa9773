# SPDX-License-Identifier: Apache-2.0
"""What a workload can know: secrets, its certificate, and evidence over its own bytes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from enarx.errors import Reason, Undetermined
from enarx.runtime.attesting import BURST, MOST_BYTES, Attesting
from enarx.runtime.process import run
from enarx.runtime.workload import Identity, Stdio, Workload
from enarx.workload.manifest import Manifest, Null, Stdout
from examples.build import build_source

PROGRAM = Path(__file__).parent / "programs" / "know.c"
MANIFEST = Manifest(files=(Null(), Stdout(), Null("err")))


def printed(
    *args: str,
    secrets: dict[str, bytes] | None = None,
    identity: Identity | None = None,
    attest: Callable[[bytes], bytes] | None = None,
) -> list[str]:
    read, write = os.pipe()
    workload = Workload(build_source(PROGRAM).read_bytes(), MANIFEST, args=args, secrets=secrets or {})
    ended = run(workload, identity=identity, stdio=Stdio(None, write, None), attest=attest)
    os.close(write)
    with os.fdopen(read) as output:
        text = output.read()
    assert (0, None) == (ended.code, ended.reason)
    return text.splitlines()


def test_secrets_are_files() -> None:
    assert ["hunter2"] == printed("", "/secrets/password", secrets={"password": b"hunter2"})
    assert ["No such file or directory"] == printed("", "/secrets/password")


def test_the_keeps_certificate_is_a_file_and_its_key_is_not() -> None:
    identity = Identity(b"the key", b"the chain")
    found = printed("", "/attest/certificate", "/attest/key", "/attest/evidence", identity=identity)
    assert ["the chain", "No such file or directory", "No such file or directory"] == found


def test_evidence_is_about_the_bytes_that_the_guest_wrote() -> None:
    found = printed("my bytes", "/attest/evidence", attest=lambda data: b"signed<" + data + b">")
    assert ["signed<my bytes>"] == found


def test_evidence_that_cannot_be_had_is_an_error() -> None:
    def refuse(_data: bytes) -> bytes:
        raise Undetermined(Reason.ENDORSEMENT_MISSING, "for this test")

    assert ["Resource temporarily unavailable"] == printed("x", "/attest/evidence", attest=refuse)


def test_evidence_is_limited_in_rate_and_size() -> None:
    now = [0.0]
    attesting = Attesting(lambda data: data, lambda: now[0])
    assert None is attesting.evidence(bytes(MOST_BYTES + 1))
    assert [b"a"] * BURST + [None] == [attesting.evidence(b"a") for _ in range(BURST + 1)]
    now[0] += 1.0
    assert [b"a", None] == [attesting.evidence(b"a") for _ in range(2)]
