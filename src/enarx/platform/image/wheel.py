# SPDX-License-Identifier: Apache-2.0
"""Files out of a Python wheel (PEP 427)."""

from __future__ import annotations

import io
import zipfile
import zlib

from enarx.errors import Malformed, Reason


def members(raw: bytes) -> dict[str, bytes]:
    """Every file below the wheel's root but its metadata, by relative path."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            return {
                entry.filename: archive.read(entry)
                for entry in archive.infolist()
                if not entry.is_dir() and not entry.filename.split("/")[0].endswith((".dist-info", ".data"))
            }
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise Malformed(Reason.SYNTAX, f"wheel: {error}") from None
