"""Intel quotes are read to the last byte, and the platform's certificate strictly."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enarx.codec import der
from enarx.errors import EnarxError, Malformed, Reason
from enarx.evidence import intel_pck, intel_pem, sgx, sgx_report, tdx, tdx_report
from enarx.evidence.intel_quote import MAX_BYTES
from enarx.platform.simulated.intel_pki import extension_of
from enarx.platform.simulated.intel_quote import platform
from enarx.platform.simulated.sgx import SimulatedSgx
from enarx.platform.simulated.tdx import SimulatedTdx

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
ENCLAVE = SimulatedSgx.made(WHEN)
DOMAIN = SimulatedTdx.made(WHEN)
V3 = ENCLAVE.quote(b"said")
V4 = DOMAIN.quote(b"said")
V5 = DOMAIN.quote(b"said", version=5)


def reason_of(raw: bytes, parse=tdx.parse) -> Reason:
    with pytest.raises(Malformed) as refused:
        parse(raw)
    return refused.value.reason


def with_bytes(raw: bytes, at: int, value: bytes) -> bytes:
    return raw[:at] + value + raw[at + len(value) :]


def test_every_version_and_body_is_read() -> None:
    said = b"said".ljust(64, b"\0")
    for version in (3, 4, 5):
        assert said == sgx.parse(ENCLAVE.quote(b"said", version=version)).enclave.report_data
    for version, td in ((4, "1.0"), (5, "1.0"), (5, "1.5")):
        report = tdx.parse(DOMAIN.quote(b"said", version=version, td=td))
        assert said == report.domain.report_data
        assert (td == "1.5") == (report.domain.tee_tcb_svn_2 is not None)
        assert version == report.quote.version


def test_zeros_may_follow_a_quote_and_nothing_else() -> None:
    assert tdx.parse(V4).quote.signed == tdx.parse(V4 + bytes(3000)).quote.signed
    assert Reason.TRAILING_BYTES is reason_of(V4 + bytes(10) + b"\1")
    assert Reason.TRAILING_BYTES is reason_of(V3 + b"\1", sgx.parse)
    assert Reason.TOO_LARGE is reason_of(V4 + bytes(MAX_BYTES))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (with_bytes(V4, 0, b"\2\0"), Reason.UNKNOWN_VERSION),
        (with_bytes(V4, 0, b"\6\0"), Reason.UNKNOWN_VERSION),
        (with_bytes(V4, 0, b"\3\0"), Reason.UNKNOWN_KIND),
        (with_bytes(V4, 2, b"\3\0"), Reason.ALGORITHM),
        (with_bytes(V4, 4, b"\0"), Reason.UNKNOWN_KIND),
        (with_bytes(V4, 4, b"\x82"), Reason.UNKNOWN_KIND),
        (with_bytes(V4, 12, b"\0"), Reason.UNKNOWN_VALUE),
        (with_bytes(V4, 632, b"\0\0\0\0"), Reason.TRAILING_BYTES),
        (with_bytes(V4, 632, (len(V4) - 636 + 1).to_bytes(4, "little")), Reason.TRUNCATED),
        (with_bytes(V4, 632, (len(V4) - 636 - 1).to_bytes(4, "little")), Reason.TRUNCATED),
        (with_bytes(V4, 764, b"\5\0"), Reason.UNKNOWN_KIND),
        (with_bytes(V5, 48, b"\4\0"), Reason.UNKNOWN_KIND),
        (with_bytes(V5, 48, b"\1\0"), Reason.INCONSISTENT),
        (with_bytes(V5, 48, b"\2\0"), Reason.INCONSISTENT),
        (with_bytes(V5, 50, b"\x89"), Reason.INCONSISTENT),
        (
            V4.replace(b"\5\0" + V4[V4.index(b"-----BEGIN") - 4 : V4.index(b"-----BEGIN")], b"\x08\0" + bytes(4), 1),
            Reason.UNKNOWN_KIND,
        ),
        (V3, Reason.UNKNOWN_KIND),
        (V4[:47], Reason.TRUNCATED),
        (b"", Reason.TRUNCATED),
    ],
)
def test_another_shape_is_malformed(raw: bytes, reason: Reason) -> None:
    assert reason is reason_of(raw)


def test_a_trust_domain_is_no_enclave_and_the_reverse() -> None:
    assert Reason.UNKNOWN_KIND is reason_of(V4, sgx.parse)
    assert Reason.UNKNOWN_KIND is reason_of(ENCLAVE.quote(b"", version=4))


@pytest.mark.parametrize("at", [20, 31, 96, 127, 160, 191, 262, 303])
def test_reserved_bytes_of_an_enclave_report_are_zero(at: int) -> None:
    assert Reason.RESERVED_NOT_ZERO is reason_of(with_bytes(V3, 48 + at, b"\1"), sgx.parse)


def test_report_bodies_have_their_size() -> None:
    for parse, sizes in ((sgx_report.parse, (0, 383, 385)), (tdx_report.parse, (0, 583, 585, 647, 649))):
        for size in sizes:
            assert Reason.WRONG_LENGTH is reason_of(bytes(size), lambda raw, parse=parse: parse(raw, "body"))


def test_captures_are_read_whatever_their_padding(evidence_dir: Path) -> None:
    for kind, parse in (("sgx", sgx.parse), ("tdx", tdx.parse)):
        for path in (evidence_dir / kind).glob("*/quote.bin"):
            raw = path.read_bytes()
            assert raw == parse(raw).quote.raw


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.data())
def test_changed_quotes_are_read_or_malformed(data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from([V3, V4, V5])))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    for parse in (sgx.parse, tdx.parse):
        try:
            parse(bytes(raw))
        except Malformed:
            continue


# --- the PCK certificate's extension -------------------------------------------------------------

SERVER = platform()
DESKTOP = platform(piid=None, dynamic_platform=None, cached_keys=None, smt=None, sgx_type="standard", pcesvn=300)


@pytest.mark.parametrize("described", [SERVER, DESKTOP])
def test_a_platform_is_read_as_it_was_written(described: intel_pck.Platform) -> None:
    assert described == intel_pck.parse(extension_of(described))


@given(
    st.binary(min_size=16, max_size=16), st.integers(0, 0xFFFF), st.binary(min_size=6, max_size=6),
    st.sampled_from(intel_pck.SGX_TYPES), st.booleans(),
)  # fmt: skip
@settings(max_examples=100, deadline=None, derandomize=True)
def test_any_platform_is_read_as_it_was_written(
    components: bytes, pcesvn: int, fmspc: bytes, sgx_type: str, flag: bool
) -> None:
    described = platform(components=components, pcesvn=pcesvn, fmspc=fmspc, sgx_type=sgx_type, smt=flag)
    assert described == intel_pck.parse(extension_of(described))


def entry(below: str, value: bytes) -> bytes:
    return der.write(der.SEQUENCE, der.write_oid(intel_pck.EXTENSION + below), value)


def entries_of(extension: bytes) -> list[bytes]:
    reader = der.Der(extension, "extension").sequence("all")
    found = []
    while reader.peek() is not None:
        found.append(reader.raw("entry"))
    return found


ENTRIES = entries_of(extension_of(SERVER))
WRONG = {
    "one missing": ENTRIES[1:],
    "TCB missing": [*ENTRIES[:1], *ENTRIES[2:]],
    "one twice": [*ENTRIES, ENTRIES[0]],
    "an unknown one": [*ENTRIES, entry(".9", der.write(der.NULL))],
    "another arc": [*ENTRIES[:-1], der.write(der.SEQUENCE, der.write_oid("1.2.3.4"), der.write(der.NULL))],
    "PPID short": [entry(".1", der.write(der.OCTET_STRING, bytes(15))), *ENTRIES[1:]],
    "PPID of another type": [entry(".1", der.write(der.UTF8_STRING, bytes(16))), *ENTRIES[1:]],
    "PPID with more after it": [entry(".1", der.write(der.OCTET_STRING, bytes(16)) + b"\5\0"), *ENTRIES[1:]],
    "an SGX type of the future": [*ENTRIES[:4], entry(".5", der.write(der.ENUMERATED, b"\3")), *ENTRIES[5:]],
    "a configuration of the future": [
        *ENTRIES[:6],
        entry(".7", der.write(der.SEQUENCE, entry(".7.4", der.write(der.BOOLEAN, b"\0")))),
    ],
    "a boolean that is neither": [
        *ENTRIES[:6],
        entry(".7", der.write(der.SEQUENCE, entry(".7.1", der.write(der.BOOLEAN, b"\1")))),
    ],
}


@pytest.mark.parametrize("name", WRONG)
def test_an_extension_of_another_shape_is_malformed(name: str) -> None:
    with pytest.raises(Malformed):
        intel_pck.parse(der.write(der.SEQUENCE, *WRONG[name]))


TCB = entries_of(ENTRIES[1][ENTRIES[1].index(b"\x30", 2) :])


@pytest.mark.parametrize(
    "changed",
    [
        TCB[:-1],
        [*TCB, TCB[0]],
        [TCB[1], TCB[0], *TCB[2:]],
        [*TCB[:15], TCB[14], *TCB[16:]],
        [entry(".2.1", der.write(der.INTEGER, b"\1\0")), *TCB[1:]],
        [entry(".2.1", der.write(der.INTEGER, b"\xff")), *TCB[1:]],
        [entry(".2.1", der.write(der.INTEGER, b"\0\1")), *TCB[1:]],
        [entry(".2.1", der.write(der.INTEGER, b"")), *TCB[1:]],
        [*TCB[:17], entry(".2.18", der.write(der.OCTET_STRING, bytes(15)))],
    ],
)
def test_a_tcb_of_another_shape_is_malformed(changed: list[bytes]) -> None:
    whole = [ENTRIES[0], entry(".2", der.write(der.SEQUENCE, *changed)), *ENTRIES[2:]]
    with pytest.raises(Malformed):
        intel_pck.parse(der.write(der.SEQUENCE, *whole))


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_any_bytes_are_an_extension_or_malformed(raw: bytes) -> None:
    for one in (raw, der.write(der.SEQUENCE, raw), raw + extension_of(SERVER)[len(raw) :]):
        try:
            intel_pck.parse(one)
        except Malformed:
            continue


# --- PEM -----------------------------------------------------------------------------------------

CHAIN = ENCLAVE.machine.intel.chain(ENCLAVE.machine.pck)


def test_a_chain_is_read_with_any_line_ends_and_nuls_after_it() -> None:
    wanted = intel_pem.blocks(CHAIN, "chain")
    for text in (CHAIN + b"\0", CHAIN.replace(b"\n", b"\r\n") + b"\0\0", CHAIN.rstrip(b"\n"), b"\n" + CHAIN):
        assert wanted == intel_pem.blocks(text, "chain")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"no certificate",
        CHAIN + b"x",
        CHAIN + b"\0 ",
        CHAIN + b"\0\n",
        b"x" + CHAIN,
        CHAIN.replace(b"-----BEGIN", b"x-----BEGIN", 2),
        CHAIN.replace(b"MI", b"*I", 1),
        CHAIN.replace(b"MI", b"=I", 1),
        CHAIN * 6,
        CHAIN + b"\n" * intel_pem.MAX_BYTES,
    ],
)
def test_other_text_is_no_chain(text: bytes) -> None:
    with pytest.raises(Malformed):
        intel_pem.blocks(text, "chain")


def test_base64_with_bits_left_over_is_refused() -> None:
    der_ = b"\x30\x02\x05\x00"  # four bytes: two bits of the last letter mean nothing
    text = intel_pem.armour(der_)
    assert [der_] == intel_pem.blocks(text, "chain")
    with pytest.raises(EnarxError):
        intel_pem.blocks(text.replace(b"AA==", b"AB=="), "chain")


def test_simulated_reports_are_encoded_as_they_are_read() -> None:
    made = ENCLAVE.quote(b"x", mrenclave=b"\1" * 32, config_svn=7)
    enclave = sgx.parse(made).enclave
    assert (b"\1" * 32, 7) == (enclave.mrenclave, enclave.config_svn)
    assert enclave == sgx_report.parse(msgspec.structs.replace(enclave).raw, "body")
