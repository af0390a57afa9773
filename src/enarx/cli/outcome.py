# SPDX-License-Identifier: Apache-2.0
"""How a command ends: one lower-case line, hints, an exit code. In one place.

Imported by every verb, `run` among them, so it imports nothing but the errors.
"""

from __future__ import annotations

import sys

from enarx.errors import EnarxError


def fail(error: EnarxError) -> int:
    """Say on standard error what was wrong, and return the exit code of its family."""
    said = str(error)
    print(f"enarx: {said[:1].lower()}{said[1:]}".replace("\n", " "), file=sys.stderr)
    for line in filter(None, error.hint.split("\n")):
        print(f"hint: {line}", file=sys.stderr)
    return error.exit_code
