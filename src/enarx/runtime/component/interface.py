# SPDX-License-Identifier: Apache-2.0
"""How an interface of WASI is declared: a class, whose methods are the interface's functions.

    class Random(Interface):
        name = "wasi:random/random"

        @wit("get-random-bytes", U64, returns=BYTES)
        def get_random_bytes(self, count): ...

A function whose result is a `result` returns its good side, and raises `Refused` with its bad side;
`WasiError`, `OSError` and `MemoryError` become what `Interface.refusal` makes of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, NamedTuple

from enarx.runtime.component.launch import Launch
from enarx.runtime.component.types import Result, Type, signature

HostMethod = Callable[..., Any]

VERSIONED = re.compile(r"(?P<name>[a-z0-9:/-]+)@0\.2\.[0-9]+")
"""Versions 0.2.x are compatible with each other: later ones only add."""


class BadCall(Exception):
    """The guest broke a rule for which the specification prescribes a trap."""


class Refused(Exception):
    """The bad side of a function's result."""

    def __init__(self, value: Any = None) -> None:
        super().__init__(value)
        self.value = value


class Function(NamedTuple):
    """A function's name and type, as WIT has them."""

    name: str
    parameters: tuple[Type, ...]
    result: Type | None

    @property
    def text(self) -> str:
        """The type as text, to be compared with what a component expects."""
        return signature(self.parameters, self.result)

    @property
    def fallible(self) -> Result | None:
        """The function's `result`, where it has one."""
        return self.result if isinstance(self.result, Result) else None


def wit(name: str, *parameters: Type, returns: Type | None = None) -> Callable[[HostMethod], HostMethod]:
    """Make a method the function of this name in its interface."""

    def mark(method: HostMethod) -> HostMethod:
        method.wit = Function(name, parameters, returns)  # type: ignore[attr-defined]
        return method

    return mark


class Interface:
    """One interface; an instance of a class serves one guest.

    name       package and interface without the version ("wasi:io/streams")
    resources  the resources that it defines
    """

    name: ClassVar[str]
    resources: ClassVar[tuple[str, ...]] = ()

    def __init__(self, launch: Launch) -> None:
        self.launch = launch

    def refusal(self, error: Exception) -> Any:
        """The bad side of a result that an error of ours is; raises what has none."""
        raise error

    @classmethod
    def functions(cls) -> Iterator[tuple[Function, str]]:
        """Every function, and the name of the method that is it."""
        for attribute in dir(cls):
            function = getattr(getattr(cls, attribute), "wit", None)
            if function is not None:
                yield function, attribute


def unversioned(name: str) -> str | None:
    """An interface's name without its version; None for versions that are not 0.2.x."""
    found = VERSIONED.fullmatch(name)
    return None if found is None else found["name"]
