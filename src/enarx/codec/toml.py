# SPDX-License-Identifier: Apache-2.0
"""TOML 1.0 files that people write: read whole, and what is wrong said with its place."""

from __future__ import annotations

import tomllib
from typing import Any

from enarx.errors import Misused, Reason


def parse(raw: bytes, where: str) -> tuple[str, dict[str, Any]]:
    """The text of a file and its table. `Misused` with `where:line:column` for what is no TOML."""
    try:
        text = raw.decode()
        return text, tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise Misused(Reason.SYNTAX, f"{where}: not UTF-8 at byte {error.start}") from None
    except tomllib.TOMLDecodeError as error:
        raise Misused(Reason.SYNTAX, f"{where}{_spelled(str(error))}") from None
    except RecursionError:
        raise Misused(Reason.TOO_DEEP, where) from None


def _spelled(message: str) -> str:
    """What tomllib says, "Expected x (at line 1, column 2)" as ":1:2: expected x"."""
    said, _, place = message.partition(" (at ")
    place = place.rstrip(")").replace("line ", "").replace(", column ", ":")
    said = said[:1].lower() + said[1:]
    return f":{place}: {said}" if place[:1].isdigit() else f": {said} at the end"
