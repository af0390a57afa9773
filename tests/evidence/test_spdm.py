# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enarx.errors import EnarxError, Malformed
from enarx.evidence import nvidia_opaque, spdm
from enarx.evidence.kind import Kind
from enarx.platform.simulated.nvidia import (
    opaque_data,
)
from tests.evidence.nvidia_world import GPU, NONCE, judged


@pytest.mark.parametrize(
    ("changes", "mode"),
    [
        ({"f36": b"\x01\x00"}, "mpt"),
        ({"f36": b"\x02\x00"}, "ppcie"),
        ({"f36": None, "f21": b"\xaa"}, "ppcie"),
        ({"f36": None}, "spt"),
        ({"f36": None, "f21": None}, None),
    ],
)
def test_the_mode_is_the_feature_flag_or_the_protected_pcie_status(
    changes: dict[str, bytes | None], mode: str | None
) -> None:
    assert nvidia_opaque.parse(opaque_data(Kind.NVIDIA_GPU, **changes)).mode == mode


@pytest.mark.parametrize(
    "raw",
    [
        b"\x03",
        opaque_data(Kind.NVIDIA_GPU) + b"\x03\x00\x01\x001",
        opaque_data(Kind.NVIDIA_GPU)[:-1],
        opaque_data(Kind.NVIDIA_GPU, f6=None),
        opaque_data(Kind.NVIDIA_GPU, f6=b"\xff" * 9),
        opaque_data(Kind.NVIDIA_GPU, f3=b"\n"),
        opaque_data(Kind.NVIDIA_GPU, f3=b"550;rm"),
    ],
)
def test_opaque_data_of_another_shape_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        nvidia_opaque.parse(raw)


REPORT = GPU.report(NONCE)


@pytest.mark.parametrize(
    ("at", "octet"),
    [
        (0, 0x10),
        (1, 0xE1),
        (2, 0),
        (3, 1),
        (36, 8),
        (37, 0x12),
        (38, 0x61),
        (39, 1),
        (40, 1),
        (41, 63),
        (42, 0),
        (45, 2),
        (46, 2),
    ],
)
def test_a_header_of_another_value_is_malformed(at: int, octet: int) -> None:
    changed = bytearray(REPORT)
    changed[at] = octet
    with pytest.raises(Malformed):
        spdm.parse(bytes(changed))


def test_a_report_is_bounded() -> None:
    with pytest.raises(Malformed):
        spdm.parse(REPORT + bytes(spdm.MAX_BYTES))


def test_a_state_that_came_after_those_we_know_makes_no_report_malformed() -> None:
    found = nvidia_opaque.parse(opaque_data(Kind.NVIDIA_GPU, f11=b"\x00", f36=b"\x03\x00"))
    assert (found.nvdec0, found.mode) == (None, nvidia_opaque.UNKNOWN)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.integers(0, len(REPORT)))
def test_any_bytes_are_refused_in_our_families(noise: bytes, at: int) -> None:
    for raw in (noise, REPORT[:at] + noise):
        if raw == REPORT or raw.rstrip(b"\0") == REPORT:
            continue
        with pytest.raises(EnarxError):
            judged(raw)
