# SPDX-License-Identifier: Apache-2.0
"""A policy to start from: whole, loadable, careful, and with every key explained."""

from __future__ import annotations

import pytest

from enarx.appraisal.explain import TITLES, described, explained
from enarx.appraisal.policy import Policy, load
from enarx.appraisal.starting import SECTIONS, started
from enarx.errors import Misused, Reason


@pytest.mark.parametrize("section", SECTIONS)
def test_what_is_written_loads_and_accepts_that_technology_only(section: str) -> None:
    policy = load(started([section], name="mine").encode(), "file").policy
    assert [name for name in TITLES if getattr(policy, name) is not None] == [section.replace("-", "_")]
    assert (policy.name, policy.freshness, policy.launch_field, policy.log) == ("mine", "nonce", "required", "required")


@pytest.mark.parametrize("section", sorted(set(SECTIONS) - {"none", "tpm"}))
def test_debug_is_never_left_open(section: str) -> None:
    found = explained(load(started([section], name="mine").encode(), "file").policy)
    assert not any("debug" in warning for warning in found.warnings)


def test_every_section_and_every_key_is_explained() -> None:
    assert {name.replace("-", "_") for name in SECTIONS} == TITLES.keys()
    policy = load(started(SECTIONS, name="all").encode(), "file").policy
    sections = {name: getattr(policy, name) for name in TITLES}
    silent = [(name, key) for name, one in sections.items() for key in one.__struct_fields__
              if not described(type(one)).get(key)]  # fmt: skip
    whole = [key for key in Policy.__struct_fields__ if key not in TITLES and not described(Policy).get(key)]
    assert (silent, whole) == ([], [])


def test_a_section_twice_is_written_once() -> None:
    assert started(["snp", "snp"], name="x").count("[snp]") == 1


def test_a_name_may_hold_anything() -> None:
    assert load(started(["none"], name='"\n\x7f𐀀').encode(), "file").policy.name == '"\n\x7f𐀀'


def test_a_section_that_there_is_not_is_named_with_those_that_there_are() -> None:
    with pytest.raises(Misused) as refused:
        started(["snp", "foo"], name="x")
    assert (refused.value.reason, "foo" in refused.value.subject) == (Reason.UNKNOWN_KIND, True)
    assert "nvidia-gpu" in refused.value.hint
