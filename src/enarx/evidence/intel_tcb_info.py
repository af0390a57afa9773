# SPDX-License-Identifier: Apache-2.0
"""TCB info: for one model of platform, which security versions deserve which status.

Intel PCS API v3 (version 2 of the document) and v4 (version 3).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

import msgspec

from enarx.codec.digest import unhex
from enarx.errors import Malformed, Reason
from enarx.evidence import intel_document
from enarx.evidence.intel_document import Advisories, Count, Date, Hex, Svn, Svn16
from enarx.evidence.intel_tcb_status import PUBLISHED, PUBLISHED_OF_ENCLAVES, TcbStatus

COMPONENTS = 16


class IsvLevel(msgspec.Struct, frozen=True):
    """A security version of an enclave or TDX module, from which on a status holds."""

    isvsvn: int
    date: datetime
    status: TcbStatus
    advisories: tuple[str, ...]


class TcbLevel(msgspec.Struct, frozen=True):
    """One level of a platform: `sgx` and `tdx` have a byte for each of 16 components."""

    sgx: bytes
    tdx: bytes | None
    pcesvn: int
    date: datetime
    status: TcbStatus
    advisories: tuple[str, ...]


class ModuleIdentity(msgspec.Struct, frozen=True):
    """A TDX module: mrsigner 48 bytes, attributes and their mask 8.

    name is "TDX_01" and so on; the module of TDX 1.0 has none, and no levels of its own
    """

    name: str
    mrsigner: bytes
    attributes: bytes
    mask: bytes
    levels: tuple[IsvLevel, ...]


class TcbInfo(msgspec.Struct, frozen=True):
    """A TCB info as its signed text says. Levels stand highest first."""

    version: int
    tee: str
    issue_date: datetime
    next_update: datetime
    fmspc: bytes
    pceid: bytes
    evaluation_number: int
    levels: tuple[TcbLevel, ...]
    module: ModuleIdentity | None
    identities: tuple[ModuleIdentity, ...]


class _Component(msgspec.Struct):
    svn: Svn


_Sixteen = Annotated[list[_Component], msgspec.Meta(min_length=COMPONENTS, max_length=COMPONENTS)]


class _Tcb3(msgspec.Struct):
    sgxtcbcomponents: _Sixteen
    pcesvn: Svn16
    tdxtcbcomponents: _Sixteen | None = None


_NAMES = tuple(f"sgxtcbcomp{n:02}svn" for n in range(1, COMPONENTS + 1))
_Tcb2: Any = msgspec.defstruct("_Tcb2", [*((name, Svn) for name in _NAMES), ("pcesvn", Svn16)])


class _Said(msgspec.Struct, kw_only=True):
    """What every level says beside its versions."""

    tcbDate: Date  # noqa: N815 - Intel's spelling
    tcbStatus: TcbStatus  # noqa: N815
    advisoryIDs: Advisories = ()  # noqa: N815


class _Level3(_Said):
    tcb: _Tcb3


class _Level2(_Said):
    tcb: _Tcb2


class _IsvTcb(msgspec.Struct):
    isvsvn: Svn16


class IsvLevelText(_Said):
    """A level of an enclave or module, as in the text."""

    tcb: _IsvTcb


class _Module(msgspec.Struct, kw_only=True):
    mrsigner: Hex
    attributes: Hex
    attributesMask: Hex  # noqa: N815
    id: str = ""
    tcbLevels: list[IsvLevelText] = []  # noqa: N815


class _Head(msgspec.Struct, kw_only=True):
    issueDate: Date  # noqa: N815
    nextUpdate: Date  # noqa: N815
    fmspc: Hex
    pceId: Hex  # noqa: N815
    tcbType: Annotated[int, msgspec.Meta(ge=0, le=0)]  # noqa: N815
    tcbEvaluationDataNumber: Count  # noqa: N815


class _Info3(_Head, tag_field="version", tag=3):
    id: str
    tcbLevels: Annotated[list[_Level3], msgspec.Meta(min_length=1)]  # noqa: N815
    tdxModule: _Module | None = None  # noqa: N815
    tdxModuleIdentities: list[_Module] = []  # noqa: N815


class _Info2(_Head, tag_field="version", tag=2):
    tcbLevels: Annotated[list[_Level2], msgspec.Meta(min_length=1)]  # noqa: N815


_INFO = msgspec.json.Decoder(_Info2 | _Info3)
_WHAT = "TCB info"


def parse(body: bytes) -> TcbInfo:
    """The signed value of a TCB info document; anything unusual in it is `Malformed`."""
    head = intel_document.decode(body, _INFO, _WHAT)
    if isinstance(head, _Info2):
        return _info(head, 2, "SGX", [_level2(one) for one in head.tcbLevels], (None, []))
    tdx = head.id == "TDX"
    if (not tdx and head.id != "SGX") or tdx != (head.tdxModule is not None):
        raise Malformed(Reason.INCONSISTENT, f"{_WHAT}: id {head.id!r}")
    levels = [_level3(one, tdx=tdx) for one in head.tcbLevels]
    return _info(head, 3, head.id, levels, (head.tdxModule, head.tdxModuleIdentities))


def _info(
    head: _Head, version: int, tee: str, levels: list[TcbLevel], modules: tuple[_Module | None, list[_Module]]
) -> TcbInfo:
    if len({(level.sgx, level.tdx, level.pcesvn) for level in levels}) != len(levels):
        raise Malformed(Reason.DUPLICATE, f"{_WHAT}: two levels with the same versions")
    intel_document.utc([head.issueDate, head.nextUpdate, *(level.date for level in levels)], _WHAT)
    module, identities = modules
    if len({one.id for one in identities}) != len(identities):
        raise Malformed(Reason.DUPLICATE, f"{_WHAT}: TDX module identity")
    return TcbInfo(
        version,
        tee,
        head.issueDate,
        head.nextUpdate,
        unhex(head.fmspc, "FMSPC", size=6),
        unhex(head.pceId, "PCE-ID", size=2),
        head.tcbEvaluationDataNumber,
        tuple(sorted(levels, key=_height, reverse=True)),
        None if module is None else _identity(module),
        tuple(_identity(one) for one in identities),
    )


def _height(level: TcbLevel) -> tuple[bytes, bytes, int]:
    return level.sgx, level.tdx or b"", level.pcesvn


def _level2(said: Any) -> TcbLevel:
    sgx = bytes([getattr(said.tcb, name) for name in _NAMES])
    return TcbLevel(sgx, None, said.tcb.pcesvn, said.tcbDate, _published(said, PUBLISHED), said.advisoryIDs)


def _level3(said: _Level3, *, tdx: bool) -> TcbLevel:
    sgx = bytes([one.svn for one in said.tcb.sgxtcbcomponents])
    more = said.tcb.tdxtcbcomponents
    if tdx != (more is not None):
        raise Malformed(Reason.INCONSISTENT, f"{_WHAT}: TDX components")
    domains = bytes([one.svn for one in more]) if more is not None else None
    return TcbLevel(sgx, domains, said.tcb.pcesvn, said.tcbDate, _published(said, PUBLISHED), said.advisoryIDs)


def _published(said: _Said, allowed: frozenset[TcbStatus]) -> TcbStatus:
    if said.tcbStatus not in allowed:
        raise Malformed(Reason.UNKNOWN_VALUE, f"TCB status {said.tcbStatus}")
    return said.tcbStatus


def isv_levels(said: Iterable[IsvLevelText], what: str) -> tuple[IsvLevel, ...]:
    """Levels of an enclave or module, highest first; the same version twice is `Malformed`."""
    levels = [
        IsvLevel(one.tcb.isvsvn, one.tcbDate, _published(one, PUBLISHED_OF_ENCLAVES), one.advisoryIDs) for one in said
    ]
    if len({level.isvsvn for level in levels}) != len(levels):
        raise Malformed(Reason.DUPLICATE, f"{what}: two levels with the same version")
    intel_document.utc([level.date for level in levels], what)
    return tuple(sorted(levels, key=lambda level: level.isvsvn, reverse=True))


def _identity(said: _Module) -> ModuleIdentity:
    return ModuleIdentity(
        said.id,
        unhex(said.mrsigner, "TDX module signer", size=48),
        unhex(said.attributes, "TDX module attributes", size=8),
        unhex(said.attributesMask, "TDX module attributes mask", size=8),
        isv_levels(said.tcbLevels, "TDX module"),
    )
