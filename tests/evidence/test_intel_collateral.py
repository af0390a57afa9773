"""Intel's collateral is believed only whole, signed, current, and about the platform that is judged."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from enarx.errors import EnarxError, Malformed, Reason, Unauthentic, Undetermined
from enarx.evidence import (
    intel_collateral,
    intel_document,
    intel_intermediates,
    intel_pck,
    intel_pem,
    intel_qe_identity,
    intel_roots,
    intel_tcb_info,
    tdx,
)
from enarx.evidence.anchor import Anchors, Vendor
from enarx.evidence.endorsement import Endorsements, IntelCollateral
from enarx.evidence.intel_tcb_status import TcbStatus
from enarx.evidence.memory import Memory
from enarx.evidence.production import production
from enarx.platform.simulated import intel_documents, pki
from enarx.platform.simulated.intel_pki import SimulatedIntel, _authority, extension_of
from enarx.platform.simulated.intel_quote import Machine, platform
from enarx.platform.simulated.tdx import SimulatedTdx

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
DOMAIN = SimulatedTdx.made(WHEN)
MACHINE = DOMAIN.machine
QUOTE = DOMAIN.quote(b"")
GIVEN = DOMAIN.endorsements().intel
assert GIVEN is not None
INFO = json.loads(GIVEN.tcb_info)["tcbInfo"]
IDENTITY = json.loads(GIVEN.qe_identity)["enclaveIdentity"]
SECOND = timedelta(seconds=1)


def judge(intel: IntelCollateral | None, *, quote: bytes = QUOTE, when: datetime = WHEN, **more: Any) -> tdx.TdxClaims:
    anchors = more.pop("anchors", DOMAIN.anchors())
    return tdx.authenticate(tdx.parse(quote), Endorsements(intel=intel, **more), anchors=anchors, when=when)


def with_(**replaced: bytes) -> IntelCollateral:
    return msgspec.structs.replace(GIVEN, **replaced)


def answer(intel: IntelCollateral | None, **more: Any) -> tuple[type[EnarxError], Reason]:
    with pytest.raises(EnarxError) as refused:
        judge(intel, **more)
    return type(refused.value), refused.value.reason


def info(**changed: Any) -> bytes:
    return intel_documents.document("tcbInfo", {**INFO, **changed}, MACHINE.intel.signer.key)


def identity(**changed: Any) -> bytes:
    return intel_documents.document("enclaveIdentity", {**IDENTITY, **changed}, MACHINE.intel.signer.key)


def test_the_collateral_as_it_is_vouches_for_the_quote() -> None:
    claims = judge(GIVEN)
    assert TcbStatus.UP_TO_DATE is claims.standing.merged
    assert ("simulated", False) == (claims.anchors, claims.debug())
    assert claims.launch == bytes(48)
    assert not [c for c in claims.checks if c.says_no()]


def test_a_chain_with_any_part_missing_is_undetermined() -> None:
    assert (Undetermined, Reason.COLLATERAL_MISSING) == answer(None)
    for name in IntelCollateral.__struct_fields__:
        assert (Undetermined, Reason.COLLATERAL_MISSING) == answer(with_(**{name: b""})), name


def test_a_forged_quote_is_called_one_even_without_collateral() -> None:
    body = bytearray(QUOTE)
    body[200] ^= 1
    for intel in (None, with_(tcb_info=b"")):
        assert (Unauthentic, Reason.SIGNATURE_INVALID) == answer(intel, quote=bytes(body))


# --- who signed it -------------------------------------------------------------------------------


def test_documents_signed_by_another_key_are_not_believed() -> None:
    other = SimulatedIntel.made(WHEN)
    foreign = intel_documents.document("tcbInfo", INFO, other.signer.key)
    assert (Unauthentic, Reason.SIGNATURE_INVALID) == answer(with_(tcb_info=foreign))
    foreign = intel_documents.document("enclaveIdentity", IDENTITY, other.signer.key)
    assert (Unauthentic, Reason.SIGNATURE_INVALID) == answer(with_(qe_identity=foreign))
    signer = other.chain(other.signer.certificate)
    for name in ("tcb_chain", "qe_chain"):
        assert (Unauthentic, Reason.UNKNOWN_ANCHOR) == answer(with_(**{name: signer}))


def test_the_signer_of_collateral_is_called_so() -> None:
    """The PCK CA may sign certificates and no collateral, and the other way round."""
    assert (Unauthentic, Reason.CERTIFICATE_PROFILE) == answer(with_(tcb_chain=GIVEN.pck_crl_chain))
    assert (Unauthentic, Reason.CERTIFICATE_PROFILE) == answer(with_(pck_crl_chain=GIVEN.tcb_chain))
    for key in (MACHINE.intel.ca.key, MACHINE.intel.root.key, MACHINE.pck_key):
        made = intel_documents.document("tcbInfo", INFO, key)
        assert (Unauthentic, Reason.SIGNATURE_INVALID) == answer(with_(tcb_info=made))


@pytest.mark.parametrize("name", ["tcb_info", "qe_identity"])
def test_the_signature_is_over_the_bytes_received(name: str) -> None:
    raw = getattr(GIVEN, name)
    for changed in (raw.replace(b",", b", ", 1), raw.replace(b'"version"', b'"vers\\u0069on"', 1)):
        assert Reason.SIGNATURE_INVALID is answer(with_(**{name: changed}))[1]


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw[:-1] + b',"more":1}',
        lambda raw: b'{"signature":"' + b"0" * 128 + b'",' + raw[1:],
        lambda raw: raw[:-1] + b',"signature":"' + b"0" * 128 + b'"}',
        lambda raw: raw + b"{}",
        lambda raw: raw + raw,
        lambda raw: raw[:-3] + b'"}',
        lambda raw: raw.replace(b'"signature"', b'"signaturE"'),
        lambda raw: b"[" + raw + b"]",
        lambda raw: b"\xff" + raw,
        lambda raw: b"",
        lambda raw: b"[" * 100_000,
        lambda raw: b'{"tcbInfo":' + b"[" * 100_000,
    ],
)
def test_a_document_is_one_value_and_its_signature(change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(Malformed):
        intel_document.parse(change(GIVEN.tcb_info), "tcbInfo")


def test_the_parts_of_a_document_may_stand_in_either_order_and_far_apart() -> None:
    raw = GIVEN.tcb_info
    value, signature = raw[len(b'{"tcbInfo":') : -len(b',"signature":""}') - 128], raw[-131:-1]
    other = b'{ "signature" :\n' + signature + b' , "tcbInfo" : ' + value + b" }\n"
    assert intel_document.parse(raw, "tcbInfo") == intel_document.parse(other, "tcbInfo")


# --- what it may say -----------------------------------------------------------------------------

LEVEL = INFO["tcbLevels"][0]


def level(**tcb: Any) -> dict[str, Any]:
    return {**LEVEL, "tcb": {**LEVEL["tcb"], **tcb}}


def without(table: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in table.items() if name != key}


SVNS = LEVEL["tcb"]["sgxtcbcomponents"]
BAD_INFO: dict[str, dict[str, Any]] = {
    "version 1": {"version": 1},
    "version 4": {"version": 4},
    "version as text": {"version": "3"},
    "id of nothing": {"id": "QE"},
    "no levels": {"tcbLevels": []},
    "fifteen components": {"tcbLevels": [level(sgxtcbcomponents=SVNS[:15])]},
    "seventeen components": {"tcbLevels": [level(sgxtcbcomponents=[*SVNS, {"svn": 0}])]},
    "fifteen TDX components": {"tcbLevels": [level(tdxtcbcomponents=SVNS[:15])]},
    "no TDX components": {"tcbLevels": [level(tdxtcbcomponents=None)]},
    "a component of 256": {"tcbLevels": [level(sgxtcbcomponents=[{"svn": 256}, *SVNS[1:]])]},
    "a negative component": {"tcbLevels": [level(sgxtcbcomponents=[{"svn": -1}, *SVNS[1:]])]},
    "a component in parts": {"tcbLevels": [level(sgxtcbcomponents=[{"svn": 1.5}, *SVNS[1:]])]},
    "a component that says nothing": {"tcbLevels": [level(sgxtcbcomponents=[{}, *SVNS[1:]])]},
    "a huge PCESVN": {"tcbLevels": [level(pcesvn=65536)]},
    "no PCESVN": {"tcbLevels": [{**LEVEL, "tcb": without(LEVEL["tcb"], "pcesvn")}]},
    "one level twice": {"tcbLevels": [LEVEL, LEVEL]},
    "the same versions with another status": {"tcbLevels": [LEVEL, {**LEVEL, "tcbStatus": "OutOfDate"}]},
    "a status of the future": {"tcbLevels": [{**LEVEL, "tcbStatus": "Splendid"}]},
    "a status that is concluded": {"tcbLevels": [{**LEVEL, "tcbStatus": "TDRelaunchAdvised"}]},
    "no status": {"tcbLevels": [without(LEVEL, "tcbStatus")]},
    "no tcbDate": {"tcbLevels": [without(LEVEL, "tcbDate")]},
    "a date elsewhere": {"issueDate": "2025-12-31T23:00:00+01:00"},
    "a date without a zone": {"nextUpdate": "2026-01-31T00:00:00"},
    "a date that is none": {"issueDate": "2025-02-30T00:00:00Z"},
    "a level's date elsewhere": {"tcbLevels": [{**LEVEL, "tcbDate": "2025-01-01T00:00:00+02:00"}]},
    "FMSPC short": {"fmspc": "50806F0000"},
    "FMSPC not hexadecimal": {"fmspc": "50806F00000G"},
    "PCE-ID long": {"pceId": "000000"},
    "another kind of TCB": {"tcbType": 1},
    "no TDX module": {"tdxModule": None},
    "a module signer short": {"tdxModule": {**INFO["tdxModule"], "mrsigner": "00"}},
    "a module twice": {"tdxModuleIdentities": INFO["tdxModuleIdentities"] * 2},
    "a module level twice": {
        "tdxModuleIdentities": [
            {**INFO["tdxModuleIdentities"][0], "tcbLevels": [INFO["tdxModuleIdentities"][0]["tcbLevels"][0]] * 2}
        ]
    },
    "a module that needs configuration": {
        "tdxModuleIdentities": [
            {**INFO["tdxModuleIdentities"][0], "tcbLevels": [intel_documents.isv_level(1, "ConfigurationNeeded", WHEN)]}
        ]
    },
}


@pytest.mark.parametrize("name", BAD_INFO)
def test_an_unusual_tcb_info_is_malformed_though_signed(name: str) -> None:
    assert Malformed is answer(with_(tcb_info=info(**BAD_INFO[name])))[0]


@pytest.mark.parametrize("key", [key for key in INFO if key != "tdxModuleIdentities"])
def test_a_tcb_info_without_one_of_its_parts_is_malformed(key: str) -> None:
    made = intel_documents.document("tcbInfo", without(INFO, key), MACHINE.intel.signer.key)
    assert Malformed is answer(with_(tcb_info=made))[0]


BAD_IDENTITY: dict[str, dict[str, Any]] = {
    "version 1": {"version": 1},
    "id of another": {"id": "QVE"},
    "no levels": {"tcbLevels": []},
    "miscselect short": {"miscselect": "000000"},
    "a mask long": {"attributesMask": "F" * 34},
    "mrsigner not hexadecimal": {"mrsigner": "x" * 64},
    "isvprodid negative": {"isvprodid": -1},
    "a date elsewhere": {"nextUpdate": "2026-01-31T00:00:00-01:00"},
    "a level twice": {"tcbLevels": [IDENTITY["tcbLevels"][0]] * 2},
    "a status that is none of an enclave": {"tcbLevels": [intel_documents.isv_level(1, "SWHardeningNeeded", WHEN)]},
}


@pytest.mark.parametrize("name", BAD_IDENTITY)
def test_an_unusual_qe_identity_is_malformed_though_signed(name: str) -> None:
    assert Malformed is answer(with_(qe_identity=identity(**BAD_IDENTITY[name])))[0]


@pytest.mark.parametrize("key", list(IDENTITY))
def test_a_qe_identity_without_one_of_its_parts_is_malformed(key: str) -> None:
    made = intel_documents.document("enclaveIdentity", without(IDENTITY, key), MACHINE.intel.signer.key)
    assert Malformed is answer(with_(qe_identity=made))[0]


def test_a_level_listed_out_of_order_is_still_the_highest() -> None:
    backwards = info(tcbLevels=INFO["tcbLevels"][::-1])
    assert TcbStatus.UP_TO_DATE is judge(with_(tcb_info=backwards)).standing.merged


def test_a_version_2_document_is_for_sgx_only() -> None:
    old = intel_documents.tcb_info("TDX", MACHINE.platform, DOMAIN.fields["tee_tcb_svn"], WHEN, version=2)
    made = intel_documents.document("tcbInfo", old, MACHINE.intel.signer.key)
    assert Reason.COLLATERAL_MISMATCH is answer(with_(tcb_info=made))[1]


# --- whom it is about ----------------------------------------------------------------------------


def test_collateral_of_another_platform_is_refused() -> None:
    mismatch = (Unauthentic, Reason.COLLATERAL_MISMATCH)
    assert mismatch == answer(with_(tcb_info=info(fmspc="50806F000001")))
    assert mismatch == answer(with_(tcb_info=info(pceId="0100")))
    assert mismatch == answer(with_(qe_identity=identity(id="QE")))
    sgx_info = intel_documents.tcb_info("SGX", MACHINE.platform, bytes(16), WHEN)
    made = intel_documents.document("tcbInfo", sgx_info, MACHINE.intel.signer.key)
    assert mismatch == answer(with_(tcb_info=made))


@pytest.mark.parametrize(
    "changed",
    [
        {"mrsigner": "11" * 32},
        {"isvprodid": 1},
        {"attributes": "13000000000000000000000000000000"},
        {"miscselect": "00000001"},
    ],
)
def test_another_quoting_enclave_is_refused(changed: dict[str, Any]) -> None:
    assert (Unauthentic, Reason.QUOTING_ENCLAVE) == answer(with_(qe_identity=identity(**changed)))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"mrsignerseam": b"\1" * 48}, Reason.SIGNER_NOT_ACCEPTED),
        ({"seam_attributes": b"\1" + bytes(7)}, Reason.FIELD_NOT_ACCEPTED),
        ({"tee_tcb_svn": bytes((5, 2, 2)) + bytes(13)}, Reason.COLLATERAL_MISMATCH),
    ],
)
def test_another_tdx_module_is_refused(fields: dict[str, bytes], reason: Reason) -> None:
    assert (Unauthentic, reason) == answer(GIVEN, quote=DOMAIN.quote(b"", **fields))


def test_the_crl_is_of_the_ca_that_issued_the_pck_certificate() -> None:
    """Genuine and current, but of the processor CA beside it under the same root."""
    intel = MACHINE.intel
    other = msgspec.structs.replace(intel, ca=_ca_below(intel.root, "Intel SGX PCK Processor CA"))
    swapped = with_(pck_crl=other.pck_crl(WHEN), pck_crl_chain=other.chain(other.ca.certificate))
    assert (Unauthentic, Reason.COLLATERAL_MISMATCH) == answer(swapped)
    assert (Unauthentic, Reason.CHAIN_BROKEN) == answer(with_(pck_crl=other.pck_crl(WHEN)))
    assert (Unauthentic, Reason.CHAIN_BROKEN) == answer(with_(pck_crl=GIVEN.root_crl))
    assert (Unauthentic, Reason.CHAIN_BROKEN) == answer(with_(root_crl=GIVEN.pck_crl))


def _ca_below(root: pki.Authority, common_name: str) -> pki.Authority:
    made = SimulatedIntel.made(WHEN)
    names = {"Intel SGX PCK Processor CA": made}
    key = names[common_name].ca.key
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
    built = (
        x509.CertificateBuilder(root.certificate.subject, subject, key.public_key(), 5, WHEN - SECOND, WHEN + 40 * DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(root.key, pki.digest_of(root.key))
    )
    return pki.Authority(built, key)


DAY = timedelta(days=1)


# --- revocation ----------------------------------------------------------------------------------


def test_whatever_a_crl_lists_is_refused() -> None:
    intel = MACHINE.intel
    for serial in (intel.ca.certificate.serial_number, intel.signer.certificate.serial_number):
        revoked = intel.root_crl(WHEN, revoked=(7, serial))
        assert (Unauthentic, Reason.REVOKED) == answer(with_(root_crl=revoked))
    revoked = intel.pck_crl(WHEN, revoked=(MACHINE.pck.serial_number, 7))
    assert (Unauthentic, Reason.REVOKED) == answer(with_(pck_crl=revoked))
    assert judge(with_(pck_crl=intel.pck_crl(WHEN, revoked=(7, 8))))


def test_a_crl_listing_the_platform_is_asked_again_when_the_rest_is_remembered() -> None:
    memory: Memory[Any] = Memory()
    report, anchors = tdx.parse(QUOTE), DOMAIN.anchors()
    for _ in range(2):
        tdx.authenticate(report, Endorsements(intel=GIVEN), anchors=anchors, when=WHEN, memory=memory)
    revoked = with_(pck_crl=MACHINE.intel.pck_crl(WHEN, revoked=(MACHINE.pck.serial_number,)))
    with pytest.raises(Unauthentic) as refused:
        tdx.authenticate(report, Endorsements(intel=revoked), anchors=anchors, when=WHEN, memory=memory)
    assert Reason.REVOKED is refused.value.reason


def test_what_is_remembered_is_refused_when_its_time_is_over_and_under_other_anchors() -> None:
    memory: Memory[Any] = Memory()
    report, given_ = tdx.parse(QUOTE), Endorsements(intel=GIVEN)
    first = tdx.authenticate(report, given_, anchors=DOMAIN.anchors(), when=WHEN, memory=memory)
    again = tdx.authenticate(report, given_, anchors=DOMAIN.anchors(), when=WHEN, memory=memory)
    assert first == again
    with pytest.raises(Undetermined):
        tdx.authenticate(report, given_, anchors=DOMAIN.anchors(), when=WHEN + 31 * DAY, memory=memory)
    for anchors in (production(), SimulatedIntel.made(WHEN).anchors(), Anchors("none", {})):
        with pytest.raises(Unauthentic) as refused:
            tdx.authenticate(report, given_, anchors=anchors, when=WHEN, memory=memory)
        assert Reason.UNKNOWN_ANCHOR is refused.value.reason


def test_a_crl_may_be_pem() -> None:
    crl = x509.load_der_x509_crl(GIVEN.pck_crl)
    from cryptography.hazmat.primitives.serialization import Encoding

    pem = crl.public_bytes(Encoding.PEM)
    assert judge(with_(pck_crl=pem))
    assert Malformed is answer(with_(pck_crl=pem.replace(b"MI", b"*I", 1)))[0]
    assert Malformed is answer(with_(pck_crl=pem + pem))[0]


# --- times ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("replaced", "reason"),
    [
        ({"tcb_info": info(nextUpdate=intel_documents.date(WHEN - SECOND))}, Reason.EXPIRED),
        ({"tcb_info": info(issueDate=intel_documents.date(WHEN + SECOND))}, Reason.NOT_YET_VALID),
        ({"qe_identity": identity(nextUpdate=intel_documents.date(WHEN - SECOND))}, Reason.EXPIRED),
        ({"qe_identity": identity(issueDate=intel_documents.date(WHEN + SECOND))}, Reason.NOT_YET_VALID),
        ({"pck_crl": MACHINE.intel.pck_crl(WHEN - 31 * DAY)}, Reason.EXPIRED),
        ({"pck_crl": MACHINE.intel.pck_crl(WHEN + DAY)}, Reason.NOT_YET_VALID),
        ({"root_crl": MACHINE.intel.root_crl(WHEN - 366 * DAY)}, Reason.EXPIRED),
        ({"root_crl": MACHINE.intel.root_crl(WHEN + DAY)}, Reason.NOT_YET_VALID),
    ],
)
def test_collateral_that_is_not_current_leaves_the_question_open(replaced: dict[str, bytes], reason: Reason) -> None:
    assert (Undetermined, reason) == answer(with_(**replaced))


def test_it_holds_up_to_the_last_second_and_no_longer() -> None:
    window = judge(GIVEN).window
    assert window is not None
    assert judge(GIVEN, when=window.not_before)
    assert judge(GIVEN, when=window.not_after)
    for when in (window.not_before - SECOND, window.not_after + SECOND):
        assert answer(GIVEN, when=when)[1] in {Reason.EXPIRED, Reason.NOT_YET_VALID}


def test_certificates_out_of_their_time_are_refused() -> None:
    later = WHEN + 3651 * DAY
    kept = Machine.collateral(MACHINE, 0x81, DOMAIN.fields["tee_tcb_svn"], later)
    assert (Unauthentic, Reason.EXPIRED) == answer(kept, when=later)


# --- Intel's own ---------------------------------------------------------------------------------


def test_the_pinned_intermediates_are_signed_by_the_root() -> None:
    root = intel_roots.roots()[0]
    known = intel_intermediates._known()
    assert len(known) == 5
    for certificate in known.values():
        assert certificate.issuer == root.subject
        assert certificate.signed_by(root.public_key)
        assert all(intel_intermediates.signed_by(one, certificate.raw) for one in intel_roots.roots())
    other = DOMAIN.anchors().of(Vendor.INTEL)[0]
    assert all(intel_intermediates.signed_by(other, raw) is None for raw in known)


def test_both_roots_are_one_key_that_signed_itself() -> None:
    newer, older = intel_roots.roots()
    assert (newer.subject, newer.spki) == (older.subject, older.spki)
    assert newer.signed_by(newer.public_key)
    assert older.signed_by(newer.public_key)
    assert newer.spki[-64:].hex().startswith("0ba9c4c0")


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_any_bytes_are_a_document_or_malformed(raw: bytes) -> None:
    for parse in (
        lambda: intel_document.parse(raw, "tcbInfo"),
        lambda: intel_tcb_info.parse(raw),
        lambda: intel_qe_identity.parse(raw),
        lambda: intel_tcb_info.parse(json.dumps(INFO).encode()[: len(raw)] + raw),
    ):
        try:
            parse()
        except Malformed:
            continue


def test_a_quote_that_only_names_its_certificate_is_judged_with_the_chain_beside_it() -> None:
    """Certification data of type 1 (PPID in clear) in place of type 5."""
    named = QUOTE.replace(
        b"\5\0" + (len(QUOTE) - QUOTE.index(b"-----BEGIN")).to_bytes(4, "little"), b"\1\0" + bytes(4), 1
    )
    start = named.index(b"-----BEGIN")
    cut = len(named) - start
    short = bytearray(named[:start])
    for at in (632, 766):
        short[at : at + 4] = (int.from_bytes(named[at : at + 4], "little") - cut).to_bytes(4, "little")
    assert (Undetermined, Reason.KEY_MISSING) == answer(GIVEN, quote=bytes(short))
    chain = tuple(pki.der(one) for one in (MACHINE.intel.root.certificate, MACHINE.pck, MACHINE.intel.ca.certificate))
    claims = judge(GIVEN, quote=bytes(short), certificates=chain)
    assert MACHINE.platform == claims.platform
    other = SimulatedTdx.made(WHEN, machine=Machine.made(WHEN, 0x81, intel=MACHINE.intel, described=platform()))
    wrong = tuple(pki.der(one) for one in (MACHINE.intel.root.certificate, other.machine.pck,
                                           MACHINE.intel.ca.certificate))  # fmt: skip
    assert (Unauthentic, Reason.SIGNATURE_INVALID) == answer(None, quote=bytes(short), certificates=wrong)


# --- certificates --------------------------------------------------------------------------------


def pck_with(**changed: Any) -> bytes:
    """The quote with another PCK certificate in its chain, by the same CA."""
    intel, platform_ = MACHINE.intel, MACHINE.platform
    key = changed.get("key", MACHINE.pck_key.public_key())
    extensions = changed.get("extensions", [x509.UnrecognizedExtension(SGX_OID, extension_of(platform_))])
    usual = [x509.BasicConstraints(ca=changed.get("ca", False), path_length=None)]
    leaf = pki.issued(
        changed.get("name", "Intel SGX PCK Certificate"), key, intel.ca, WHEN - DAY, WHEN + DAY,
        extensions=[(one, False) for one in (*usual, *extensions)],
    )  # fmt: skip
    machine = msgspec.structs.replace(MACHINE, pck=leaf)
    return SimulatedTdx(machine, WHEN, DOMAIN.fields).quote(b"")


SGX_OID = x509.ObjectIdentifier(intel_pck.EXTENSION)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"name": "Intel SGX PCK Platform CA"}, Reason.CERTIFICATE_PROFILE),
        ({"ca": True}, Reason.CERTIFICATE_PROFILE),
        ({"extensions": []}, Reason.CERTIFICATE_PROFILE),
        ({"key": ec.generate_private_key(ec.SECP384R1()).public_key()}, Reason.ALGORITHM),
        ({"key": ec.generate_private_key(ec.SECP256R1()).public_key()}, Reason.SIGNATURE_INVALID),
    ],
)
def test_a_pck_certificate_has_the_profile_of_one(changed: dict[str, Any], reason: Reason) -> None:
    assert judge(GIVEN, quote=pck_with())
    assert (Unauthentic, reason) == answer(GIVEN, quote=pck_with(**changed))


def test_a_chain_has_as_many_certificates_as_it_should() -> None:
    for name in ("tcb_chain", "qe_chain", "pck_crl_chain"):
        blocks = [intel_pem.armour(one) for one in intel_pem.blocks(getattr(GIVEN, name), name)]
        for text in (blocks[0], blocks[0] + b"".join(blocks), b"".join(blocks[::-1])):
            assert answer(with_(**{name: text}))[1] in {Reason.WRONG_LENGTH, Reason.UNKNOWN_ANCHOR}


def test_two_signers_of_collateral_are_both_looked_up() -> None:
    intel = MACHINE.intel
    second = _authority("Intel SGX TCB Signing", WHEN, intel.root, ca=False)
    identity_ = intel_documents.document("enclaveIdentity", IDENTITY, second.key)
    given_ = with_(qe_identity=identity_, qe_chain=intel.chain(second.certificate))
    assert judge(given_)
    revoked = intel.root_crl(WHEN, revoked=(second.certificate.serial_number,))
    assert (Unauthentic, Reason.REVOKED) == answer(msgspec.structs.replace(given_, root_crl=revoked))


def test_collateral_can_be_verified_before_anybody_judges_with_it() -> None:
    roots = DOMAIN.anchors().of(Vendor.INTEL)
    found = intel_collateral.verified(GIVEN, roots, memory=Memory())
    assert (19, "TDX") == (found.info.evaluation_number, found.info.tee)
    with pytest.raises(Unauthentic):
        intel_collateral.verified(GIVEN, production().of(Vendor.INTEL), memory=Memory())


def test_a_signature_has_one_spelling() -> None:
    raw = GIVEN.tcb_info
    signature = raw[-130:-2]
    assert judge(with_(tcb_info=raw.replace(signature, signature.upper())))
    mixed = signature[:64].upper() + signature[64:]
    if mixed not in {signature, signature.upper()}:
        assert (Malformed, Reason.NOT_CANONICAL) == answer(with_(tcb_info=raw.replace(signature, mixed)))
    assert (Malformed, Reason.MISSING) == answer(with_(tcb_info=GIVEN.qe_identity))
    assert (Malformed, Reason.TOO_LARGE) == answer(with_(tcb_info=raw + b" " * intel_document.MAX_BYTES))
