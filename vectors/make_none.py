# SPDX-License-Identifier: Apache-2.0
"""Makes vectors/policy/none: `python vectors/make_none.py`."""

from __future__ import annotations

from field_vectors import Refusal, write

from enarx.evidence.anchor import SIMULATED, Anchors
from enarx.evidence.endorsement import NOTHING


def main() -> None:
    """A Keep without a TEE, accepted and refused."""
    accepting = {"insecure": "accepted"}
    write("none", bytes(64), NOTHING, Anchors(SIMULATED, {}), accepting, {"insecure": Refusal("refused", "no-tee")})


if __name__ == "__main__":
    main()
