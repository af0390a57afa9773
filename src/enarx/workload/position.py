# SPDX-License-Identifier: Apache-2.0
"""Where each key and value of a TOML document stands, so that an error can point at it.

Walks text that `tomllib` has accepted already, and therefore judges nothing itself.
Source: TOML v1.0.0.
"""

from __future__ import annotations

import re

Path = tuple[str | int, ...]
Place = tuple[int, int]
"""Line and column, from 1."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BASIC = re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}|"(?:[^"\\]|\\.)*"', re.DOTALL)
_LITERAL = re.compile(r"'''.*?'{3,5}|'[^']*'", re.DOTALL)
_SCALAR = re.compile(r"[^,\]}\n#]+")


def places(text: str) -> dict[Path, Place]:
    """The place of every key and array element by its path, as `("files", 1, "prot")`."""
    return _Walk(text).run()


class _Walk:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._found: dict[Path, Place] = {}
        self._arrays: dict[Path, int] = {}

    def run(self) -> dict[Path, Place]:
        table: Path = ()
        while self._skip(_BLANK) < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
        return self._found

    def _skip(self, pattern: re.Pattern[str]) -> int:
        matched = pattern.match(self._text, self._at)
        self._at = matched.end() if matched else self._at
        return self._at

    def _note(self, path: Path, at: int) -> None:
        line = self._text.count("\n", 0, at) + 1
        self._found.setdefault(path, (line, at - self._text.rfind("\n", 0, at)))

    def _header(self) -> Path:
        start = self._at
        double = self._text.startswith("[[", start)
        self._at += 2 if double else 1
        parts = self._key()
        self._at = self._text.index("]", self._at) + (2 if double else 1)
        path = (*self._inside(parts[:-1]), parts[-1])
        self._note(path, start)
        if double:
            self._arrays[path] = self._arrays.get(path, 0) + 1
        path = self._inside((parts[-1],), path[:-1])
        self._note(path, start)
        return path

    def _inside(self, parts: Path, path: Path = ()) -> Path:
        """A header's words, with the last element of each array of tables put in."""
        for part in parts:
            path += (part,)
            if path in self._arrays:
                path += (self._arrays[path] - 1,)
        return path

    def _key(self) -> tuple[str, ...]:
        parts: list[str] = []
        while True:
            self._skip(_SPACE)
            start = self._at
            for pattern in (_BARE_KEY, _BASIC, _LITERAL):
                if self._skip(pattern) > start:
                    break
            word = self._text[start : self._at]
            parts.append(word[1:-1] if word[:1] in ("'", '"') else word)
            if self._text[self._skip(_SPACE)] != ".":
                return tuple(parts)
            self._at += 1

    def _pair(self, table: Path) -> None:
        start = self._at
        path = table + self._key()
        self._note(path, start)
        self._at = self._text.index("=", self._at) + 1
        self._value(path)

    def _value(self, path: Path) -> None:
        self._skip(_SPACE)
        match self._text[self._at]:
            case "[":
                self._array(path)
            case "{":
                self._inline(path)
            case '"':
                self._skip(_BASIC)
            case "'":
                self._skip(_LITERAL)
            case _:
                self._skip(_SCALAR)

    def _array(self, path: Path) -> None:
        self._at += 1
        index = 0
        while self._text[self._skip(_BLANK)] != "]":
            self._note((*path, index), self._at)
            self._value((*path, index))
            index += 1
            if self._text[self._skip(_BLANK)] == ",":
                self._at += 1
        self._at += 1

    def _inline(self, path: Path) -> None:
        self._at += 1
        while self._text[self._skip(_BLANK)] != "}":
            self._pair(path)
            if self._text[self._skip(_BLANK)] == ",":
                self._at += 1
        self._at += 1
