# SPDX-License-Identifier: Apache-2.0
"""An attribute that is worked out when it is first asked for.

`functools.cached_property` takes a lock each time in Python 3.11; a certificate has a dozen of
these, and working one out twice does no harm.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T_co = TypeVar("T_co", covariant=True)


class lazy(Generic[T_co]):  # noqa: N801 - used like `property`
    """Turns a method into an attribute of the instance, whose class must have a `__dict__`."""

    def __init__(self, find: Callable[[Any], T_co]) -> None:
        self._find = find
        self.__doc__ = find.__doc__
        self._name = find.__name__

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> lazy[T_co]: ...
    @overload
    def __get__(self, instance: object, owner: type[Any]) -> T_co: ...
    def __get__(self, instance: Any, owner: type[Any]) -> lazy[T_co] | T_co:
        if instance is None:
            return self
        found = instance.__dict__[self._name] = self._find(instance)
        return found
