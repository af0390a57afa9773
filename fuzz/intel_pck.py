# SPDX-License-Identifier: Apache-2.0
"""PCK chains in PEM, and the SGX extension of a PCK certificate."""

from __future__ import annotations

from datetime import UTC, datetime

import driver

from enarx.evidence import intel_chain, intel_pck, intel_pem
from enarx.evidence.anchor import Vendor
from enarx.evidence.check import Trail
from enarx.evidence.memory import Memory
from enarx.platform.simulated.intel_pki import extension_of
from enarx.platform.simulated.sgx import SimulatedSgx

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
MACHINE = SimulatedSgx.made(WHEN).machine
ROOTS = MACHINE.intel.anchors().of(Vendor.INTEL)
CHAIN = MACHINE.intel.chain(MACHINE.pck, MACHINE.intel.ca.certificate)


def target(data: bytes) -> None:
    """Every way in which bytes from a stranger reach the judge as a platform's certificate."""
    with driver.families():
        intel_pck.parse(data)
    with driver.families():
        intel_pem.blocks(data, "chain")
    with driver.families():
        intel_chain.authenticate_pck(data, ROOTS, when=WHEN, trail=Trail(), memory=Memory())
    with driver.families():
        intel_chain.found_among((data,))


if __name__ == "__main__":
    driver.main(target, (CHAIN, extension_of(MACHINE.platform), *intel_pem.blocks(CHAIN, "chain")))
