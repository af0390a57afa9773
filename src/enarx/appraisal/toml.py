# SPDX-License-Identifier: Apache-2.0
"""Values as TOML 1.0 writes them on one line."""

from __future__ import annotations

import json
from typing import Any


def toml(value: Any) -> str:
    """Strings, integers, booleans, arrays, and tables inline."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            # JSON's escapes are TOML's, but for the pairs of halves that JSON makes of rarer characters
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case list() | tuple():
            return "[" + ", ".join(map(toml, value)) + "]"
        case dict():
            return "{ " + ", ".join(f"{toml(str(key))} = {toml(one)}" for key, one in value.items()) + " }"
        case _:
            msg = f"TOML has no {type(value).__name__}"
            raise TypeError(msg)
