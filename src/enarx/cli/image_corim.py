# SPDX-License-Identifier: Apache-2.0
"""An image's measurements as signed reference values."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from enarx.appraisal import corim_writer
from enarx.appraisal.corim_profile import Profile
from enarx.appraisal.reference import ReferenceValues, Value, event
from enarx.cli.key import read_ec
from enarx.errors import Misused, Reason
from enarx.measurement import tdx
from enarx.measurement.image import Measured


def signed(
    found: Measured, key: Path, *, name: str, version: int, when: datetime, until: datetime, amd: bool = False
) -> bytes:
    """The values as a CoRIM (COSE_Sign1), signed by the key in `key`; with `amd` launch digests in AMD's profile."""
    listed = tuple(one for one in values(found) if one.technology == "snp") if amd else values(found)
    if not listed:
        raise Misused(
            Reason.MISSING, "image: no SNP digest", hint="build it with --tee-firmware (enarx image firmware)"
        )
    references = ReferenceValues(
        name=name,
        security_version=version,
        not_before=when.replace(microsecond=0),
        not_after=until.replace(microsecond=0),
        values=listed,
        signer=b"",
        digest=b"",
    )
    return corim_writer.sign(references, read_ec(key), signer=name, profile=Profile.AMD if amd else None)


def values(found: Measured) -> tuple[Value, ...]:
    """Registers, the events that lead to those of a TPM, and launch digests with their processors."""
    registers = [Value("tpm", number, "sha-256", value) for number, value in found.pcrs.items()]
    events = [Value("tpm", event(one.register, one.of), "sha-256", one.digest, one.name) for one in found.events]
    domain = [Value("tdx", "MRTD", "sha-384", found.mrtd)]
    domain += [Value("tdx", f"RTMR{number}", "sha-384", value) for number, value in sorted(found.rtmrs.items())]
    if tdx.LAUNCH_REGISTER in found.rtmrs:
        # Extended by an agent whose machine was launched before its document; else MRCONFIGID has the digest.
        domain.append(Value("tdx", f"RTMR{tdx.LAUNCH_REGISTER}", "sha-384", bytes(48), "launched with its document"))
    launches = [
        Value("snp", "MEASUREMENT", "sha-384", one.digest, f"{one.cpu}, {one.cpus} processors") for one in found.snp
    ]
    return (*registers, *events, *domain, *launches)
