# SPDX-License-Identifier: Apache-2.0
"""configfs-tsm: the kernel's one interface to reports and quotes of SEV-SNP, TDX and CCA guests.

A request is a folder with files: what is to be signed over goes in, the report comes out. Every
write counts up `generation`; a count that is not ours means that somebody else used the folder, and
that what was read may be an answer to them. Source: Linux, Documentation/ABI/testing/configfs-tsm-report.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from enarx.errors import Malformed, Misused, Reason, Undetermined

FOLDER = Path("/sys/kernel/config/tsm/report")
SEV_GUEST, TDX_GUEST, CCA_GUEST = "sev_guest", "tdx_guest", "arm_cca_guest"
BOUND = 64
MAX_REPORT = 1 << 20
TRIES, PAUSE = 20, 0.1
_AGAIN = frozenset({errno.EBUSY, errno.EAGAIN, errno.EINTR, errno.ETIMEDOUT})
"""The device is in use, or the host throttles it: the same request may succeed a moment later."""


class TsmReport(msgspec.Struct, frozen=True):
    """An answer: who gave it, the report or quote, and what came beside it (a certificate table), or b""."""

    provider: str
    outblob: bytes
    auxblob: bytes


def provider(folder: Path = FOLDER) -> str | None:
    """Who answers here; None where there is no such interface, or nobody behind it."""
    try:
        with _entry(folder) as entry:
            return (entry / "provider").read_text("ascii").strip()
    except OSError:
        return None


def report(bound: bytes, folder: Path = FOLDER, *, pause: Callable[[float], None] = time.sleep) -> TsmReport:
    """A report over `bound` (64 bytes). `Undetermined` when the device does not give one."""
    if len(bound) != BOUND:
        raise Misused(Reason.WRONG_LENGTH, f"report data of {len(bound)} bytes, expected {BOUND}")
    said = "somebody else uses it"
    for _ in range(TRIES):
        try:
            with _entry(folder) as entry:
                if (found := _asked(entry, bound)) is not None:
                    return found
        except OSError as error:
            if error.errno not in _AGAIN:
                raise Undetermined(Reason.UNREACHABLE, f"{folder}: {error.strerror}") from None
            said = str(error.strerror)
        pause(PAUSE)
    raise Undetermined(Reason.TIMED_OUT, f"{folder}: {said}")


def _asked(entry: Path, bound: bytes) -> TsmReport | None:
    """One request; None when another writer came between."""
    expected = _generation(entry)
    if (floor := _number(entry / "privlevel_floor")) > 0:
        (entry / "privlevel").write_text(str(floor), "ascii")
        expected += 1
    (entry / "inblob").write_bytes(bound)
    expected += 1
    outblob = _read(entry / "outblob")
    auxblob = _read(entry / "auxblob") if (entry / "auxblob").exists() else b""
    name = (entry / "provider").read_text("ascii").strip()
    return TsmReport(name, outblob, auxblob) if _generation(entry) == expected else None


@contextlib.contextmanager
def _entry(folder: Path) -> Iterator[Path]:
    """A request's folder of our own, gone when the block ends."""
    entry = folder / f"enarx-{secrets.token_hex(8)}"
    entry.mkdir()
    try:
        yield entry
    finally:
        with contextlib.suppress(OSError):
            entry.rmdir()


def _generation(entry: Path) -> int:
    return int((entry / "generation").read_text("ascii"))


def _number(path: Path) -> int:
    """A small number in a file, 0 where there is none."""
    with contextlib.suppress(OSError, ValueError):
        return int(path.read_text("ascii"))
    return 0


def _read(path: Path) -> bytes:
    with path.open("rb", buffering=0) as file:
        parts = bytearray()
        while part := os.read(file.fileno(), 1 << 16):
            parts += part
            if len(parts) > MAX_REPORT:
                raise Malformed(Reason.TOO_LARGE, f"{path.name} of the evidence device")
    return bytes(parts)
