# SPDX-License-Identifier: Apache-2.0
"""Has a component answer requests: a fresh instance for each, or for so many of them, and never for longer than allowed."""

from __future__ import annotations

import _thread
import ctypes
import time
from collections.abc import Callable

from enarx.runtime.component.handles import StaleHandle
from enarx.runtime.component.http.exchange import Exchange, ResponseOutparam
from enarx.runtime.component.http.incoming import IncomingRequest, Source
from enarx.runtime.component.interface import BadCall, Refused
from enarx.runtime.component.machine import ComponentMachine, Running
from enarx.runtime.component.polling import UNTIL, Overdue
from enarx.runtime.component.types import Own
from enarx.runtime.engine.capi import SIGNATURES, Library
from enarx.runtime.engine.machine import EngineError, Limits, Trapped
from enarx.runtime.wasi.process import Ended
from enarx.runtime.wasi.stream import Exhausted

TICK_SECONDS = 0.05
BEYOND = 1
HANDLE = "handle"
LONG_CALLS = ("wasmtime_component_func_call", "wasmtime_component_linker_instantiate")

SIGNATURES |= {
    "wasmtime_config_epoch_interruption_set": (None, (ctypes.c_void_p, ctypes.c_bool)),
    "wasmtime_engine_increment_epoch": (None, (ctypes.c_void_p,)),
    "wasmtime_context_set_epoch_deadline": (None, (ctypes.c_void_p, ctypes.c_uint64)),
}


class InterruptibleMachine(ComponentMachine):
    """Runs components that can be stopped while they compute: another thread of this process gets to run meanwhile."""

    def __init__(self, library: Library, config: int) -> None:
        library.wasmtime_config_epoch_interruption_set(config, True)
        self.engine = library.wasm_engine_new_with_config(config)
        super().__init__(library, self.engine)
        library.unlock(*LONG_CALLS)

    def new_store(self, limits: Limits) -> int:
        """An empty store within limits, whose guest ends at the next epoch."""
        store = super().new_store(limits)
        context = self.library.wasmtime_store_context(store)
        self.library.wasmtime_context_set_epoch_deadline(context, BEYOND)
        return store


class Watch:
    """Ends the epoch of a guest that takes too long; a thread of its own looks from time to time."""

    def __init__(self, machine: InterruptibleMachine, seconds: int, confine: Callable[[], object]) -> None:
        self._machine = machine
        self._nanoseconds = seconds * 1_000_000_000
        self._confine = confine
        self.expired = False

    def start(self) -> None:
        """Begin to look."""
        started = _thread.allocate_lock()
        started.acquire()
        _thread.start_new_thread(self._look, (started,))
        started.acquire()

    def _look(self, started: _thread.LockType) -> None:
        self._confine()
        started.release()
        while True:
            time.sleep(TICK_SECONDS)
            moment = UNTIL.moment
            if moment is not None and time.monotonic_ns() >= moment:
                self.expired = True
                self._machine.library.wasmtime_engine_increment_epoch(self._machine.engine)

    def begin(self) -> None:
        """A request is about to be handled."""
        self.expired = False
        UNTIL.moment = time.monotonic_ns() + self._nanoseconds

    def end(self) -> None:
        """It was."""
        UNTIL.moment = None


class Handling:
    """What a server calls for each request.

    interface  the versioned name of the component's `wasi:http/incoming-handler`
    reuse      how many requests one instance may answer
    report     told what ended an instance, for the workload's own standard error
    """

    def __init__(
        self,
        machine: InterruptibleMachine,
        component: int,
        limits: Limits,
        interface: str,
        *,
        reuse: int,
        watch: Watch,
        report: Callable[[str], None],
    ) -> None:
        self._machine = machine
        self._component = component
        self._limits = limits
        self._interface = interface
        self._reuse = reuse
        self._watch = watch
        self._report = report
        self._running: Running | None = None
        self._answered = 0

    def __call__(self, exchange: Exchange, source: Source) -> None:
        """Handle one request; whatever the component does, the client is answered or its connection ends."""
        self._watch.begin()
        try:
            self._handle(exchange, source)
        except (Trapped, Overdue, BadCall, StaleHandle, Exhausted, Ended, EngineError, Refused, MemoryError) as error:
            self._end()
            status, detail, reason = self._told(error)
            self._report(f"{exchange.request.method} {exchange.request.target}: {detail}\n{error}\n")
            exchange.refuse(status, detail, reason)
        else:
            exchange.finish()
        finally:
            self._watch.end()

    def _handle(self, exchange: Exchange, source: Source) -> None:
        running = self._running
        if running is None:
            running = self._running = self._machine.instance(self._component, self._limits)
            self._answered = 0
        self._answered += 1
        arguments = (
            (Own("incoming-request"), IncomingRequest(exchange.request, source)),
            (Own("response-outparam"), ResponseOutparam(exchange)),
        )
        running.call(self._interface, HANDLE, arguments)
        if self._answered >= self._reuse:
            self._end()

    def _end(self) -> None:
        if self._running is not None:
            running, self._running = self._running, None
            running.close()

    def _told(self, error: Exception) -> tuple[int, str, str]:
        """Status, detail and reason of the answer that an ending is."""
        if isinstance(error, Overdue) or (self._watch.expired and isinstance(error, Trapped)):
            return 504, "the component took longer than request_seconds", "limit-reached"
        if isinstance(error, Exhausted | MemoryError):
            return 500, f"the component reached a limit: {error}", "limit-reached"
        if isinstance(error, Ended):
            return 500, f"the component exited with code {error.code} instead of answering", "trapped"
        return 500, "the component trapped", "trapped"


__all__ = ["Handling", "InterruptibleMachine", "Watch"]
