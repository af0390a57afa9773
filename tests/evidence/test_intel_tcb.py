"""Where a platform stands among Intel's levels, and what comes of several statuses together."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enarx.evidence.intel_generation import NAMES, UNKNOWN, generation
from enarx.evidence.intel_qe_identity import QeIdentity
from enarx.evidence.intel_tcb import standing
from enarx.evidence.intel_tcb_info import IsvLevel, ModuleIdentity, TcbInfo, TcbLevel
from enarx.evidence.intel_tcb_status import OVERDUE, PUBLISHED, REFUSED, TcbStatus, merged, relaunch
from enarx.platform.simulated.intel_quote import platform

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
S = TcbStatus
SGX = bytes(range(16, 0, -1))
TDX = bytes([5, 1, 2, *[0] * 13])
SERVER = platform(components=SGX, pcesvn=13)


def level(sgx: bytes = SGX, tdx: bytes | None = TDX, pcesvn: int = 13, status: TcbStatus = S.UP_TO_DATE, *ids: str):
    return TcbLevel(sgx, tdx, pcesvn, WHEN, status, ids)


def isv(version: int, status: TcbStatus = S.UP_TO_DATE, *ids: str) -> IsvLevel:
    return IsvLevel(version, WHEN, status, ids)


def module(name: str, *levels: IsvLevel) -> ModuleIdentity:
    return ModuleIdentity(name, bytes(48), bytes(8), b"\xff" * 8, levels)


def info(*levels: TcbLevel, identities: tuple[ModuleIdentity, ...] = (module("TDX_01", isv(5)),)) -> TcbInfo:
    return TcbInfo(3, "TDX", WHEN, WHEN, bytes(6), bytes(2), 19, levels, module(""), identities)


def identity(*levels: IsvLevel) -> QeIdentity:
    return QeIdentity("TD_QE", WHEN, WHEN, 19, bytes(4), bytes(4), bytes(16), bytes(16), bytes(32), 2, levels)


QE = identity(isv(8), isv(4, S.OUT_OF_DATE, "QE-1"))


def test_the_highest_level_that_the_platform_reaches_counts() -> None:
    lower = bytes([SGX[0] - 1, *SGX[1:]])
    found = standing(info(level(), level(lower, status=S.OUT_OF_DATE)), QE, SERVER, 8, (TDX,))
    assert (S.UP_TO_DATE, S.UP_TO_DATE, S.UP_TO_DATE, S.UP_TO_DATE) == (
        found.platform, found.tdx_module, found.qe, found.merged,
    )  # fmt: skip
    assert WHEN == found.date


@pytest.mark.parametrize("at", range(16))
def test_every_sgx_component_counts_by_itself(at: int) -> None:
    higher = bytes([*SGX[:at], SGX[at] + 1, *SGX[at + 1 :]])
    found = standing(info(level(higher), level(status=S.OUT_OF_DATE)), QE, SERVER, 8, (TDX,))
    assert S.OUT_OF_DATE is found.platform
    assert S.NOT_SUPPORTED is standing(info(level(higher)), QE, SERVER, 8, (TDX,)).merged


def test_the_pcesvn_counts() -> None:
    found = standing(info(level(pcesvn=14), level(status=S.OUT_OF_DATE)), QE, SERVER, 8, (TDX,))
    assert S.OUT_OF_DATE is found.platform


@pytest.mark.parametrize("at", range(16))
@pytest.mark.parametrize("major", [0, 1])
def test_tdx_components_count_but_those_of_the_module_itself_from_version_1_on(at: int, major: int) -> None:
    mine = bytes([5, major, 2, *[0] * 13])
    higher = bytes([*mine[:at], mine[at] + 1, *mine[at + 1 :]])
    found = standing(info(level(tdx=higher)), QE, SERVER, 8, (mine,))
    reached = major == 1 and at < 2
    assert (S.UP_TO_DATE if reached else S.NOT_SUPPORTED) is found.platform
    assert (major == 0) == (found.tdx_module is None)


def test_a_level_without_tdx_components_is_none_for_a_trust_domain() -> None:
    assert S.NOT_SUPPORTED is standing(info(level(tdx=None)), QE, SERVER, 8, (TDX,)).platform


def test_components_of_another_number_are_never_reached() -> None:
    for wrong in (SGX[:15], SGX + b"\0", b""):
        assert S.NOT_SUPPORTED is standing(info(level(wrong)), QE, SERVER, 8, (TDX,)).platform
        assert S.NOT_SUPPORTED is standing(info(level(tdx=wrong)), QE, SERVER, 8, (TDX,)).platform


def test_the_module_has_levels_of_its_own() -> None:
    levels = (isv(6), isv(4, S.OUT_OF_DATE, "M-1"))
    found = standing(info(level(), identities=(module("TDX_01", *levels),)), QE, SERVER, 8, (TDX,))
    assert (S.UP_TO_DATE, S.OUT_OF_DATE, S.OUT_OF_DATE) == (found.platform, found.tdx_module, found.merged)
    assert ("M-1",) == found.advisories
    none = standing(info(level(), identities=(module("TDX_01", isv(6)),)), QE, SERVER, 8, (TDX,))
    assert (S.NOT_SUPPORTED, S.NOT_SUPPORTED) == (none.tdx_module, none.merged)
    other = standing(info(level(), identities=(module("TDX_03", isv(0)),)), QE, SERVER, 8, (TDX,))
    assert S.NOT_SUPPORTED is other.merged


def test_advisories_are_those_of_every_level_that_matched() -> None:
    found = standing(info(level(SGX, TDX, 13, S.OUT_OF_DATE, "B", "A")), QE, SERVER, 5, (TDX,))
    assert (("A", "B", "QE-1"), S.OUT_OF_DATE) == (found.advisories, found.merged)


def test_a_quoting_enclave_below_every_level_is_not_supported() -> None:
    found = standing(info(level()), QE, SERVER, 3, (TDX,))
    assert (S.NOT_SUPPORTED, S.NOT_SUPPORTED) == (found.qe, found.merged)


TABLE = {
    (S.UP_TO_DATE, S.OUT_OF_DATE): S.OUT_OF_DATE,
    (S.SW_HARDENING_NEEDED, S.OUT_OF_DATE): S.OUT_OF_DATE,
    (S.CONFIGURATION_NEEDED, S.OUT_OF_DATE): S.OUT_OF_DATE_CONFIGURATION_NEEDED,
    (S.CONFIGURATION_AND_SW_HARDENING_NEEDED, S.OUT_OF_DATE): S.OUT_OF_DATE_CONFIGURATION_NEEDED,
    (S.OUT_OF_DATE, S.OUT_OF_DATE): S.OUT_OF_DATE,
    (S.OUT_OF_DATE_CONFIGURATION_NEEDED, S.OUT_OF_DATE): S.OUT_OF_DATE_CONFIGURATION_NEEDED,
}


def test_the_table_of_merging() -> None:
    for platform_, part in itertools.product(PUBLISHED - {S.REVOKED}, (S.UP_TO_DATE, S.OUT_OF_DATE)):
        wanted = TABLE[platform_, part] if part is S.OUT_OF_DATE else platform_
        assert wanted is merged(platform_, part, S.UP_TO_DATE)
        assert wanted is merged(platform_, S.UP_TO_DATE, part)
        assert wanted is merged(platform_, None, part)


def test_revoked_wins_and_then_what_is_not_supported() -> None:
    for status in PUBLISHED:
        for at in range(3):
            parts = [S.UP_TO_DATE, status if status is S.OUT_OF_DATE else S.UP_TO_DATE, S.NOT_SUPPORTED]
            parts[at] = S.REVOKED
            assert S.REVOKED is merged(*parts)
        assert (S.REVOKED if status is S.REVOKED else S.NOT_SUPPORTED) is merged(status, None, S.NOT_SUPPORTED)


def test_a_relaunch_is_advised_only_from_outdated_to_current() -> None:
    for launch, now in itertools.product(PUBLISHED, PUBLISHED | {S.NOT_SUPPORTED}):
        found = relaunch(launch, now)
        advised = found in {S.TD_RELAUNCH_ADVISED, S.TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED}
        assert advised == (launch in OVERDUE and now not in OVERDUE | REFUSED), (launch, now)
        if now in REFUSED:
            assert found in REFUSED
        elif not advised:
            assert launch is found


@given(st.sampled_from(sorted(PUBLISHED)), st.lists(st.sampled_from(sorted(TcbStatus)), max_size=3))
def test_a_part_never_makes_the_whole_better(platform_: TcbStatus, parts: list[TcbStatus]) -> None:
    found = merged(platform_, *parts)
    assert (platform_ is S.UP_TO_DATE and S.OUT_OF_DATE not in parts and not REFUSED & set(parts)) or (
        found is not S.UP_TO_DATE
    )


@pytest.mark.parametrize(
    ("fmspc", "name"),
    [
        ("00906ed50000", "coffee-lake"),
        ("00706e470000", "ice-lake"),
        ("00a067110000", "rocket-lake"),
        ("00606a000000", "ice-lake-sp"),
        ("50806f000000", "sapphire-rapids"),
        ("00806f050000", "sapphire-rapids"),
        ("b0c06f000000", "emerald-rapids"),
        ("90c06f000000", "emerald-rapids"),
        ("00a06d080000", "granite-rapids"),
        ("20a06f000000", "sierra-forest"),
        ("000000000000", UNKNOWN),
        ("00f06f000000", UNKNOWN),
    ],
)
def test_generations_are_read_from_the_fmspc(fmspc: str, name: str) -> None:
    assert name == generation(bytes.fromhex(fmspc))
    assert name in NAMES | {UNKNOWN}


def test_the_generation_of_every_capture_is_known(evidence_dir: Path) -> None:
    described = [json.loads(path.read_bytes())["claims"] for path in evidence_dir.glob("[st][gd]x/*/vector.json")]
    fmspcs = {claims["fmspc"] for claims in described if "fmspc" in claims}
    assert len(fmspcs) > 8
    assert UNKNOWN not in {generation(bytes.fromhex(one)) for one in fmspcs}
