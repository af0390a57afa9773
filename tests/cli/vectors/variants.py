# SPDX-License-Identifier: Apache-2.0
"""A capture written anew: other names, other forms of the same bytes, or bytes of another."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from enarx.cli.vectors.verdicts import Line, judged

Files = dict[str, bytes]
Change = Callable[[Files], Files]


def outcome(source: Path, to: Path, change: Change, **case: Any) -> tuple[Line, ...]:
    """What comes of a capture whose files were changed; `case` changes each of its cases."""
    vector = json.loads((source / "vector.json").read_text())
    files = change({name: (source / name).read_bytes() for name in {*vector["files"], vector["evidence"]}})
    for name, raw in files.items():
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        (to / name).write_bytes(raw)
    told = {**vector, "files": sorted(files), "cases": [{**one, **case} for one in vector["cases"]]}
    (to / "vector.json").write_text(json.dumps(told))
    return tuple(judged(to / "vector.json"))


def renamed(**names: str) -> Change:
    """Other names for files, by what stands before the first dot of theirs; the folder stays."""

    def change(files: Files) -> Files:
        return {_new(name, names): raw for name, raw in files.items()}

    return change


def _new(name: str, names: dict[str, str]) -> str:
    folder, _, own = name.rpartition("/")
    found = names.get(own.partition(".")[0], own)
    return f"{folder}/{found}" if folder else found


def der(pem: bytes) -> list[bytes]:
    """The certificates of a PEM file."""
    return [one.public_bytes(Encoding.DER) for one in x509.load_pem_x509_certificates(pem)]


def pem(raw: bytes, label: str = "CERTIFICATE") -> bytes:
    """PEM in lines of 76, as `base64.encodebytes` breaks them."""
    return f"-----BEGIN {label}-----\n".encode() + base64.encodebytes(raw) + f"-----END {label}-----\n".encode()
