# SPDX-License-Identifier: Apache-2.0
"""A policy in words: what it asks, what it leaves open, and what that opens.

What a section's field means stands in the section's docstring, and is taken from there.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import msgspec

from enarx.appraisal.expectation import UNCHECKED, Section
from enarx.appraisal.none import NonePolicy
from enarx.appraisal.policy import Policy

SENTENCES: dict[tuple[str, str], str] = {
    (
        "binding",
        "enarx-binding-1",
    ): "evidence is tied to the key, to the verifier's nonce, to its purpose and to the launch",
    ("binding", "legacy-spki"): "evidence is tied to the bare key, as Enarx 0.7 did it",
    ("freshness", "nonce"): "evidence is made over a nonce of this verifier",
    ("launch_field", "required"): "the hardware's launch field holds the launch digest",
    ("launch_field", "late"): "the hardware's launch field holds the launch digest or is empty (a warm keep)",
    ("revocation", "required"): "every question about revocation has an answer",
    ("composition", "required"): "members of a collection are linked by cryptography",
    ("log", "required"): "`enarx verify` finds the certificate in the steward's log",
}

OPENED: dict[str, str] = {
    "binding": "evidence of one keep can be presented by anyone who has a copy",
    "freshness": "evidence may be a recording",
    "launch_field": "the host may have launched the image with other inputs, unless a binding names the launch",
    "workload": "any package may run",
    "package_signers": "packages need no signature",
    "minimum_package_security_version": "old packages with known holes may run",
    "revocation": "a revoked certificate goes unnoticed where nobody shows a list",
    "composition": "a collection may hold parts of several machines",
    "log": "certificates need not stand in the steward's log",
    "expires": "the policy is accepted for ever",
    "debug": "the host may look inside",
    "minimum_tcb": "firmware with known holes is accepted",
    "tcb_statuses": "processors that their vendor calls out of date, or revoked, are accepted",
    "platforms": "any machine is accepted, also one in the hands of somebody who can open it",
    "migrate_ma": "a migration agent may take the guest elsewhere",
    "vmpl": "code at a lower privilege level of the guest can speak for it",
    "sept_ve_disable": "the host can inject exceptions into the guest",
    "pcrs": "the machine may have booted anything",
    "rim": "the device's firmware is compared with nothing",
}
"""What follows when a field is left open, where that is worth a warning."""

IMAGE = ("hash", "signer", "id_key_digest", "mrtd", "pcrs", "measurements", "components")
"""Fields that say what may run; with all of them open anything may."""

TITLES = {
    "snp": "AMD SEV-SNP", "sgx": "Intel SGX", "tdx": "Intel TDX", "nitro": "AWS Nitro enclaves",
    "nitrotpm": "AWS NitroTPM", "tpm": "TPM 2.0", "azure": "Azure confidential virtual machines",
    "nvidia_gpu": "NVIDIA GPUs", "nvidia_switch": "NVIDIA switches", "cca": "Arm CCA", "psa": "Arm PSA",
    "none": "keeps without a tee",
}  # fmt: skip


class Line(msgspec.Struct, frozen=True):
    """One field: its place ("snp.vmpl"), whether it asks anything, and words."""

    place: str
    asked: bool
    words: str


class Explanation(msgspec.Struct, frozen=True):
    """A policy in words: the whole, each technology that it accepts, and warnings."""

    name: str
    security_version: int
    whole: tuple[Line, ...]
    sections: dict[str, tuple[Line, ...]]
    warnings: tuple[str, ...]


def explained(policy: Policy) -> Explanation:
    """What a policy asks, field by field."""
    whole = tuple(
        _whole(name, getattr(policy, name))
        for name in Policy.__struct_fields__
        if name not in TITLES and name not in ("name", "security_version")
    )
    sections = {name: found for name in TITLES if (found := getattr(policy, name)) is not None}
    return Explanation(
        policy.name,
        policy.security_version,
        whole,
        {TITLES[name]: _section(name, section) for name, section in sections.items()},
        _warnings(whole, sections),
    )


def _whole(name: str, value: Any) -> Line:
    if value is None or value == UNCHECKED:
        return Line(name, False, f"left open: {OPENED[name]}")
    sentence = SENTENCES.get((name, str(value)))
    return Line(name, True, sentence or f"{_subject(name)} {_shown(value)}")


def _subject(name: str) -> str:
    return {
        "workload": "packages that may run:",
        "package_signers": "keys that sign packages:",
        "minimum_package_security_version": "packages have a security version of at least",
        "expires": "the policy accepts nothing after",
    }[name]


def _section(name: str, section: Section) -> tuple[Line, ...]:
    meanings = described(type(section))
    key = name.replace("_", "-") if name.startswith("nvidia") else name
    lines = []
    for field in section.__struct_fields__:
        value = getattr(section, field)
        asked = value not in (UNCHECKED, frozenset(), {})
        said = f"{_shown(value)}" if asked else "left open" if value == UNCHECKED else "nothing is denied"
        meaning = meanings.get(field, "")
        lines.append(Line(f"{key}.{field}", asked, f"{said} ({meaning})" if meaning else said))
    return tuple(lines)


_ROW = re.compile(r"    (\w+(?:, \w+| … \w+)*)(?:\s+(\S.*))?")


def described(section: type[msgspec.Struct]) -> dict[str, str]:
    """Fields and their meaning, from the docstrings of a section and of what it is built on."""
    fields = section.__struct_fields__
    found: dict[str, str] = {}
    for one in reversed(section.__mro__):
        names: list[str] = []
        for line in (one.__doc__ or "").splitlines():
            match = _ROW.fullmatch(line)
            if match and set(named := re.split(r", | … ", match[1])) <= set(fields):
                names = _range(named, fields) if "…" in match[1] else named
                found |= dict.fromkeys(names, match[2] or "")
            elif names and line.startswith(" " * 8):  # the meaning goes on
                found |= {name: f"{found[name]} {line.strip()}" for name in names}
            else:
                names = []
    return found


def _range(ends: list[str], fields: tuple[str, ...]) -> list[str]:
    """From the first field to the last."""
    return list(fields[fields.index(ends[0]) : fields.index(ends[1]) + 1])


def _shown(value: Any) -> str:
    match value:
        case frozenset() if len(value) > 3:
            return f"one of {len(value)} values"
        case frozenset():
            return " or ".join(sorted(map(str, value))) or "nothing"
        case datetime():
            return f"{value:%Y-%m-%dT%H:%M:%SZ}"
        case dict():
            return ", ".join(f"{name}: {_shown(one)}" for name, one in sorted(value.items())) or "nothing"
        case msgspec.Struct():
            return ", ".join(f"{k} {_inner(v)}" for k, v in msgspec.structs.asdict(value).items() if v is not None)
        case _:
            return str(value)


def _inner(value: Any) -> str:
    """Inside a table a list means all of its values."""
    return " ".join(sorted(map(str, value))) or "nothing" if isinstance(value, frozenset) else _shown(value)


def _warnings(whole: tuple[Line, ...], sections: dict[str, Section]) -> tuple[str, ...]:
    said = [f"{line.place}: {OPENED[line.place]}" for line in whole if not line.asked]
    if not sections:
        said.append("no section: this policy accepts nothing")
    for name, section in sections.items():
        said += _section_warnings(name, section)
    return tuple(said)


def _section_warnings(name: str, section: Section) -> list[str]:
    if isinstance(section, NonePolicy):
        accepted = section.insecure == "accepted"
        return ["none.insecure: keeps that no hardware protects are accepted"] if accepted else []
    fields = {field: getattr(section, field) for field in section.__struct_fields__}
    said = [
        f"{name}.{field}: {OPENED[field]}" for field, value in fields.items() if value == UNCHECKED and field in OPENED
    ]
    image = [field for field in IMAGE if field in fields]
    if image and all(fields[field] == UNCHECKED for field in image):
        are = "is" if len(image) == 1 else "are"
        said.append(f"{name}: any program may run: {' and '.join(image)} {are} left open")
    return said
