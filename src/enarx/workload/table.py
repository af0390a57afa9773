# SPDX-License-Identifier: Apache-2.0
"""Reads the plain tables of a TOML document strictly, and points at what does not fit."""

from __future__ import annotations

from typing import Any

from enarx.errors import Misused, Reason
from enarx.workload.position import Path, places

TOML_NAME: dict[type, str] = {
    str: "a string",
    int: "an integer",
    float: "a float",
    bool: "a boolean",
    list: "an array",
    dict: "a table",
}


class TableReader:
    """Every method refuses with the file, line and column of the path it was given."""

    def __init__(self, text: str, where: str) -> None:
        self._text = text
        self._where = where

    def refuse(self, reason: Reason, path: Path, said: str, hint: str = "") -> Misused:
        """The error for a path; the nearest key that stands in the text is pointed at."""
        found = places(self._text)
        place = next((found[path[:n]] for n in range(len(path), 0, -1) if path[:n] in found), (1, 1))
        return Misused(reason, f"{self._where}:{place[0]}:{place[1]}: {said}", hint=hint)

    def known(self, table: dict[str, Any], path: Path, names: tuple[str, ...]) -> None:
        """No key but these."""
        for name in table:
            if name not in names:
                said = f"unknown key {name!r}, expected one of {', '.join(names)}"
                raise self.refuse(Reason.UNKNOWN_KEY, (*path, name), said)

    def typed(self, value: object, path: Path, kind: type) -> None:
        """Exactly this type; `true` is no integer."""
        if type(value) is not kind:
            said = f"{TOML_NAME.get(type(value), 'a date or time')}, expected {TOML_NAME[kind]}"
            what = f"{path[-2]}[{path[-1]}]" if isinstance(path[-1], int) else repr(path[-1])
            raise self.refuse(Reason.WRONG_TYPE, path, f"{what} is {said}")

    def take(self, table: dict[str, Any], path: Path, name: str, kind: type, default: Any) -> Any:
        """A value of this type, or the default when there is none."""
        if name not in table:
            return default
        self.typed(table[name], (*path, name), kind)
        return table[name]

    def strings(self, table: dict[str, Any], path: Path, name: str) -> tuple[str, ...]:
        """An array of strings, empty when there is none."""
        values = self.take(table, path, name, list, [])
        for index, value in enumerate(values):
            self.typed(value, (*path, name, index), str)
        return tuple(values)

    def chosen(self, value: object, path: Path, choices: tuple[str, ...]) -> Any:
        """One of these words."""
        if value not in choices:
            said = f"{path[-1]} is {value!r}, expected one of {', '.join(choices)}"
            raise self.refuse(Reason.UNKNOWN_VALUE, path, said)
        return value
