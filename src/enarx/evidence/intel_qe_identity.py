# SPDX-License-Identifier: Apache-2.0
"""QE identity: which enclave Intel's quoting enclave is, and which of its versions are current.

Intel PCS API v3 and v4, `/qe/identity`: version 2 of the document.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from enarx.codec.digest import unhex
from enarx.errors import Malformed, Reason
from enarx.evidence import intel_document
from enarx.evidence.intel_document import Count, Date, Hex, Svn16
from enarx.evidence.intel_tcb_info import IsvLevel, IsvLevelText, isv_levels
from enarx.evidence.sgx_report import EnclaveReport

QE, TD_QE = "QE", "TD_QE"


class QeIdentity(msgspec.Struct, frozen=True):
    """A QE identity as its signed text says. Levels stand highest first.

    misc_select and its mask 4 bytes, attributes and their mask 16, mrsigner 32
    """

    name: str
    issue_date: datetime
    next_update: datetime
    evaluation_number: int
    misc_select: bytes
    misc_select_mask: bytes
    attributes: bytes
    attributes_mask: bytes
    mrsigner: bytes
    isvprodid: int
    levels: tuple[IsvLevel, ...]


class _Identity(msgspec.Struct, kw_only=True):
    id: str
    version: int
    issueDate: Date  # noqa: N815 - Intel's spelling
    nextUpdate: Date  # noqa: N815
    tcbEvaluationDataNumber: Count  # noqa: N815
    miscselect: Hex
    miscselectMask: Hex  # noqa: N815
    attributes: Hex
    attributesMask: Hex  # noqa: N815
    mrsigner: Hex
    isvprodid: Svn16
    tcbLevels: Annotated[list[IsvLevelText], msgspec.Meta(min_length=1)]  # noqa: N815


_IDENTITY = msgspec.json.Decoder(_Identity)
_WHAT = "QE identity"


def parse(body: bytes) -> QeIdentity:
    """The signed value of a QE identity document; anything unusual in it is `Malformed`."""
    said = intel_document.decode(body, _IDENTITY, _WHAT)
    if said.version != 2:
        raise Malformed(Reason.UNKNOWN_VERSION, f"{_WHAT}: version {said.version}")
    if said.id not in {QE, TD_QE}:
        raise Malformed(Reason.UNKNOWN_KIND, f"{_WHAT}: id {said.id!r}")
    intel_document.utc([said.issueDate, said.nextUpdate], _WHAT)
    return QeIdentity(
        said.id,
        said.issueDate,
        said.nextUpdate,
        said.tcbEvaluationDataNumber,
        unhex(said.miscselect, "miscselect", size=4)[::-1],
        unhex(said.miscselectMask, "miscselectMask", size=4)[::-1],
        unhex(said.attributes, "attributes", size=16),
        unhex(said.attributesMask, "attributesMask", size=16),
        unhex(said.mrsigner, "mrsigner", size=32),
        said.isvprodid,
        isv_levels(said.tcbLevels, _WHAT),
    )


def masked(value: bytes, mask: bytes) -> bytes:
    """The bits of `value` that `mask` selects."""
    return (int.from_bytes(value, "big") & int.from_bytes(mask, "big")).to_bytes(len(value), "big")


def differing(report: EnclaveReport, identity: QeIdentity) -> str:
    """The first field of a QE report that is not this identity's, or ""."""
    if masked(report.misc_select, identity.misc_select_mask) != identity.misc_select:
        return "MISCSELECT"
    if masked(report.attributes, identity.attributes_mask) != identity.attributes:
        return "ATTRIBUTES"
    if report.mrsigner != identity.mrsigner:
        return "MRSIGNER"
    return "" if report.isvprodid == identity.isvprodid else "ISVPRODID"
