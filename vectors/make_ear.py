# SPDX-License-Identifier: Apache-2.0
"""Makes vectors/ear/simulated-snp.json from vectors/policy/whole: `python vectors/make_ear.py`."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path

from field_vectors import WHEN

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from enarx.appraisal import ear
from enarx.appraisal.appraise import appraise
from enarx.appraisal.policy import load
from tests.appraisal.test_ear import GOLDEN, VERIFIER
from tests.appraisal.test_whole import claims_of, expected_of, said


def main() -> None:
    """The result of the genuine case, with an end and input from the host."""
    expected = expected_of(said("genuine"))
    loaded = load((GOLDEN.parent / "policy" / "whole" / "genuine" / "policy.toml").read_bytes(), "whole")
    appraisal = appraise((claims_of(said("genuine")),), loaded, expected, when=WHEN)
    found = ear.claims(
        appraisal, expected, verifier=VERIFIER, issued=WHEN, expires=WHEN + timedelta(hours=1), input_host=True
    )
    GOLDEN.mkdir(exist_ok=True)
    (GOLDEN / "simulated-snp.json").write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
