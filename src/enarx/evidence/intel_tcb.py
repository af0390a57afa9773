# SPDX-License-Identifier: Apache-2.0
"""Where one platform stands among the levels that Intel lists.

Intel Quote Verification Library, steps 4.1.2.4.17: every component on its own, all of them.
"""

from __future__ import annotations

from datetime import datetime
from operator import ge

import msgspec

from enarx.evidence.intel_pck import Platform
from enarx.evidence.intel_qe_identity import QeIdentity
from enarx.evidence.intel_tcb_info import COMPONENTS, IsvLevel, ModuleIdentity, TcbInfo, TcbLevel
from enarx.evidence.intel_tcb_status import TcbStatus, merged, relaunch


class Standing(msgspec.Struct, frozen=True):
    """How current a platform is.

    platform, tdx_module, qe   the statuses by themselves (tdx_module None: SGX, or TDX 1.0,
                               whose module is part of the platform's level)
    merged                     what they come to
    date                       the date of the platform's level: since then it misses nothing
                               that its status does not say (None: below every level)
    advisories                 of all levels that matched, sorted
    """

    platform: TcbStatus
    tdx_module: TcbStatus | None
    qe: TcbStatus
    merged: TcbStatus
    date: datetime | None
    advisories: tuple[str, ...]


def standing(
    info: TcbInfo, identity: QeIdentity, platform: Platform, qe_isvsvn: int, svns: tuple[bytes, ...]
) -> Standing:
    """Where the platform stands.

    svns   none for SGX; TEE_TCB_SVN for TDX, and TEE_TCB_SVN2 after it for TD 1.5
    """
    launch = _standing(info, identity, platform, qe_isvsvn, svns[0] if svns else None)
    if len(svns) < 2:
        return launch
    now = _standing(info, identity, platform, qe_isvsvn, svns[1])
    return msgspec.structs.replace(launch, merged=relaunch(launch.merged, now.merged))


def _standing(info: TcbInfo, identity: QeIdentity, platform: Platform, qe_isvsvn: int, svn: bytes | None) -> Standing:
    level = _matching(info.levels, platform, svn)
    module = module_of(info, svn) if svn is not None and svn[1] else None
    module_level = _reached(module.levels, svn[0]) if module and svn else None
    qe_level = _reached(identity.levels, qe_isvsvn)
    of_platform = level.status if level else TcbStatus.NOT_SUPPORTED
    of_qe = qe_level.status if qe_level else TcbStatus.NOT_SUPPORTED
    of_module = None
    if svn is not None and svn[1]:
        of_module = module_level.status if module_level else TcbStatus.NOT_SUPPORTED
    advisories = {one for found in (level, module_level, qe_level) if found for one in found.advisories}
    return Standing(
        of_platform,
        of_module,
        of_qe,
        merged(of_platform, of_module, of_qe),
        level.date if level else None,
        tuple(sorted(advisories)),
    )


def module_of(info: TcbInfo, svn: bytes) -> ModuleIdentity | None:
    """The TDX module with the major version that TEE_TCB_SVN[1] names, or None."""
    if not svn[1]:
        return info.module
    name = f"TDX_{svn[1]:02X}"
    return next((one for one in info.identities if one.name == name), None)


def _matching(levels: tuple[TcbLevel, ...], platform: Platform, svn: bytes | None) -> TcbLevel | None:
    """The highest level of which the platform has every component (steps 17.1 to 17.3)."""
    for level in levels:
        if platform.pcesvn < level.pcesvn or not _reaches(platform.components, level.sgx, 0):
            continue
        # from TDX 1.5 on, the first two bytes are the module's own version (step 17.3)
        if svn is None or (level.tdx is not None and _reaches(svn, level.tdx, 2 if svn[1] else 0)):
            return level
    return None


def _reaches(found: bytes, wanted: bytes, first: int) -> bool:
    if len(found) != COMPONENTS or len(wanted) != COMPONENTS:
        return False
    return all(map(ge, found[first:], wanted[first:]))


def _reached(levels: tuple[IsvLevel, ...], isvsvn: int) -> IsvLevel | None:
    return next((level for level in levels if isvsvn >= level.isvsvn), None)
