# SPDX-License-Identifier: Apache-2.0
"""The component part of wasmtime's C interface, declared once.

A `wasmtime_component_val_t` is 32 bytes, four words of 64 bits: its kind in the lowest byte of the
first, its content in the others. Source: wasmtime/component/*.h of release 50.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_bool, c_char_p, c_size_t, c_uint32, c_uint64, c_void_p

from enarx.runtime.engine.capi import SIGNATURES, Bytes

WORD = 8
VAL_WORDS = 4
VAL_SIZE = WORD * VAL_WORDS
ENTRY_WORDS = 6
"""`wasmtime_component_valrecord_entry_t`: a name (size, data), then a val."""

# Kinds of a val.
BOOL, S8, U8, S16, U16, S32, U32, S64, U64, F32, F64, CHAR = range(12)
STRING, LIST, RECORD, TUPLE, VARIANT, ENUM, OPTION, RESULT, FLAGS, RESOURCE = range(12, 22)

# Kinds of an item in a component's type.
ITEM_INSTANCE, ITEM_FUNC, ITEM_RESOURCE, ITEM_TYPE = 1, 3, 4, 6

HOST_CALL = ctypes.PYFUNCTYPE(c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, c_void_p, c_size_t)
"""`wasmtime_component_func_callback_t`: data, context, type, arguments, how many, results, how many."""
DROPPED = ctypes.PYFUNCTYPE(c_void_p, c_void_p, c_void_p, c_uint32)
"""`wasmtime_component_resource_destructor_t`: data, context, rep."""


class Words(ctypes.Structure):
    """Four words: room for one val, one item or one value type."""

    _fields_ = [("of", c_uint64 * VAL_WORDS)]


class Func(ctypes.Structure):
    """`wasmtime_component_func_t`."""

    _fields_ = [("of", c_uint64 * 4)]


class Instance(ctypes.Structure):
    """`wasmtime_component_instance_t`."""

    _fields_ = [("of", c_uint64 * 2)]


_NTH = (c_void_p, c_void_p, c_size_t, POINTER(c_void_p), POINTER(c_size_t), POINTER(c_void_p))
_FIELD = (c_void_p, c_size_t, POINTER(c_void_p), POINTER(c_size_t), c_void_p)
_NAME = (c_void_p, c_size_t, POINTER(c_void_p), POINTER(c_size_t))
_LINKED = (c_void_p, c_char_p, c_size_t)

SIGNATURES |= {
    "wasmtime_error_new": (c_void_p, (c_char_p,)),
    "wasmtime_store_delete": (None, (c_void_p,)),
    "wasm_byte_vec_new": (None, (c_void_p, c_size_t, c_char_p)),
    "wasmtime_component_new": (c_void_p, (c_void_p, c_char_p, c_size_t, POINTER(c_void_p))),
    "wasmtime_component_serialize": (c_void_p, (c_void_p, POINTER(Bytes))),
    "wasmtime_component_deserialize_file": (c_void_p, (c_void_p, c_char_p, POINTER(c_void_p))),
    "wasmtime_component_type": (c_void_p, (c_void_p,)),
    "wasmtime_component_type_delete": (None, (c_void_p,)),
    "wasmtime_component_type_import_count": (c_size_t, (c_void_p, c_void_p)),
    "wasmtime_component_type_import_nth": (c_bool, _NTH),
    "wasmtime_component_instance_type_export_count": (c_size_t, (c_void_p, c_void_p)),
    "wasmtime_component_instance_type_export_nth": (c_bool, _NTH),
    "wasmtime_component_extern_type": (None, (c_void_p, c_void_p)),
    "wasmtime_component_extern_delete": (None, (c_void_p,)),
    "wasmtime_component_item_delete": (None, (c_void_p,)),
    "wasmtime_component_func_type": (c_void_p, (POINTER(Func), c_void_p)),
    "wasmtime_component_func_type_delete": (None, (c_void_p,)),
    "wasmtime_component_func_type_param_count": (c_size_t, (c_void_p,)),
    "wasmtime_component_func_type_param_nth": (c_bool, _FIELD),
    "wasmtime_component_func_type_result": (c_bool, (c_void_p, c_void_p)),
    "wasmtime_component_valtype_delete": (None, (c_void_p,)),
    "wasmtime_component_list_type_element": (None, (c_void_p, c_void_p)),
    "wasmtime_component_record_type_field_count": (c_size_t, (c_void_p,)),
    "wasmtime_component_record_type_field_nth": (c_bool, _FIELD),
    "wasmtime_component_tuple_type_types_count": (c_size_t, (c_void_p,)),
    "wasmtime_component_tuple_type_types_nth": (c_bool, (c_void_p, c_size_t, c_void_p)),
    "wasmtime_component_variant_type_case_count": (c_size_t, (c_void_p,)),
    "wasmtime_component_variant_type_case_nth": (
        c_bool,
        (c_void_p, c_size_t, POINTER(c_void_p), POINTER(c_size_t), POINTER(c_bool), c_void_p),
    ),
    "wasmtime_component_enum_type_names_count": (c_size_t, (c_void_p,)),
    "wasmtime_component_enum_type_names_nth": (c_bool, _NAME),
    "wasmtime_component_flags_type_names_count": (c_size_t, (c_void_p,)),
    "wasmtime_component_flags_type_names_nth": (c_bool, _NAME),
    "wasmtime_component_option_type_ty": (None, (c_void_p, c_void_p)),
    "wasmtime_component_result_type_ok": (c_bool, (c_void_p, c_void_p)),
    "wasmtime_component_result_type_err": (c_bool, (c_void_p, c_void_p)),
    "wasmtime_component_resource_type_new_host": (c_void_p, (c_uint32,)),
    "wasmtime_component_resource_type_clone": (c_void_p, (c_void_p,)),
    "wasmtime_component_resource_type_equal": (c_bool, (c_void_p, c_void_p)),
    "wasmtime_component_resource_type_delete": (None, (c_void_p,)),
    "wasmtime_component_linker_new": (c_void_p, (c_void_p,)),
    "wasmtime_component_linker_root": (c_void_p, (c_void_p,)),
    "wasmtime_component_linker_instance_add_instance": (c_void_p, (*_LINKED, POINTER(c_void_p))),
    "wasmtime_component_linker_instance_add_func": (c_void_p, (*_LINKED, HOST_CALL, c_void_p, c_void_p)),
    "wasmtime_component_linker_instance_add_resource": (
        c_void_p,
        (*_LINKED, c_void_p, DROPPED, c_void_p, c_void_p),
    ),
    "wasmtime_component_linker_instance_delete": (None, (c_void_p,)),
    "wasmtime_component_linker_instantiate": (c_void_p, (c_void_p, c_void_p, c_void_p, POINTER(Instance))),
    "wasmtime_component_instance_get_export_index": (
        c_void_p,
        (POINTER(Instance), c_void_p, c_void_p, c_char_p, c_size_t),
    ),
    "wasmtime_component_export_index_delete": (None, (c_void_p,)),
    "wasmtime_component_instance_get_func": (c_bool, (POINTER(Instance), c_void_p, c_void_p, POINTER(Func))),
    "wasmtime_component_func_call": (
        c_void_p,
        (POINTER(Func), c_void_p, c_void_p, c_size_t, c_void_p, c_size_t),
    ),
    "wasmtime_component_val_new": (c_void_p, (c_void_p,)),
    "wasmtime_component_val_delete": (None, (c_void_p,)),
    "wasmtime_component_vallist_new_uninit": (None, (c_void_p, c_size_t)),
    "wasmtime_component_valtuple_new_uninit": (None, (c_void_p, c_size_t)),
    "wasmtime_component_valrecord_new_uninit": (None, (c_void_p, c_size_t)),
    "wasmtime_component_valflags_new_uninit": (None, (c_void_p, c_size_t)),
    "wasmtime_component_resource_any_to_host": (c_void_p, (c_void_p, c_void_p, POINTER(c_void_p))),
    "wasmtime_component_resource_host_to_any": (c_void_p, (c_void_p, c_void_p, POINTER(c_void_p))),
    "wasmtime_component_resource_host_new": (c_void_p, (c_bool, c_uint32, c_uint32)),
    "wasmtime_component_resource_host_rep": (c_uint32, (c_void_p,)),
    "wasmtime_component_resource_host_delete": (None, (c_void_p,)),
    "wasmtime_component_resource_any_drop": (c_void_p, (c_void_p, c_void_p)),
}
