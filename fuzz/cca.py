# SPDX-License-Identifier: Apache-2.0
"""CCA and PSA tokens, COSE keys, and the key files that a caller may name."""

from __future__ import annotations

from datetime import UTC, datetime

import driver

from enarx.cli.vectors.named_key import named_keys
from enarx.evidence.authenticate import authenticate
from enarx.evidence.cca_claimset import platform_of, realm_of
from enarx.evidence.cca_key import realm_key
from enarx.evidence.endorsement import NOTHING
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.platform.simulated.cca import SimulatedCca
from enarx.platform.simulated.cose import sign1
from enarx.platform.simulated.psa import SimulatedPsa

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
REALM = SimulatedCca.made()
DEVICE = SimulatedPsa.made()


def target(data: bytes) -> None:
    """Every way in which bytes from a stranger reach the judges of Arm tokens."""
    with driver.families():
        authenticate(Evidence(Kind.CCA, data), NOTHING, anchors=REALM.anchors(), when=WHEN)
    with driver.families():
        authenticate(Evidence(Kind.PSA, data), NOTHING, anchors=DEVICE.anchors(), when=WHEN)
    with driver.families():
        authenticate(Evidence(Kind.PSA, sign1(data, DEVICE.key)), NOTHING, anchors=DEVICE.anchors(), when=WHEN)
    for read in (platform_of, realm_of, realm_key, lambda raw: named_keys(raw, "key")):
        with driver.families():
            read(data)


if __name__ == "__main__":
    import cbor2

    whole = (REALM.token(bytes(64)), REALM.token(bytes(64), legacy=True), DEVICE.token(bytes(32)))
    claims = (REALM.platform_claims(b"k"), REALM.realm_claims(bytes(64)), DEVICE.claims(bytes(32)))
    keys = (REALM.cose_key(), REALM.point(), DEVICE.spki, b'{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}')
    driver.main(target, (*whole, *(cbor2.dumps(one) for one in claims), *keys))
