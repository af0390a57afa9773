# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import base64
import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import OCSPNonce, ReasonFlags, ocsp

from enarx.endorser.ask import Endorser
from enarx.endorser.client import Client, Patience
from enarx.endorser.gather import gather
from enarx.endorser.nvidia import manifest_of
from enarx.endorser.request import Services
from enarx.endorser.store import Store
from enarx.errors import EnarxError, Malformed, Reason, Unauthentic
from enarx.evidence.authenticate import authenticate
from enarx.evidence.endorsement import NOTHING, Endorsements
from enarx.evidence.kind import Kind
from enarx.evidence.nvidia import NvidiaClaims
from enarx.evidence.nvidia_rim import Part
from enarx.platform.simulated.nvidia import DRIVER, SimulatedNvidia
from tests.endorser.conftest import Vendor, answer

WHEN = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
QUICK = Patience(connect=5, read=5, total=20, attempts=2, pause=0.01)
NONCE = bytes(32)
DRIVER_PATH = f"/v1/rim/NV_GPU_DRIVER_GH100_{DRIVER}"
VBIOS_PATH = "/v1/rim/NV_GPU_VBIOS_1010_0200_882_96009F0001"
RESPONSE = "application/ocsp-response"


@pytest.fixture(scope="module")
def device() -> SimulatedNvidia:
    return SimulatedNvidia.made(WHEN)


@pytest.fixture
def troubles() -> list[EnarxError]:
    return []


@pytest.fixture
def endorser(vendor: Vendor, tmp_path: Path, troubles: list[EnarxError]) -> Endorser:
    services = Services(nvidia_rim=vendor.url, nvidia_ocsp=vendor.url, nvidia_key="key")
    return Endorser(Client(QUICK), Store(tmp_path / "cache"), services=services, on_trouble=troubles.append)


def rim_answer(path: str, raw: bytes) -> bytes:
    table = {"id": path.rpartition("/")[2], "rim": base64.b64encode(raw).decode(), "rim_format": "RIM"}
    return answer(200, json.dumps(table).encode(), kind="application/json")


def responder(
    device: SimulatedNvidia,
    *,
    nonce: bool = True,
    status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
    reason: ReasonFlags | None = None,
    start: datetime = WHEN - DAY,
) -> Callable[[socket.socket], None]:
    """NVIDIA's OCSP responder: answers what the request, which `Vendor` has just seen, is about."""

    def serve(connection: socket.socket) -> None:
        asked = ocsp.load_der_ocsp_request(serve.vendor.seen[-1].partition(b"\r\n\r\n")[2])  # type: ignore[attr-defined]
        certificates = [device.leaf, *(one.certificate for one in (*device.chain, device.rim_signer))]
        issuers = {one.certificate.subject: one for one in (*device.chain, device.root, device.rim_root)}
        found = next(one for one in certificates if one.serial_number == asked.serial_number)
        built = ocsp.OCSPResponseBuilder().add_response(
            found,
            issuers[found.issuer].certificate,
            hashes.SHA384(),
            status,
            start,
            start + 7 * DAY,
            start if status is ocsp.OCSPCertStatus.REVOKED else None,
            reason,
        )
        built = built.responder_id(ocsp.OCSPResponderEncoding.HASH, issuers[found.issuer].certificate)
        if nonce:
            built = built.add_extension(asked.extensions.get_extension_for_class(OCSPNonce).value, critical=False)
        signed = built.sign(issuers[found.issuer].key, hashes.SHA384())
        connection.sendall(answer(200, signed.public_bytes(Encoding.DER), kind=RESPONSE))

    return serve


def stocked(vendor: Vendor, device: SimulatedNvidia, **said: object) -> None:
    driver, vbios = device.rims()
    vendor.tell(DRIVER_PATH, rim_answer(DRIVER_PATH, driver))
    vendor.tell(VBIOS_PATH, rim_answer(VBIOS_PATH, vbios))
    serve = responder(device, **said)  # type: ignore[arg-type]
    serve.vendor = vendor  # type: ignore[attr-defined]
    vendor.tell("/", serve)


def gathered(device: SimulatedNvidia, endorser: Endorser) -> Endorsements:
    return gather(device.evidence(NONCE), NOTHING, endorser, anchors=device.anchors(), when=WHEN)


def judged(device: SimulatedNvidia, found: Endorsements) -> NvidiaClaims:
    claims = authenticate(device.evidence(NONCE), found, anchors=device.anchors(), when=WHEN)
    assert isinstance(claims, NvidiaClaims)
    return claims


def test_what_nvidia_has_is_enough_for_the_judge(vendor: Vendor, device: SimulatedNvidia, endorser: Endorser) -> None:
    stocked(vendor, device)
    claims = judged(device, gathered(device, endorser))
    assert claims.ocsp == "good"
    assert all(claims.agreeing(part)[0].ocsp == "good" for part in Part)
    assert b"authorization: bearer key" in vendor.seen[0].lower()


def test_the_second_time_nothing_is_asked(vendor: Vendor, device: SimulatedNvidia, endorser: Endorser) -> None:
    stocked(vendor, device)
    first = gathered(device, endorser)
    asked = len(vendor.seen)
    assert (first, asked) == (gathered(device, endorser), len(vendor.seen))


def test_an_ocsp_answer_without_our_nonce_is_not_used(
    vendor: Vendor, device: SimulatedNvidia, endorser: Endorser, troubles: list[EnarxError]
) -> None:
    stocked(vendor, device, nonce=False)
    assert gathered(device, endorser).ocsp == ()
    assert {Reason.NONCE_MISMATCH} == {error.reason for error in troubles}


def test_an_old_ocsp_answer_is_not_used(
    vendor: Vendor, device: SimulatedNvidia, endorser: Endorser, troubles: list[EnarxError]
) -> None:
    stocked(vendor, device, start=WHEN - 30 * DAY)
    assert gathered(device, endorser).ocsp == ()
    assert {Reason.EXPIRED} == {error.reason for error in troubles}


def test_revoked_reaches_the_judge(vendor: Vendor, device: SimulatedNvidia, endorser: Endorser) -> None:
    stocked(vendor, device, status=ocsp.OCSPCertStatus.REVOKED, reason=ReasonFlags.key_compromise)
    found = gathered(device, endorser)
    with pytest.raises(Unauthentic) as caught:
        judged(device, found)
    assert Reason.REVOKED is caught.value.reason


def test_hold_reaches_the_judge_as_a_finding(vendor: Vendor, device: SimulatedNvidia, endorser: Endorser) -> None:
    stocked(vendor, device, status=ocsp.OCSPCertStatus.REVOKED, reason=ReasonFlags.certificate_hold)
    assert judged(device, gathered(device, endorser)).ocsp == "hold"


def test_a_manifest_that_nvidia_did_not_sign_is_neither_used_nor_kept(
    vendor: Vendor, device: SimulatedNvidia, endorser: Endorser, troubles: list[EnarxError]
) -> None:
    stocked(vendor, device)
    forged = SimulatedNvidia.made(WHEN)
    vendor.tell(DRIVER_PATH, rim_answer(DRIVER_PATH, forged.rims()[0]))
    claims = judged(device, gathered(device, endorser))
    assert claims.agreeing(Part.DRIVER) == ()
    assert {Reason.UNKNOWN_ANCHOR} == {error.reason for error in troubles}


def test_a_manifest_that_is_not_there_is_no_end(
    vendor: Vendor, device: SimulatedNvidia, endorser: Endorser, troubles: list[EnarxError]
) -> None:
    stocked(vendor, device)
    vendor.tell(VBIOS_PATH, answer(404))
    claims = judged(device, gathered(device, endorser))
    assert [match.part for match in claims.matches] == [Part.DRIVER]
    assert [error.reason for error in troubles] == [Reason.NOT_FOUND]


def test_a_switch_asks_for_its_bios(vendor: Vendor, endorser: Endorser) -> None:
    switch = SimulatedNvidia.made(WHEN, Kind.NVIDIA_SWITCH)
    gathered(switch, endorser)
    assert b"GET /v1/rim/NV_SWITCH_BIOS_5612_0002_890_96009F0001 HTTP/1.1" in [
        request.split(b"\r\n")[0] for request in vendor.seen
    ]


def test_a_device_that_nobody_vouches_for_asks_nothing(
    vendor: Vendor, device: SimulatedNvidia, endorser: Endorser, troubles: list[EnarxError]
) -> None:
    other = SimulatedNvidia.made(WHEN)
    gather(device.evidence(NONCE), NOTHING, endorser, anchors=other.anchors(), when=WHEN)
    assert (vendor.seen, [error.reason for error in troubles]) == ([], [Reason.UNKNOWN_ANCHOR])


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"[]", Malformed),
        (b"{}", Malformed),
        (b'{"rim": 1}', Malformed),
        (b'{"rim": "***"}', Malformed),
        (b'{"id": "OTHER", "rim": ""}', Unauthentic),
        (b'{"rim": "YQ==", "rim": "Yg=="}', Malformed),
    ],
)
def test_lies_of_the_rim_service_are_refused(body: bytes, error: type[EnarxError]) -> None:
    with pytest.raises(error):
        manifest_of(body, "NAME")


def test_a_manifest_comes_out_as_it_was(vendor: Vendor) -> None:
    assert manifest_of(b'{"id": "NAME", "rim": "YQ==", "more": 1}', "NAME") == b"a"
