"""Evidence of a TEE's own device, against emulated devices: none of this has run on hardware."""

from __future__ import annotations

import errno
import hashlib
import os
import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from enarx.errors import EnarxError, Malformed, Reason, Unauthentic, Undetermined
from enarx.evidence import snp_table
from enarx.evidence.authenticate import authenticate
from enarx.evidence.binding import Binding, Purpose, bound_digest
from enarx.evidence.kind import Kind
from enarx.platform.simulated.snp import SimulatedSnp
from enarx.platform.simulated.store import launched, open_machine
from enarx.platform.tee import tdx_device, tsm_device
from enarx.platform.tee.evidence import Paths, Snp, Tdx, found
from enarx.platform.tee.sev_device import SNP_GET_EXT_REPORT, SevGuest
from tests.platform.tee.emulated import SevIoctl, TdxIoctl, Tsm

NOW = datetime.now(UTC)
LAUNCH = b"L" * 32
BINDING = Binding(purpose=Purpose.ISSUE, spki=b"s" * 48, nonce=b"n" * 32, launch=LAUNCH)
PLACED = LAUNCH.ljust(48, b"\0")


@pytest.fixture(scope="module")
def chip() -> SimulatedSnp:
    return SimulatedSnp.made(NOW)


def table_of(certificates: tuple[bytes, ...]) -> bytes:
    names = (snp_table.VCEK, snp_table.ASK, snp_table.ARK)
    at, rows, blobs = 24 * (len(certificates) + 1), b"", b""
    for name, raw in zip(names, certificates, strict=True):
        rows += name.bytes + struct.pack("<II", at + len(blobs), len(raw))
        blobs += raw
    return rows + bytes(24) + blobs


def patiently(call: Any, *arguments: Any) -> Any:
    return call(*arguments, pause=lambda _: None)


def paths(**more: Any) -> Paths:
    nowhere = {"tsm": Path("/nowhere"), "sev_guest": "/nowhere", "tdx_guest": "/nowhere"}
    return Paths(**{**nowhere, "measurements": Path("/nowhere"), **more})


def snp(chip: SimulatedSnp, **more: Any) -> Tsm:
    return Tsm(lambda bound: (chip.report(bound, host_data=LAUNCH), table_of(chip.certificates)), **more)


def test_a_report_by_configfs_is_judged_with_the_hosts_certificates(chip: SimulatedSnp) -> None:
    tsm = snp(chip)
    tee = found(paths(tsm=tsm))
    assert tee is not None
    evidence, endorsements = tee.evidence(BINDING)
    claims = authenticate(evidence, endorsements, anchors=chip.anchors(), when=NOW)
    assert (bound_digest(Kind.SNP, BINDING), LAUNCH) == (claims.bound, claims.launch)
    assert {} == tsm.entries, "no request is left behind"


def test_an_answer_to_somebody_elses_write_is_asked_for_again(chip: SimulatedSnp) -> None:
    tsm = snp(chip, intrusions=(b"x" * 64, b"y" * 64, None))
    answer = patiently(tsm_device.report, bound_digest(Kind.SNP, BINDING), tsm)
    assert (3, bound_digest(Kind.SNP, BINDING)) == (tsm.made, answer.outblob[0x50:0x90])


def test_a_device_that_is_busy_or_throttled_is_asked_again_and_not_for_ever(chip: SimulatedSnp) -> None:
    waits: list[float] = []
    tsm = snp(chip, errors=(errno.EBUSY, errno.EAGAIN, errno.ETIMEDOUT))
    assert tsm_device.report(b"b" * 64, tsm, pause=waits.append).provider == "sev_guest"  # type: ignore[arg-type]
    assert len(waits) == 3
    with pytest.raises(Undetermined) as caught:
        patiently(tsm_device.report, b"b" * 64, snp(chip, errors=(errno.EBUSY,) * 99))
    assert Reason.TIMED_OUT == caught.value.reason


def test_a_device_that_fails_is_quoted_and_nothing_is_left_behind(chip: SimulatedSnp) -> None:
    tsm = snp(chip, errors=(errno.EIO,))
    with pytest.raises(Undetermined) as caught:
        patiently(tsm_device.report, b"b" * 64, tsm)
    assert (Reason.UNREACHABLE, {}) == (caught.value.reason, tsm.entries)


def test_the_lowest_privilege_that_the_kernel_allows_is_asked_for(chip: SimulatedSnp) -> None:
    tsm = snp(chip, floor=2)
    assert patiently(tsm_device.report, b"b" * 64, tsm).outblob


def test_an_interface_without_a_provider_is_none() -> None:
    assert tsm_device.provider(Tsm(lambda _: (b"", b""), absent=errno.ENXIO)) is None  # type: ignore[arg-type]
    assert tsm_device.provider(Path("/nowhere")) is None
    assert found(paths()) is None


def test_a_provider_that_nobody_knows_is_said() -> None:
    with pytest.raises(Undetermined) as caught:
        found(paths(tsm=Tsm(lambda _: (b"", b""), provider="other_guest")))
    assert Reason.BACKEND_UNAVAILABLE == caught.value.reason


def guest(ioctl: Any) -> SevGuest:
    return SevGuest(os.devnull, ioctl=ioctl, pause=lambda _: None)


def test_the_devices_own_ioctl_gives_report_and_certificates(chip: SimulatedSnp) -> None:
    small = SevIoctl(lambda bound: chip.report(bound, host_data=LAUNCH), table=table_of(chip.certificates))
    evidence, endorsements = Snp(paths(), guest(small), by_tsm=False).evidence(BINDING)
    claims = authenticate(evidence, endorsements, anchors=chip.anchors(), when=NOW)
    assert bound_digest(Kind.SNP, BINDING) == claims.bound
    assert [SNP_GET_EXT_REPORT] == small.asked


def test_a_larger_table_is_given_room(chip: SimulatedSnp) -> None:
    table = table_of(chip.certificates)
    ioctl = SevIoctl(chip.report, table=table + bytes(40_000))
    report, found_table = guest(ioctl).extended(b"b" * 64)
    assert (1184, [SNP_GET_EXT_REPORT] * 2) == (len(report), ioctl.asked)
    assert found_table.startswith(table)
    with pytest.raises(Malformed) as caught:
        guest(SevIoctl(chip.report, table=bytes(2 << 20))).extended(b"b" * 64)
    assert Reason.TOO_LARGE == caught.value.reason


def test_a_host_without_a_table_leaves_it_out(chip: SimulatedSnp) -> None:
    assert b"" == guest(SevIoctl(chip.report)).extended(b"b" * 64)[1]
    assert 1184 == len(guest(SevIoctl(chip.report)).report(b"b" * 64))


def test_a_host_that_throttles_is_asked_again_and_not_for_ever(chip: SimulatedSnp) -> None:
    ioctl = SevIoctl(chip.report, busy=3)
    assert 1184 == len(guest(ioctl).report(b"b" * 64))
    assert 4 == len(ioctl.asked)
    with pytest.raises(Undetermined) as caught:
        guest(SevIoctl(chip.report, busy=10_000)).report(b"b" * 64)
    assert (Reason.TIMED_OUT, True) == (caught.value.reason, "throttles" in caught.value.subject)


def test_a_firmware_error_and_a_bad_status_are_quoted(chip: SimulatedSnp) -> None:
    for ioctl, said in (
        (SevIoctl(chip.report, firmware_error=0x16), "0x16"),
        (SevIoctl(chip.report, status=0x27), "0x27"),
    ):
        with pytest.raises(Undetermined) as caught:
            guest(ioctl).report(b"b" * 64)
        assert (Reason.UNEXPECTED_ANSWER, True) == (caught.value.reason, said in caught.value.subject)


def test_a_key_is_derived_from_chip_measurement_and_policy(chip: SimulatedSnp) -> None:
    key = Snp(paths(), guest(SevIoctl(chip.report)), by_tsm=False).sealing_key()
    assert hashlib.sha256(b"chip" + (0b1001).to_bytes(8, "little")).digest() == key


def test_a_report_over_other_bytes_is_no_evidence(chip: SimulatedSnp) -> None:
    for tee in (
        found(paths(tsm=Tsm(lambda _: (chip.report(b"x" * 64), b"")))),
        Snp(paths(), guest(SevIoctl(lambda _: chip.report(b"x" * 64))), by_tsm=False),
    ):
        assert tee is not None
        with pytest.raises(Unauthentic) as caught:
            tee.evidence(BINDING)
        assert Reason.BINDING_MISMATCH == caught.value.reason


@pytest.fixture(scope="module")
def domain(tmp_path_factory: pytest.TempPathFactory) -> Any:
    machine = open_machine(Kind.TDX, tmp_path_factory.mktemp("tdx"), when=NOW)
    return launched(machine, LAUNCH, b"m" * 48)


def tdx(domain: Any, ioctl: TdxIoctl, measurements: Path) -> Tdx:
    tsm = Tsm(lambda bound: (domain.evidence(bound)[0].body, b""), provider="tdx_guest")
    return Tdx(paths(tsm=tsm, tdx_guest=os.devnull, measurements=measurements), ioctl)


def test_a_quote_by_configfs_is_judged(domain: Any, tmp_path: Path) -> None:
    evidence, _ = tdx(domain, TdxIoctl(PLACED), tmp_path).evidence(BINDING)
    _, endorsements = domain.evidence(bytes(64))
    machine = domain.machine
    claims = authenticate(evidence, endorsements, anchors=machine.intel.anchors(), when=NOW)
    assert (bound_digest(Kind.TDX, BINDING), PLACED) == (claims.bound, claims.launch)


class ExtendedFolder:
    """The kernel's folder of measurements: writing extends the emulated register."""

    def __init__(self, ioctl: TdxIoctl, *, obeys: bool = True) -> None:
        self.ioctl = ioctl
        self.obeys = obeys

    def __truediv__(self, name: str) -> Any:
        assert name == "rtmr3:sha384"
        return self

    def open(self, *_: Any, **__: Any) -> Any:
        return self

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def write(self, digest: bytes) -> None:
        if self.obeys:
            self.ioctl.rtmrs[3] = hashlib.sha384(self.ioctl.rtmrs[3] + digest).digest()


def test_a_launch_digest_that_came_late_is_extended_once_and_seen_there(domain: Any) -> None:
    ioctl = TdxIoctl()
    tee = tdx(domain, ioctl, ExtendedFolder(ioctl))  # type: ignore[arg-type]
    tee.evidence(BINDING)
    tee.evidence(BINDING)
    assert hashlib.sha384(bytes(48) + PLACED).digest() == ioctl.rtmrs[3]


def refused(tee: Tdx) -> EnarxError:
    with pytest.raises(EnarxError) as caught:
        tee.evidence(BINDING)
    return caught.value


def test_a_register_that_does_not_change_or_cannot_be_extended_ends_it(domain: Any, tmp_path: Path) -> None:
    ioctl = TdxIoctl()
    error = refused(tdx(domain, ioctl, ExtendedFolder(ioctl, obeys=False)))  # type: ignore[arg-type]
    assert (Undetermined, Reason.UNEXPECTED_ANSWER) == (type(error), error.reason)
    error = refused(tdx(domain, TdxIoctl(), tmp_path))
    assert (Undetermined, Reason.BACKEND_UNAVAILABLE) == (type(error), error.reason)


def test_a_machine_that_was_launched_for_something_else_makes_no_evidence(domain: Any, tmp_path: Path) -> None:
    error = refused(tdx(domain, TdxIoctl(b"o" * 48), tmp_path))
    assert (Unauthentic, Reason.LAUNCH_MISMATCH) == (type(error), error.reason)


def test_a_trust_domain_without_quotes_says_what_its_kernel_lacks() -> None:
    with pytest.raises(Undetermined) as caught:
        found(paths(tdx_guest=os.devnull))
    assert "CONFIG_TSM_REPORTS" in caught.value.hint
    with pytest.raises(Undetermined):
        tdx_device.registers("/nowhere")
