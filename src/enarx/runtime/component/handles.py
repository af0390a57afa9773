# SPDX-License-Identifier: Apache-2.0
"""The host's side of resources: which Python object stands behind which handle of the guest."""

from __future__ import annotations

from ctypes import c_void_p
from typing import Any, Protocol

from enarx.runtime.engine.capi import Library
from enarx.runtime.wasi.stream import Exhausted

MOST_HANDLES = 1 << 16
"""Handles that one instance may hold at once: a pollable is some hundred bytes here."""


class Resource(Protocol):
    """What a guest holds a handle of."""

    def drop(self) -> None:
        """The guest has dropped its handle."""


class StaleHandle(Exception):
    """A handle that leads nowhere; the engine lets none through, so the guest ends."""


class Host:
    """Handles of the one instance that runs, and what names the resources' types to the engine.

    context  the store of that instance; changes with every fresh instance
    kinds    the number of each resource type by its name, given out as interfaces are linked
    ended    what ended the guest, for the one who called it
    """

    def __init__(self, library: Library) -> None:
        self.library = library
        self.context = 0
        self.kinds: dict[str, int] = {}
        self.ended: BaseException | None = None
        self._objects: dict[int, Resource] = {}
        self._free: list[int] = []

    def kind(self, resource: str) -> int:
        """The number of a resource's type, the same for every interface that names it."""
        return self.kinds.setdefault(resource, len(self.kinds) + 1)

    def begin(self, context: int) -> None:
        """Serve another instance from now on."""
        self.context = context
        self.ended = None
        self._objects.clear()
        self._free.clear()

    def finish(self) -> None:
        """Close what an instance that is over still held."""
        left = list(self._objects.values())
        self._objects.clear()
        for one in left:
            one.drop()

    def give(self, resource: str, value: Resource) -> int:
        """A handle of an object, which is the guest's from now on: the address of what `own` holds."""
        if len(self._objects) >= MOST_HANDLES:
            value.drop()
            said = f"handles = {MOST_HANDLES}"
            raise Exhausted(said)
        rep = self._free.pop() if self._free else len(self._objects) + 1
        self._objects[rep] = value
        library, made = self.library, c_void_p()
        host = library.wasmtime_component_resource_host_new(True, rep, self.kind(resource))
        error = library.wasmtime_component_resource_host_to_any(self.context, host, made)
        library.wasmtime_component_resource_host_delete(host)
        if error:
            raise StaleHandle(library.error_text(error))
        return made.value or 0

    def _rep(self, handle: int) -> int:
        library, host = self.library, c_void_p()
        error = library.wasmtime_component_resource_any_to_host(self.context, handle, host)
        if error:
            raise StaleHandle(library.error_text(error))
        rep: int = library.wasmtime_component_resource_host_rep(host)
        library.wasmtime_component_resource_host_delete(host)
        return rep

    def borrowed(self, handle: int) -> Any:
        """The object behind a handle that the guest keeps."""
        found = self._objects.get(self._rep(handle))
        if found is None:
            raise StaleHandle
        return found

    def given(self, handle: int) -> Any:
        """The object behind a handle that the guest gives away."""
        found = self._taken(self._rep(handle))
        if found is None:
            raise StaleHandle
        return found

    def _taken(self, rep: int) -> Resource | None:
        found = self._objects.pop(rep, None)
        if found is not None:
            self._free.append(rep)
        return found

    def dropped(self, rep: int) -> None:
        """The guest has dropped a handle."""
        found = self._taken(rep)
        if found is not None:
            found.drop()
