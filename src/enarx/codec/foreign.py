# SPDX-License-Identifier: Apache-2.0
"""Reading foreign structures with a library: what it raises becomes `Malformed`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from enarx.errors import Malformed, Reason

T = TypeVar("T")

TROUBLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion, OverflowError)
"""All that `cryptography` raises for bytes that are not what they claim to be."""


def guarded(read: Callable[[], T], what: str) -> T:
    """What `read` returns; `Malformed` for anything that the library does not like."""
    try:
        return read()
    except TROUBLE as error:
        raise Malformed(Reason.SYNTAX, f"{what}: {error}") from None
