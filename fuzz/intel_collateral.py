# SPDX-License-Identifier: Apache-2.0
"""Intel's collateral: each part of it from a stranger beside the others as they should be; and signed nonsense."""

from __future__ import annotations

from datetime import UTC, datetime

import driver
import msgspec

from enarx.evidence import intel_document, intel_qe_identity, intel_tcb_info, tdx
from enarx.evidence.endorsement import Endorsements, IntelCollateral
from enarx.platform.simulated.tdx import SimulatedTdx

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
SIMULATED = SimulatedTdx.made(WHEN)
REPORT = tdx.parse(SIMULATED.quote(b""))
GIVEN = SIMULATED.machine.collateral(0x81, SIMULATED.fields["tee_tcb_svn"], WHEN)


def target(data: bytes) -> None:
    """Every way in which bytes from a stranger reach the judge as collateral."""
    field = IntelCollateral.__struct_fields__[len(data) % 7]
    with driver.families():
        intel = msgspec.structs.replace(GIVEN, **{field: data})
        tdx.authenticate(REPORT, Endorsements(intel=intel), anchors=SIMULATED.anchors(), when=WHEN)
    with driver.families():
        intel_document.parse(data, "tcbInfo")
    with driver.families():
        intel_tcb_info.parse(data)
    with driver.families():
        intel_qe_identity.parse(data)


if __name__ == "__main__":
    bodies = (intel_document.parse(GIVEN.tcb_info, "tcbInfo").body,
              intel_document.parse(GIVEN.qe_identity, "enclaveIdentity").body)  # fmt: skip
    driver.main(target, (*(getattr(GIVEN, name) for name in GIVEN.__struct_fields__), *bodies))
