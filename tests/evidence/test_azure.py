"""Azure confidential VMs: hardware, paravisor and virtual TPM, each vouching for the next."""

from __future__ import annotations

import hashlib
import json
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from enarx.errors import EnarxError, Malformed, Reason, Unauthentic, Undetermined
from enarx.evidence import azure, tdx
from enarx.evidence.azure_hcl import parse
from enarx.evidence.azure_tdreport import require_same
from enarx.evidence.check import Trail
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.platform.simulated import pki
from enarx.platform.simulated.azure import SimulatedAzure, SimulatedAzureTdx
from enarx.platform.simulated.tpm import SimulatedTpm

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
VM = SimulatedAzure.made(NOW)
TDX_VM = SimulatedAzureTdx.started(NOW)
NONCE = b"nonce".ljust(32, b"\1")


def judge(evidence: Evidence, *, of: SimulatedAzure = VM, **more: Any) -> azure.AzureClaims:
    endorsements = more.pop("endorsements", of.endorsements())
    return azure.judge(evidence, endorsements, anchors=of.anchors(), when=more.pop("when", NOW), **more)


def refused(family: type[EnarxError], evidence: Evidence, **more: Any) -> Reason:
    with pytest.raises(family) as error:
        judge(evidence, **more)
    assert type(error.value) is family
    return error.value.reason


def test_a_genuine_machine_is_believed_from_the_processor_to_the_quote() -> None:
    claims = judge(VM.evidence(NONCE))
    assert (claims.kind, claims.bound, claims.authority) == (Kind.AZURE_SNP_VTPM, NONCE, "microsoft")
    assert claims.boot.pcrs["sha-256"] == VM.tpm.pcrs["sha-256"]
    assert claims.vm["secure-boot"] is True
    assert not claims.debug()
    assert claims.facts()["measurement"] == "00" * 48
    assert claims.window.not_after == NOW + timedelta(days=1)


def test_without_certificates_the_hardware_report_alone_vouches_for_the_key() -> None:
    assert judge(VM.evidence(NONCE, parts={"ak_certificates": None})).authority == "hcl"


def test_without_a_quote_nothing_is_bound() -> None:
    bare = Evidence(Kind.AZURE_SNP_VTPM, VM.hcl_report())
    assert (judge(bare).bound, judge(bare).boot) == (b"", None)


def test_a_part_of_a_quote_without_the_quote_is_malformed() -> None:
    assert refused(Malformed, VM.evidence(NONCE, parts={"quote": None})) is Reason.MISSING
    assert refused(Malformed, VM.evidence(NONCE, parts={"signature": None})) is Reason.MISSING
    assert refused(Malformed, VM.evidence(NONCE, parts={"more": b""})) is Reason.UNKNOWN_KEY


def test_runtime_data_that_the_report_is_not_over_is_not_believed() -> None:
    other = SimulatedAzure.made(NOW, chip=VM.chip)
    swapped = VM.evidence(NONCE, runtime=other.runtime(), report=VM.chip.report(bytes(64)))
    assert refused(Unauthentic, swapped) is Reason.KEY_NOT_BOUND


def test_a_report_of_the_guest_instead_of_the_paravisor_is_not_believed() -> None:
    assert refused(Unauthentic, VM.evidence(NONCE, vmpl=2)) is Reason.VMPL


def test_a_quote_by_another_key_is_not_believed() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    other = SimulatedTpm.made(NOW, key=key)
    quoted = {"signature": other.signed(VM.tpm.quote(NONCE))}
    assert refused(Unauthentic, VM.evidence(NONCE, parts=quoted)) is Reason.SIGNATURE_INVALID


def test_a_certificate_of_another_key_is_not_believed() -> None:
    other = SimulatedAzure.made(NOW)
    parts = {"ak_certificates": other.tpm.certificates()}
    assert refused(Unauthentic, VM.evidence(NONCE, parts=parts)) is Reason.KEY_NOT_BOUND


def test_the_hardware_is_asked_for_its_own_endorsements() -> None:
    assert refused(Undetermined, VM.evidence(NONCE), endorsements=Endorsements()) is Reason.ENDORSEMENT_MISSING


def test_a_list_of_the_keys_issuer_does_not_trouble_the_processors_chain() -> None:
    day = timedelta(days=1)
    current = msgspec.structs.replace(VM.endorsements(), crls=(pki.crl(VM.tpm.issuer, NOW, NOW + day),))
    assert judge(VM.evidence(NONCE), endorsements=current).authority == "microsoft"
    stale = msgspec.structs.replace(current, crls=(pki.crl(VM.tpm.issuer, NOW - 2 * day, NOW - day),))
    assert refused(Undetermined, VM.evidence(NONCE), endorsements=stale) is Reason.EXPIRED


def changed(**fields: Any) -> bytes:
    """An HCL report with other header fields, the report being over the runtime data all the same."""
    raw = bytearray(VM.hcl_report(**{k: v for k, v in fields.items() if k == "runtime"}))
    for name, at in (("version", 4), ("size", 8), ("request", 12), ("status", 16), ("data_size", 0x4C0),
                     ("runtime_version", 0x4C4), ("report_type", 0x4C8), ("hash_type", 0x4CC), ("length", 0x4D0)):  # fmt: skip
        if name in fields:
            struct.pack_into("<I", raw, at, fields[name])
    return bytes(raw)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"version": 3}, Reason.UNKNOWN_VERSION),
        ({"size": 7}, Reason.INCONSISTENT),
        ({"request": 1}, Reason.UNKNOWN_VALUE),
        ({"status": 1}, Reason.RESERVED_NOT_ZERO),
        ({"data_size": 1}, Reason.INCONSISTENT),
        ({"runtime_version": 2}, Reason.UNKNOWN_VERSION),
        ({"report_type": 3}, Reason.UNKNOWN_VALUE),
        ({"hash_type": 0}, Reason.UNKNOWN_VALUE),
        ({"length": 1 << 31}, Reason.INCONSISTENT),
        ({"runtime": b"[]"}, Reason.WRONG_TYPE),
        ({"runtime": b"{}"}, Reason.WRONG_TYPE),
        ({"runtime": b'{"keys":[]}'}, Reason.MISSING),
        ({"runtime": VM.runtime()[:-1] + b',"keys":[]}'}, Reason.DUPLICATE),
        ({"runtime": VM.runtime(keys=json.loads(VM.runtime())["keys"] * 2)}, Reason.MISSING),
        ({"runtime": VM.runtime(keys=[{"kid": "HCLAkPub", "kty": "EC"}])}, Reason.UNKNOWN_KIND),
        ({"runtime": VM.runtime(keys=[{"kid": "HCLAkPub", "kty": "RSA", "n": "!", "e": "AQAB"}])}, Reason.SYNTAX),
        ({"runtime": VM.runtime(keys=[{"kid": "HCLAkPub", "kty": "RSA", "n": "AA", "e": "AQAB"}])}, Reason.KEY_INVALID),
        ({"runtime": VM.runtime(**{"vm-configuration": []})}, Reason.WRONG_TYPE),
        ({"runtime": VM.runtime(**{"user-data": 1})}, Reason.WRONG_TYPE),
        ({"runtime": VM.runtime(**{"user-data": "x"})}, Reason.SYNTAX),
    ],
    ids=lambda value: str(value) if isinstance(value, Reason) else str(sorted(value)),
)
def test_an_hcl_report_of_another_shape_is_malformed(fields: dict[str, Any], reason: Reason) -> None:
    with pytest.raises(Malformed) as error:
        parse(changed(**fields))
    assert error.value.reason is reason


def test_a_report_of_one_kind_is_none_of_the_other() -> None:
    assert refused(Malformed, Evidence(Kind.AZURE_TDX_VTPM, VM.hcl_report())) is Reason.INCONSISTENT


@pytest.mark.parametrize("cut", [0, 3, 31, 32, 1215, 1216, 1235, 1236, 1400])
def test_a_report_that_was_cut_is_malformed(cut: int) -> None:
    with pytest.raises(Malformed):
        parse(VM.hcl_report()[:cut])


def test_a_genuine_trust_domain_is_believed_from_the_platform_to_the_quote() -> None:
    claims = judge(TDX_VM.evidence(NONCE), of=TDX_VM)
    assert (claims.kind, claims.bound, claims.authority) == (Kind.AZURE_TDX_VTPM, NONCE, "microsoft")
    assert claims.facts()["rtmr0"] == "00" * 48
    assert not claims.debug()


def test_a_trust_domain_in_debug_says_so() -> None:
    assert judge(TDX_VM.evidence(NONCE, td_attributes=b"\1".ljust(8, b"\0")), of=TDX_VM).debug()


def test_an_hcl_report_alone_is_no_attestation_of_a_trust_domain() -> None:
    alone = TDX_VM.evidence(NONCE, parts={"td_quote": None})
    assert refused(Undetermined, alone, of=TDX_VM) is Reason.ENDORSEMENT_MISSING


def test_the_quote_of_another_trust_domain_does_not_help() -> None:
    other = TDX_VM.domain.quote(hashlib.sha256(TDX_VM.runtime()).digest(), mrtd=b"\1" * 48)
    assert refused(Unauthentic, TDX_VM.evidence(NONCE, parts={"td_quote": other}), of=TDX_VM) is Reason.INCONSISTENT
    bound_to_nothing = TDX_VM.domain.quote(bytes(64))
    changed = TDX_VM.evidence(NONCE, parts={"td_quote": bound_to_nothing})
    assert refused(Unauthentic, changed, of=TDX_VM) is Reason.INCONSISTENT


def tdx_machine(evidence_dir: Path) -> tuple[bytes, tdx.TdxReport]:
    folder = evidence_dir / "azure-tdx-vtpm" / "trustee-v1"
    return parse((folder / "hcl_report.bin").read_bytes()).hardware, tdx.parse((folder / "td_quote.bin").read_bytes())


def test_a_tdreport_says_what_its_quote_says(evidence_dir: Path) -> None:
    hardware, quote = tdx_machine(evidence_dir)
    require_same(hardware, quote.domain, Trail())


@pytest.mark.parametrize("at", [128, 264, 280, 328, 376, 512, 520, 528, 576, 624, 672, 720, 768, 816, 864])
def test_a_tdreport_that_differs_from_its_quote_is_not_believed(evidence_dir: Path, at: int) -> None:
    hardware, quote = tdx_machine(evidence_dir)
    other = bytearray(hardware)
    other[at] ^= 1
    other[32:80] = hashlib.sha384(other[256 : 256 + 239]).digest()
    other[80:128] = hashlib.sha384(other[512:]).digest()
    with pytest.raises(Unauthentic) as error:
        require_same(bytes(other), quote.domain, Trail())
    assert error.value.reason is Reason.INCONSISTENT


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_any_bytes_are_a_report_or_malformed(raw: bytes) -> None:
    for one in (raw, VM.hcl_report()[:1236] + raw):
        with pytest.raises(Malformed):
            parse(one)
