# SPDX-License-Identifier: Apache-2.0
"""The functions of wasmtime's C interface that the runtime calls, declared once.

The `wasmtime` package declares all 762 of them in Python on import (30 ms); a guest starts in less.
Its shared library is the same. `PyDLL` keeps the interpreter lock: the guest's process has one
Python thread, and taking the lock anew on every host call would cost a quarter of the call.
Source: wasmtime.h, wasm.h of release 50.
"""

from __future__ import annotations

import ctypes
import os
import sys
from ctypes import POINTER, c_bool, c_char_p, c_int64, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p

MACHINE = {"AMD64": "x86_64", "arm64": "aarch64"}.get(os.uname().machine, os.uname().machine)
RELATIVE = f"wasmtime/{sys.platform}-{MACHINE}/_libwasmtime.so"


def library_path() -> str:
    """Where the installed `wasmtime` package keeps its shared library ("" when it is absent)."""
    for folder in sys.path:
        path = f"{folder}/{RELATIVE}"
        if os.access(path, os.R_OK):
            return path
    return ""


Raw = POINTER(c_uint32)
"""`wasmtime_val_raw_t *`: 16 bytes a value, so every fourth word is a value's low half."""
HOST_CALL = ctypes.PYFUNCTYPE(c_void_p, c_void_p, c_void_p, Raw, c_size_t)
"""`wasmtime_func_unchecked_callback_t`."""


class Bytes(ctypes.Structure):
    """`wasm_byte_vec_t`, and every other `wasm_*_vec_t`: a count and an array."""

    _fields_ = [("size", c_size_t), ("data", c_void_p)]
    size: int
    data: int


class Extern(ctypes.Structure):
    """`wasmtime_extern_t`: a kind, and 24 bytes that start at offset 8."""

    _fields_ = [("kind", c_uint8), ("of", c_uint64 * 3)]
    kind: int

    def item(self) -> int:
        """The address of the function, memory, … inside."""
        return ctypes.addressof(self) + 8


class Instance(ctypes.Structure):
    """`wasmtime_instance_t`."""

    _fields_ = [("store_id", c_uint64), ("index", c_size_t)]


EXTERN_FUNC = 0
EXTERN_MEMORY = 3
VALTYPE = {"i": 0, "I": 1, "f": 2, "F": 3}

SIGNATURES: dict[str, tuple[object, tuple[object, ...]]] = {
    "wasm_config_new": (c_void_p, ()),
    "wasmtime_config_memory_may_move_set": (None, (c_void_p, c_bool)),
    "wasmtime_config_memory_reservation_set": (None, (c_void_p, c_uint64)),
    "wasmtime_config_max_wasm_stack_set": (None, (c_void_p, c_size_t)),
    "wasmtime_config_wasm_memory64_set": (None, (c_void_p, c_bool)),
    "wasmtime_config_wasm_component_model_async_set": (None, (c_void_p, c_bool)),
    "wasmtime_config_concurrency_support_set": (None, (c_void_p, c_bool)),
    "wasm_engine_new_with_config": (c_void_p, (c_void_p,)),
    "wasmtime_store_new": (c_void_p, (c_void_p, c_void_p, c_void_p)),
    "wasmtime_store_context": (c_void_p, (c_void_p,)),
    "wasmtime_store_limiter": (None, (c_void_p, c_int64, c_int64, c_int64, c_int64, c_int64)),
    "wasmtime_module_new": (c_void_p, (c_void_p, c_void_p, c_size_t, POINTER(c_void_p))),
    "wasmtime_module_serialize": (c_void_p, (c_void_p, POINTER(Bytes))),
    "wasmtime_module_delete": (None, (c_void_p,)),
    "wasmtime_module_deserialize_file": (c_void_p, (c_void_p, c_char_p, POINTER(c_void_p))),
    "wasmtime_linker_new": (c_void_p, (c_void_p,)),
    "wasmtime_linker_define_func_unchecked": (
        c_void_p,
        (c_void_p, c_char_p, c_size_t, c_char_p, c_size_t, c_void_p, HOST_CALL, c_void_p, c_void_p),
    ),
    "wasmtime_linker_instantiate": (
        c_void_p,
        (c_void_p, c_void_p, c_void_p, POINTER(Instance), POINTER(c_void_p)),
    ),
    "wasmtime_instance_export_get": (
        c_bool,
        (c_void_p, POINTER(Instance), c_char_p, c_size_t, POINTER(Extern)),
    ),
    "wasmtime_caller_export_get": (c_bool, (c_void_p, c_char_p, c_size_t, POINTER(Extern))),
    "wasmtime_memory_data": (c_void_p, (c_void_p, c_void_p)),
    "wasmtime_memory_data_size": (c_size_t, (c_void_p, c_void_p)),
    "wasmtime_func_call_unchecked": (
        c_void_p,
        (c_void_p, c_void_p, c_void_p, c_size_t, POINTER(c_void_p)),
    ),
    "wasmtime_trap_new": (c_void_p, (c_char_p, c_size_t)),
    "wasmtime_trap_code": (c_bool, (c_void_p, POINTER(c_uint8))),
    "wasm_trap_message": (None, (c_void_p, POINTER(Bytes))),
    "wasm_trap_delete": (None, (c_void_p,)),
    "wasmtime_error_message": (None, (c_void_p, POINTER(Bytes))),
    "wasmtime_error_delete": (None, (c_void_p,)),
    "wasm_byte_vec_delete": (None, (POINTER(Bytes),)),
    "wasm_valtype_new": (c_void_p, (c_uint8,)),
    "wasm_valtype_vec_new": (None, (POINTER(Bytes), c_size_t, c_void_p)),
    "wasm_functype_new": (c_void_p, (POINTER(Bytes), POINTER(Bytes))),
    "wasm_functype_delete": (None, (c_void_p,)),
}


class Library:
    """The loaded library; a function is declared when it is first used."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._dll = ctypes.PyDLL(path)

    def __getattr__(self, name: str) -> ctypes._NamedFuncPointer:
        function = self._dll[name]
        function.restype, function.argtypes = SIGNATURES[name]  # type: ignore[assignment]
        setattr(self, name, function)
        return function

    def unlock(self, *names: str) -> None:
        """Give up the interpreter's lock during these functions; what they call back takes it again."""
        dll = ctypes.CDLL(self._path)
        for name in names:
            function = dll[name]
            function.restype, function.argtypes = SIGNATURES[name]  # type: ignore[assignment]
            setattr(self, name, function)

    def taken(self, vector: Bytes) -> bytes:
        """The bytes of a vector that the library made for us, which is then freed."""
        raw = ctypes.string_at(vector.data, vector.size) if vector.size else b""
        self.wasm_byte_vec_delete(vector)
        return raw

    def error_text(self, error: int) -> str:
        """What an error says; the error is freed."""
        text = Bytes()
        self.wasmtime_error_message(error, text)
        self.wasmtime_error_delete(error)
        return self.taken(text).decode("utf-8", "replace")

    def trap_text(self, trap: int) -> str:
        """What a trap says, with its backtrace; the trap is freed."""
        text = Bytes()
        self.wasm_trap_message(trap, text)
        self.wasm_trap_delete(trap)
        return self.taken(text).decode("utf-8", "replace").rstrip("\0")
