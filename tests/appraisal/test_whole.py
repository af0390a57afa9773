"""What a policy asks of all members together: each question alone refuses, and none is skipped."""

from __future__ import annotations

import tomllib
import typing
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from enarx.appraisal import none, snp
from enarx.appraisal.appraise import appraise
from enarx.appraisal.policy import Loaded, Policy, load
from enarx.appraisal.result import Appraisal
from enarx.appraisal.tied import NOTHING, Expected
from enarx.appraisal.workload import Package
from enarx.codec.digest import sha256, sha384
from enarx.codec.x509 import Certificate
from enarx.errors import Misused, Reason, Unacceptable, Undetermined
from enarx.evidence import binding, endorsement
from enarx.evidence.anchor import SIMULATED, Anchors, Vendor
from enarx.evidence.authenticate import authenticate
from enarx.evidence.check import Verdict
from enarx.evidence.claims import Claims
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from tests.appraisal.test_field_vectors import checks

ROOT = Path(__file__).resolve().parents[2] / "vectors" / "policy" / "whole"
GENUINE = ROOT / "genuine"
FIELDS = sorted(path.name for path in ROOT.iterdir() if path.name != "genuine")
SECTIONS = {field for field, kind in Policy.__annotations__.items() if "Policy" in str(kind)}
# `name` and `security_version` say which policy it is; `log` is asked of a certificate by `enarx verify`.
NOT_QUESTIONS = {"name", "security_version", "log"}


def said(field: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / field / "expected.toml").read_text())


def claims_of(expected: dict[str, Any]) -> Claims:
    anchors = Anchors(SIMULATED, {Vendor.AMD: (Certificate((GENUINE / "root.der").read_bytes()),)})
    given = endorsement.decode((GENUINE / "endorsements.cbor").read_bytes())
    if expected["crl"]:
        given = msgspec.structs.replace(given, crls=((GENUINE / "crl.der").read_bytes(),))
    evidence = Evidence(Kind.SNP, (GENUINE / "evidence.bin").read_bytes())
    return authenticate(evidence, given, anchors=anchors, when=expected["when"])


def expected_of(said: dict[str, Any]) -> Expected:
    return Expected(
        binding=binding.parse(bytes.fromhex(said["binding"])),
        fresh=said["fresh"],
        launch=bytes.fromhex(said["launch"]),
        package=Package(
            digest=bytes.fromhex(said["package"]),
            signers=frozenset(map(bytes.fromhex, said["signers"])),
            security_version=said["package_security_version"],
        ),
        linked=frozenset((a, b) for a, b in said["linked"]),
    )


def appraised(field: str, **changes: Any) -> Appraisal:
    expected = said(field)
    loaded = load((ROOT / field / "policy.toml").read_bytes(), field)
    loaded = Loaded(msgspec.structs.replace(loaded.policy, **changes), loaded.digest)
    return appraise((claims_of(expected),) * expected["members"], loaded, expected_of(expected), when=expected["when"])


def test_every_question_has_a_vector() -> None:
    assert set(Policy.__struct_fields__) - SECTIONS - NOT_QUESTIONS == set(FIELDS)


def test_the_genuine_evidence_is_accepted_with_every_question_asked() -> None:
    appraisal = appraised("genuine")
    assert appraisal.accepted().appraisal == appraisal
    assert {"unchecked"} & {c.verdict for c in appraisal.checks} == set()


@pytest.mark.parametrize("field", FIELDS)
def test_a_question_alone_refuses(field: str) -> None:
    refusals = appraised(field).refusals()
    assert {(said(field)["reason"], f"policy: {field}")} == {(str(c.reason), c.source) for c in refusals}


@pytest.mark.parametrize("field", [field for field in FIELDS if field != "launch_field"])
def test_left_open_it_accepts_the_same_evidence(field: str) -> None:
    opened = appraised(field, **{field: None if field == "expires" else "unchecked"})
    assert opened.refusals() == ()


@pytest.mark.parametrize("mode", ["required", "late", "unchecked"])
def test_a_contradicting_launch_field_is_never_accepted(mode: str) -> None:
    (refusal,) = appraised("launch_field", launch_field=mode).refusals()
    assert refusal.reason is Reason.LAUNCH_MISMATCH


def judged(claims: Claims, expected: Expected = NOTHING, **changes: Any) -> Appraisal:
    loaded = load((GENUINE / "policy.toml").read_bytes(), "genuine")
    opened = dict.fromkeys(
        ("binding", "freshness", "launch_field", "workload", "package_signers", "minimum_package_security_version",
         "revocation"), "unchecked",
    )  # fmt: skip
    policy = msgspec.structs.replace(loaded.policy, **{**opened, **changes})
    return appraise((claims,), Loaded(policy, loaded.digest), expected, when=said("genuine")["when"])


@pytest.mark.parametrize(("mode", "reason"), [("required", Reason.LAUNCH_MISSING), ("late", None), ("unchecked", None)])
def test_an_empty_launch_field_satisfies_only_late_and_unchecked(mode: str, reason: Reason | None) -> None:
    claims = msgspec.structs.replace(claims_of(said("genuine")), launch=bytes(32))
    refusals = judged(claims, Expected(launch=b"\1" * 32), launch_field=mode).refusals()
    assert [reason] * (reason is not None) == [c.reason for c in refusals]


@pytest.mark.parametrize("size", [32, 48, 64])
def test_the_launch_digest_is_padded_with_zeros_on_the_right(size: int) -> None:
    launch = b"\7" * 32
    claims = claims_of(said("genuine"))
    right = msgspec.structs.replace(claims, launch=launch.ljust(size, b"\0"))
    wrong = msgspec.structs.replace(claims, launch=launch.ljust(size - 1, b"\0") + b"\1")
    expected = Expected(launch=launch)
    assert judged(right, expected, launch_field="required").refusals() == ()
    assert [c.reason for c in judged(wrong, expected, launch_field="late").refusals()] == [Reason.LAUNCH_MISMATCH]


def test_without_a_launch_document_a_launch_field_cannot_be_judged() -> None:
    with pytest.raises(Undetermined):
        judged(claims_of(said("genuine")), launch_field="required").accepted()


def test_a_technology_without_a_launch_field_does_not_satisfy_required() -> None:
    claims = msgspec.structs.replace(claims_of(said("genuine")), launch=None)
    assert [c.reason for c in judged(claims, launch_field="required").refusals()] == [Reason.LAUNCH_MISSING]
    assert judged(claims, launch_field="late").refusals() == ()


@pytest.mark.parametrize(
    ("kind", "digest"),
    [(Kind.SNP, "sha512"), (Kind.TDX, "sha512"), (Kind.SGX, "sha512"), (Kind.CCA, "sha512"), (Kind.NONE, "sha512"),
     (Kind.TPM, "sha256"), (Kind.NITRO, "sha256"), (Kind.NITROTPM, "sha256"), (Kind.NVIDIA_GPU, "sha256"),
     (Kind.AZURE_SNP_VTPM, "sha256")],
)  # fmt: skip
def test_which_digest_of_the_map_each_kind_signs_over(kind: Kind, digest: str) -> None:
    wanted = binding.parse(bytes.fromhex(said("genuine")["binding"]))
    claims = msgspec.structs.replace(claims_of(said("genuine")), kind=kind, bound=getattr(wanted, digest)())
    expected = Expected(binding=wanted, fresh=True)
    asked = {"binding": "enarx-binding-1", "freshness": "nonce"}
    assert judged(claims, expected, **asked).refusals() == ()
    longer = msgspec.structs.replace(claims, bound=claims.bound + b"\0")
    assert [c.reason for c in judged(longer, expected, **asked).refusals()] == [Reason.BINDING_MISMATCH]


def test_upstreams_bare_form_is_of_snp_and_sgx_only() -> None:
    spki = b"a SubjectPublicKeyInfo"
    claims = claims_of(said("genuine"))
    for kind, bound in ((Kind.SNP, sha384(spki) + bytes(16)), (Kind.SGX, sha256(spki) + bytes(32))):
        one = msgspec.structs.replace(claims, kind=kind, bound=bound)
        assert judged(one, Expected(spki=spki), binding="legacy-spki").refusals() == ()
        (refusal,) = judged(one, Expected(spki=b"another"), binding="legacy-spki").refusals()
        assert refusal.reason is Reason.BINDING_MISMATCH
    tdx = msgspec.structs.replace(claims, kind=Kind.TDX, bound=sha384(spki) + bytes(16))
    assert judged(tdx, Expected(spki=spki), binding="legacy-spki").refusals()[0].reason is Reason.BINDING_FORM
    assert judged(claims, binding="legacy-spki").refusals()[0].reason is Reason.BINDING_FORM


def test_links_make_one_whole_of_members() -> None:
    expected = {**said("composition"), "members": 3}
    loaded = load((ROOT / "composition" / "policy.toml").read_bytes(), "composition")
    members = (claims_of(expected),) * 3

    def refusals(*links: tuple[int, int]) -> int:
        whole = msgspec.structs.replace(expected_of(expected), linked=frozenset(links))
        return len(appraise(members, loaded, whole, when=expected["when"]).refusals())

    assert [
        refusals(), refusals((0, 1)), refusals((0, 1), (2, 1)), refusals((0, 2), (0, 1)), refusals((1, 2), (5, 0))
    ] == [1, 1, 0, 0, 1]  # fmt: skip


def test_nothing_at_all_is_not_judged() -> None:
    loaded = load((GENUINE / "policy.toml").read_bytes(), "genuine")
    with pytest.raises(Misused):
        appraise((), loaded, NOTHING, when=said("genuine")["when"])


def test_simulated_anchors_leave_their_mark_in_every_result() -> None:
    marks = [c for c in appraised("genuine").findings() if c.reason is Reason.SIMULATED]
    assert [(c.verdict, c.fact) for c in marks] == [(Verdict.NOTED, "simulated")]


def test_a_missing_section_accepts_nothing() -> None:
    with pytest.raises(Unacceptable) as caught:
        judged(claims_of(said("genuine")), snp=None).accepted()
    assert caught.value.reason == Reason.NO_POLICY_FOR_KIND


def test_a_keep_without_a_tee_satisfies_no_policy_for_a_tee() -> None:
    when = said("genuine")["when"]
    anchors = Anchors(SIMULATED, {})
    claims = authenticate(Evidence(Kind.NONE, bytes(64)), endorsement.NOTHING, anchors=anchors, when=when)
    assert [c.reason for c in judged(claims).refusals()] == [Reason.NO_TEE]
    assert [c.reason for c in judged(claims, none=none.unchecked()).refusals()] == [Reason.NO_TEE]
    accepted = judged(claims, none=none.NonePolicy(insecure="accepted"), snp=snp.unchecked())
    assert accepted.refusals() == ()
    assert Reason.NO_TEE in {c.reason for c in accepted.findings()}


def test_the_one_field_of_none_alone_refuses() -> None:
    for folder, reasons in (("genuine", []), ("insecure", [("no-tee", "policy: none.insecure")])):
        refusals = [c for c in checks("none", folder, said("genuine")["when"]) if c.says_no()]
        assert [(str(c.reason), c.source) for c in refusals] == reasons


@pytest.mark.parametrize("section", sorted(SECTIONS))
def test_every_field_of_every_section_has_a_vector(section: str) -> None:
    (kind,) = (one for one in typing.get_args(typing.get_type_hints(Policy)[section]) if one is not type(None))
    folders = {path.name for path in (ROOT.parent / section.replace("nvidia_", "nvidia-")).iterdir() if path.is_dir()}
    assert folders - {"genuine"} == set(kind.__struct_fields__)


def test_a_policy_is_current_up_to_its_last_instant() -> None:
    claims = claims_of(said("genuine"))
    when = said("genuine")["when"]
    assert judged(claims, expires=when).refusals() == ()
    assert [c.reason for c in judged(claims, expires=when - timedelta(seconds=1)).refusals()] == [Reason.EXPIRED]
