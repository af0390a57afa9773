# SPDX-License-Identifier: Apache-2.0
"""A policy to start from: every key of the technologies that are wanted, with its meaning above it.

What has one careful answer has it. What only the tenant can know is left open in so many words,
and `enarx policy check` says what that opens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from enarx.appraisal import azure, cca, nitro, none, nvidia, sgx, snp, tdx, tpm
from enarx.appraisal.expectation import Section
from enarx.appraisal.explain import OPENED, TITLES, described
from enarx.appraisal.policy import Policy
from enarx.appraisal.toml import toml
from enarx.errors import Misused, Reason

_UNCHECKED: dict[str, Callable[[], Section]] = {
    "snp": snp.unchecked, "sgx": sgx.unchecked, "tdx": tdx.unchecked, "nitro": nitro.unchecked,
    "nitrotpm": nitro.tpm_unchecked, "tpm": tpm.unchecked, "azure": azure.unchecked,
    "nvidia_gpu": nvidia.unchecked, "nvidia_switch": nvidia.switch_unchecked, "cca": cca.unchecked,
    "psa": cca.psa_unchecked, "none": none.unchecked,
}  # fmt: skip
SECTIONS = tuple(name.replace("_", "-") for name in _UNCHECKED)
"""The sections that a policy may have, by their names in the file."""

_WHOLE: dict[str, Any] = {
    "security_version": 1,
    "binding": "enarx-binding-1",
    "freshness": "nonce",
    "launch_field": "required",
    "workload": "unchecked",
    "package_signers": "unchecked",
    "minimum_package_security_version": "unchecked",
    "revocation": "required",
    "expires": "unchecked",
    "composition": "required",
    "log": "required",
}
_CAREFUL: dict[str, dict[str, Any]] = {
    "snp": {"migrate_ma": "refused", "vmpl": [0]},
    "sgx": {"tcb_statuses": ["UpToDate"]},
    "azure": {"quote": "required"},
    "cca": {"lifecycle": "secured"},
    "psa": {"lifecycle": "secured"},
    "tdx": {"tcb_statuses": ["UpToDate"], "sept_ve_disable": "required", "migratable": "refused"},
}


def started(kinds: Sequence[str], *, name: str) -> str:
    """The text of a policy with these sections. `Misused` for one that there is not."""
    if unknown := [kind for kind in kinds if kind not in SECTIONS]:
        raise Misused(Reason.UNKNOWN_KIND, f"section {unknown[0]!r}", hint=f"one of {', '.join(SECTIONS)}")
    meanings = described(Policy)
    lines = [f"name = {toml(name)}"]
    for key, value in _WHOLE.items():
        lines += ["", *_above(meanings.get(key, ""), key, value), f"{key} = {toml(value)}"]
    for kind in dict.fromkeys(kinds):
        lines += ["", "", *_section(kind)]
    return "\n".join(lines) + "\n"


def _section(kind: str) -> list[str]:
    own = kind.replace("-", "_")
    section = _UNCHECKED[own]()
    meanings = described(type(section))
    fields = msgspec.to_builtins(section) | _CAREFUL.get(own, {})
    lines = [f"# {TITLES[own]}", f"[{kind}]"]
    for key, value in fields.items():
        lines += [*_above(meanings.get(key, ""), key, value), f"{key} = {toml(value)}"]
    return lines


def _above(meaning: str, key: str, value: Any) -> list[str]:
    """The comment above a key: what it means, and what is open without it."""
    opened = f"unchecked: {OPENED[key]}" if value == "unchecked" and key in OPENED else ""
    return [f"# {line}" for line in (meaning, opened) if line]
