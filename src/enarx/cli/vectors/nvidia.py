# SPDX-License-Identifier: Apache-2.0
"""Evidence vectors of NVIDIA GPUs and switches."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from enarx.cli.vectors.content import sorted_out
from enarx.cli.vectors.descriptor import Case, Outcome, Vector
from enarx.codec import json, ocsp
from enarx.codec.x509 import Certificate
from enarx.errors import EnarxError
from enarx.evidence import nvidia
from enarx.evidence.anchor import Anchors, Vendor
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.kind import Kind


def judge(vector: Vector, case: Case, files: Mapping[str, bytes], *, production: Anchors) -> Outcome:
    """Judge one case of an NVIDIA vector.

    A case without a time is one that no certificate limits: it is judged now.
    """
    when = case.when or datetime.now(UTC)  # noqa: TID251 - this verb is a door
    try:
        anchors = _anchors(case, files, production)
        report = nvidia.parse(files[vector.evidence], Kind(vector.kind))
        endorsements = _endorsements(vector, case, files)
        claims = nvidia.authenticate(report, endorsements, anchors=anchors, when=when)
    except EnarxError as error:
        return Outcome(verdict=error.family, reason=str(error))
    return Outcome(verdict="authentic", debug=claims.debug(), claims=claims.facts())


def _anchors(case: Case, files: Mapping[str, bytes], production: Anchors) -> Anchors:
    """The production anchors, or the one root that a synthetic chain asks to be trusted."""
    if case.anchors is None:
        return production
    roots = tuple(map(Certificate, nvidia.certificates_of(files[case.anchors])))
    return msgspec.structs.replace(production, name="vector", roots={Vendor.NVIDIA: roots, Vendor.NVIDIA_RIM: roots})


def _endorsements(vector: Vector, case: Case, files: Mapping[str, bytes]) -> Endorsements:
    """Certificates and OCSP responses by content; manifests are XML."""
    others = {name: raw for name, raw in files.items() if name not in (vector.evidence, case.anchors)}
    chains = {name: raw for name, raw in others.items() if "chain" in name}
    return Endorsements(
        certificates=sorted_out(chains or others).certificates or _one_after_another(chains) or _published(others),
        rims=tuple(raw for raw in others.values() if b"<SoftwareIdentity" in raw[:4096]),
        ocsp=tuple(raw for raw in others.values() if is_ocsp(raw)),
    )


def _one_after_another(files: Mapping[str, bytes]) -> tuple[bytes, ...]:
    """A chain as the device hands it out, DER after DER, or whatever chain in base64."""
    for raw in files.values():
        for read in (
            nvidia.certificates_of,
            lambda text: nvidia.certificates_of(base64.b64decode(text, validate=True)),
        ):
            try:
                if found := read(raw.strip()):
                    return found
            except (EnarxError, ValueError):
                continue
    return ()


def _published(files: Mapping[str, bytes]) -> tuple[bytes, ...]:
    """The chain inside the evidence as NVIDIA's tools write it: JSON with the PEM in base64."""
    for raw in files.values():
        try:
            text = json.decode(raw, "published evidence")["certificate"]
            return nvidia.certificates_of(base64.b64decode(text))
        except (EnarxError, KeyError, TypeError, ValueError):
            continue
    return ()


def is_ocsp(raw: bytes) -> bool:
    """Whether a file is an OCSP response."""
    try:
        ocsp.parse(raw)
    except EnarxError:
        return False
    return True
