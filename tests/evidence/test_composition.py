"""Collections: what ties members, and what only looks like it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from enarx.appraisal import azure, snp, tpm
from enarx.appraisal.appraise import appraise
from enarx.appraisal.composition import joined
from enarx.appraisal.policy import Loaded, Policy
from enarx.appraisal.result import Appraisal
from enarx.appraisal.tied import Expected
from enarx.codec.digest import sha256, sha384, sha512
from enarx.errors import EnarxError, Misused, Reason, Unacceptable, Undetermined
from enarx.evidence.anchor import SIMULATED, Anchors
from enarx.evidence.binding import Binding, Purpose
from enarx.evidence.composition import authenticate_members, hub_data
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.tpm_key import spki_of
from enarx.platform.simulated.azure import SimulatedAzure
from enarx.platform.simulated.snp import SimulatedSnp
from enarx.platform.simulated.tpm import SimulatedTpm

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
CHIP, TPM, OTHER = SimulatedSnp.made(NOW), SimulatedTpm.made(NOW), SimulatedTpm.made(NOW)
VM = SimulatedAzure.made(NOW, chip=CHIP)
BINDING = Binding(purpose=Purpose.ISSUE, spki=bytes(48), nonce=b"\1" * 32, launch=bytes(32))
POLICY = Policy(
    name="collection",
    security_version=1,
    package_signers="unchecked",
    minimum_package_security_version="unchecked",
    expires=None,
    binding="enarx-binding-1",
    freshness="nonce",
    launch_field="unchecked",
    workload="unchecked",
    revocation="unchecked",
    snp=snp.unchecked(),
    azure=azure.unchecked(),
    tpm=tpm.unchecked(),
)
QUOTE = TPM.evidence(BINDING.sha256())


def report(report_data: bytes) -> Evidence:
    return Evidence(Kind.SNP, CHIP.report(report_data))


def judged(members: tuple[Evidence, ...], policy: Policy = POLICY, binding: Binding = BINDING) -> Appraisal:
    roots = {v: VM.anchors().of(v) for v in VM.anchors().roots}
    roots |= {v: CHIP.anchors().of(v) + TPM.anchors().of(v) + OTHER.anchors().of(v) for v in TPM.anchors().roots}
    anchors = Anchors(SIMULATED, {**roots, **CHIP.anchors().roots})
    claims = authenticate_members(members, (CHIP.endorsements(),) * len(members), anchors=anchors, when=NOW)
    expected = joined(members, claims, Expected(binding=binding, fresh=True))
    return appraise(claims, Loaded(policy, b""), expected, when=NOW)


def refusal(family: type[EnarxError], *args: Any, **more: Any) -> Reason:
    with pytest.raises(family) as error:
        judged(*args, **more).accepted()
    return error.value.reason


@pytest.mark.parametrize("order", [1, -1])
def test_a_report_over_the_digests_of_the_others_ties_them(order: int) -> None:
    judged((report(hub_data(Kind.SNP, BINDING, (QUOTE,))), QUOTE)[::order]).accepted()


def test_of_three_members_all_are_tied() -> None:
    second = OTHER.evidence(BINDING.sha256())
    judged((QUOTE, report(hub_data(Kind.SNP, BINDING, (QUOTE, second))), second)).accepted()


@pytest.mark.parametrize("digest", [sha256, sha384, sha512])
def test_a_report_that_names_the_attestation_key_ties_its_quote(digest: Any) -> None:
    named = digest(spki_of(TPM.key.public_key())).ljust(64, b"\0")
    judged((report(named), QUOTE)).accepted()


def test_the_same_challenge_alone_ties_nothing_and_a_policy_may_say_so() -> None:
    members = (report(BINDING.sha512()), QUOTE)
    assert refusal(Unacceptable, members) is Reason.COMPOSITION_UNPROVEN
    judged(members, msgspec.structs.replace(POLICY, composition="unchecked")).accepted()


@pytest.mark.parametrize(
    "others",
    [
        (),
        (OTHER.evidence(BINDING.sha256()),),
        (QUOTE, QUOTE),
        (Evidence(Kind.NVIDIA_GPU, QUOTE.body, QUOTE.parts),),
    ],
    ids=["none", "another TPM", "one more", "another kind"],
)
def test_a_report_over_other_members_ties_nothing(others: tuple[Evidence, ...]) -> None:
    assert refusal(Unacceptable, (report(hub_data(Kind.SNP, BINDING, others)), QUOTE)) is Reason.BINDING_MISMATCH


def test_a_report_over_another_binding_ties_nothing() -> None:
    other = msgspec.structs.replace(BINDING, nonce=b"\2" * 32)
    assert refusal(Unacceptable, (report(hub_data(Kind.SNP, other, (QUOTE,))), QUOTE)) is Reason.BINDING_MISMATCH


def test_a_quote_over_another_nonce_is_refused_however_it_is_tied() -> None:
    stale = TPM.evidence(b"\2" * 32)
    named = sha256(spki_of(TPM.key.public_key())).ljust(64, b"\0")
    for members in ((report(hub_data(Kind.SNP, BINDING, (stale,))), stale), (report(named), stale)):
        assert refusal(Unacceptable, members) is Reason.BINDING_MISMATCH


def test_a_report_that_names_a_key_of_nobody_in_the_collection_is_bound_to_nothing() -> None:
    named = sha256(spki_of(OTHER.key.public_key())).ljust(64, b"\0")
    assert refusal(Unacceptable, (report(named), QUOTE)) is Reason.BINDING_MISMATCH
    assert refusal(Unacceptable, (report(named),)) is Reason.BINDING_MISMATCH


def test_a_third_member_that_is_not_tied_is_refused() -> None:
    named = sha256(spki_of(TPM.key.public_key())).ljust(64, b"\0")
    members = (report(named), QUOTE, OTHER.evidence(BINDING.sha256()))
    assert refusal(Unacceptable, members) is Reason.COMPOSITION_UNPROVEN


def test_every_member_needs_its_claims() -> None:
    with pytest.raises(Misused):
        joined((QUOTE,), (), Expected())


def test_on_azure_the_quote_of_the_virtual_tpm_ties_the_others() -> None:
    hub = hub_data(Kind.AZURE_SNP_VTPM, BINDING, (QUOTE,))
    assert len(hub) == 32
    judged((VM.evidence(hub), QUOTE)).accepted()
    alone = (VM.evidence(BINDING.sha256()), QUOTE)
    assert refusal(Unacceptable, alone) is Reason.COMPOSITION_UNPROVEN


def test_a_quote_over_the_name_of_its_own_key_is_bound_to_nothing() -> None:
    named = sha256(spki_of(TPM.key.public_key())).ljust(64, b"\0")
    assert refusal(Unacceptable, (report(named), TPM.evidence(named))) is Reason.BINDING_MISMATCH


def test_a_report_that_names_a_key_vouches_for_it_where_no_certificate_does() -> None:
    named = sha256(spki_of(TPM.key.public_key())).ljust(64, b"\0")
    bare = TPM.evidence(BINDING.sha256(), parts={"ak_certificates": None})
    appraisal = judged((bare, report(named)))
    appraisal.accepted()
    assert [getattr(m.claims, "authority", None) for m in appraisal.members] == ["tee", None]


@pytest.mark.parametrize("report_data", [bytes(64), sha256(spki_of(OTHER.key.public_key())).ljust(64, b"\0")])
def test_a_report_that_does_not_name_a_key_vouches_for_none(report_data: bytes) -> None:
    bare = TPM.evidence(BINDING.sha256(), parts={"ak_certificates": None})
    assert refusal(Undetermined, (report(report_data), bare)) is Reason.KEY_MISSING


def test_every_member_needs_its_endorsements() -> None:
    with pytest.raises(Misused):
        authenticate_members((QUOTE,), (), anchors=TPM.anchors(), when=NOW)
