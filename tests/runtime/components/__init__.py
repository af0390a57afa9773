"""Components for the tests: written by hand as text, or made from the test programs."""

from __future__ import annotations

from pathlib import Path

from examples.build import build_source

HERE = Path(__file__).parent


def by_hand(name: str) -> bytes:
    """The component of `NAME.wat` in this folder."""
    return build_source(HERE / f"{name}.wat").read_bytes()
