# SPDX-License-Identifier: Apache-2.0
"""The certificates of an NVIDIA device: firmware, boot ROM, provisioner, product, NVIDIA Device Identity CA."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from enarx.codec.x509 import MAX_CHAIN, Certificate
from enarx.errors import Malformed, Reason, Undetermined
from enarx.evidence.chain import authenticate_links, require_valid, window_of
from enarx.evidence.check import Check, Trail
from enarx.evidence.claims import Window
from enarx.evidence.memory import Memory
from enarx.evidence.nvidia_identity import FIRMWARE_IDS

NAME = "NVIDIA device chain"
SOURCE = "DSP0274 1.1 section 10.6.1, certificates in chain"


def device_path(given: tuple[bytes, ...], roots: tuple[Certificate, ...], trail: Trail) -> tuple[Certificate, ...]:
    """The certificates in order, leaf first, root last.

    They come leaf first from NVML and in any order from elsewhere. The leaf is the one that
    issued none of the others and says which firmware holds its key; a pinned root stands in where the chain ends below it.
    """
    if len(given) > MAX_CHAIN:
        raise Malformed(Reason.TOO_LARGE, f"{NAME}: {len(given)} certificates")
    certificates = tuple(dict.fromkeys(Certificate(raw, "device certificate") for raw in given))
    trail.require(
        bool(certificates),
        Reason.ENDORSEMENT_MISSING,
        NAME,
        fact="no certificates",
        expectation="the chain that the device hands out with its report",
        source=SOURCE,
        family=Undetermined,
    )
    leaves = [one for one in certificates if not any(one.subject == other.issuer for other in certificates)]
    leaves = [one for one in leaves if one.extension_oids() & FIRMWARE_IDS] or leaves
    trail.require(
        len(leaves) == 1,
        Reason.CHAIN_BROKEN,
        f"{NAME}: leaf",
        fact=f"{len(leaves)} certificates that issued none of the others",
        expectation="1",
        source=SOURCE,
    )
    return _upwards(leaves[0], certificates, roots)


def _upwards(
    leaf: Certificate, certificates: tuple[Certificate, ...], roots: tuple[Certificate, ...]
) -> tuple[Certificate, ...]:
    path = [leaf]
    while path[-1].issuer != path[-1].subject and len(path) < MAX_CHAIN:
        above = [one for one in (*certificates, *roots) if one.subject == path[-1].issuer and one not in path]
        if not above:
            break
        path.append(above[0])
    return tuple(path)


def authenticate_device(
    path: tuple[Certificate, ...],
    roots: tuple[Certificate, ...],
    *,
    when: datetime,
    trail: Trail,
    memory: Memory[Any] | None = None,
) -> Window:
    """Believe the leaf: every link holds, its profile is a device's, and all are valid at `when`."""
    key = ("nvidia", roots, path)
    known: tuple[Check, ...] | None = memory.get(key) if memory is not None else None
    if known is None:
        links = Trail()
        try:
            authenticate_links(path, roots, trail=links, name=NAME, source=SOURCE)
            _require_profile(path[0], links)
        finally:
            trail.extend(links.checks())
        if memory is not None:
            memory.keep(key, links.checks())
    else:
        trail.extend(known)
    for certificate in path:
        require_valid(certificate, when=when, trail=trail, name=NAME)
    return window_of(path)


def _require_profile(leaf: Certificate, trail: Trail) -> None:
    usage = leaf.key_usage()
    trail.require(
        not leaf.is_ca and usage is not None and usage.digital_signature,
        Reason.CERTIFICATE_PROFILE,
        f"{NAME}: leaf signs, and is no CA",
        fact=leaf.name,
        source="DSP0274 1.1 table 33",
    )
