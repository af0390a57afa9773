# SPDX-License-Identifier: Apache-2.0
"""Run by the image's own interpreter while an image is built; imports the standard library only.

Requests on standard input, answers on standard output: an 8-byte big-endian length, then bytes.
A request begins with one letter: `c` compile (path, NUL, source), `l` compress with LZ4, `z`
(8 bytes of size) decompress zstd. The interpreter and both libraries come out of the lock, so that
the answers depend on nothing of the machine.
"""

# ruff: noqa: PTH123 - the standard library, plainly
from __future__ import annotations

import ctypes
import dis
import json
import marshal
import os
import sys
from types import CodeType

BLOCK = 8 << 20
"""Size of a block of LZ4's legacy frame, the only one that the kernel reads (lz4_Block_format)."""
LEVEL = 12


def main(lz4: str, zstd: str) -> None:
    """Answer requests until standard input ends."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while head := source.read(8):
        asked = source.read(int.from_bytes(head, "big"))
        if asked[:1] == b"c":
            answered = _in_a_child(asked[1:])
        elif asked[:1] == b"l":
            answered = compress(asked[1:], lz4)
        else:
            answered = decompress(asked[9:], int.from_bytes(asked[1:9], "big"), zstd)
        sink.write(len(answered).to_bytes(8, "big") + answered)
        sink.flush()


def _in_a_child(asked: bytes) -> bytes:
    # Marshalled code tells how often a constant was referred to elsewhere in the interpreter.
    # A fresh child for each file starts from the same state whatever was compiled before.
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        path, _, text = asked.partition(b"\0")
        with open(writer, "wb") as out:
            out.write(compiled(path.decode(), text))
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as answer:
        found = answer.read()
    os.waitpid(child, 0)
    return found


def compiled(path: str, source: bytes) -> bytes:
    """The modules that a file imports as JSON, a NUL, and its `.pyc` with an unchecked hash (PEP 552)."""
    code = compile(source, path, "exec", dont_inherit=True, optimize=2)
    imports = sorted(_imports(code))
    import importlib.util

    head = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + importlib.util.source_hash(source)
    return json.dumps(imports).encode() + b"\0" + head + marshal.dumps(code)


def _imports(code: CodeType) -> set[tuple[int, str, tuple[str, ...]]]:
    found: set[tuple[int, str, tuple[str, ...]]] = set()
    consts: list[object] = []
    for step in dis.get_instructions(code):
        if step.opname == "IMPORT_NAME":
            level, names = consts[-2:]
            found.add((int(str(level)), step.argval, names if isinstance(names, tuple) else ()))
        if step.opname == "LOAD_CONST":
            consts.append(step.argval)
    for value in code.co_consts:
        if isinstance(value, CodeType):
            found |= _imports(value)
    return found


def compress(body: bytes, library: str) -> bytes:
    """An LZ4 legacy frame, as `lz4 -l -12` writes it."""
    lz4 = ctypes.CDLL(library)
    room = lz4.LZ4_compressBound(BLOCK)
    buffer = ctypes.create_string_buffer(room)
    out = [(0x184C2102).to_bytes(4, "little")]
    for at in range(0, len(body), BLOCK):
        block = body[at : at + BLOCK]
        size = lz4.LZ4_compress_HC(block, buffer, len(block), room, LEVEL)
        out += [size.to_bytes(4, "little"), buffer.raw[:size]]
    return b"".join(out)


def decompress(body: bytes, size: int, library: str) -> bytes:
    """The contents of a zstd frame, b"" unless they have this size."""
    zstd = ctypes.CDLL(library)
    zstd.ZSTD_decompress.restype = ctypes.c_size_t
    buffer = ctypes.create_string_buffer(size)
    done = zstd.ZSTD_decompress(buffer, ctypes.c_size_t(size), body, ctypes.c_size_t(len(body)))
    return buffer.raw if done == size else b""


if __name__ == "__main__":
    main(*sys.argv[1:])
