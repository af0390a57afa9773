# SPDX-License-Identifier: Apache-2.0
"""Makes vectors/binding: `python vectors/make_binding.py`.

Maps and launch documents with their bytes and digests, encoded here by hand: another
implementation can be held to them, and ours is.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

FOLDER = Path(__file__).parent / "binding"
Value = int | str | bytes | list["Value"] | dict[str, "Value"]

SPKI, NONCE, LAUNCH = bytes(range(48)), bytes(range(100, 132)), bytes(range(200, 232))
MAPS: dict[str, dict[str, Value]] = {
    "issue": {"v": 1, "purpose": "issue", "spki": SPKI, "nonce": NONCE, "launch": LAUNCH},
    "handover": {"v": 1, "purpose": "handover", "spki": SPKI, "nonce": NONCE, "launch": LAUNCH},
    "channel": {
        "v": 1, "purpose": "channel", "spki": SPKI, "nonce": NONCE, "launch": LAUNCH, "exporter": bytes(range(50, 82)),
    },
    "release": {
        "v": 1, "purpose": "release", "spki": SPKI, "nonce": NONCE, "launch": LAUNCH, "hpke": b"\x04" + bytes(64),
    },
    "guest": {"v": 1, "purpose": "guest", "spki": SPKI, "nonce": NONCE, "launch": LAUNCH, "data": b""},
    "guest-300": {"v": 1, "purpose": "guest", "spki": SPKI, "nonce": NONCE, "launch": LAUNCH, "data": b"g" * 300},
}  # fmt: skip
LABEL = b"enarx-binding-1\0"


def encoded(value: Value) -> bytes:
    """Deterministic CBOR (RFC 8949 section 4.2.1)."""
    match value:
        case int():
            return _head(0, value)
        case bytes():
            return _head(2, len(value)) + value
        case str():
            return _head(3, len(value.encode())) + value.encode()
        case list():
            return _head(4, len(value)) + b"".join(map(encoded, value))
        case dict():
            rows = sorted((encoded(key), encoded(one)) for key, one in value.items())
            return _head(5, len(rows)) + b"".join(key + one for key, one in rows)


def _head(major: int, size: int) -> bytes:
    if size < 24:
        return bytes((major << 5 | size,))
    octets = next(n for n in (1, 2, 4, 8) if size < 1 << 8 * n)
    return bytes((major << 5 | {1: 24, 2: 25, 4: 26, 8: 27}[octets],)) + size.to_bytes(octets, "big")


def plain(value: Value) -> object:
    """As JSON shows it: byte strings in hexadecimal."""
    match value:
        case bytes():
            return value.hex()
        case list():
            return [plain(one) for one in value]
        case dict():
            return {key: plain(one) for key, one in value.items()}
        case _:
            return value


def main() -> None:
    """One file a purpose."""
    FOLDER.mkdir(exist_ok=True)
    for name, table in MAPS.items():
        raw = LABEL + encoded(table)
        vector = {
            "map": plain(table),
            "encoded": raw.hex(),
            "sha256": hashlib.sha256(raw).hexdigest(),
            "sha512": hashlib.sha512(raw).hexdigest(),
        }
        (FOLDER / f"{name}.json").write_text(json.dumps(vector, indent=1) + "\n")


if __name__ == "__main__":
    main()
