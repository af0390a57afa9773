# SPDX-License-Identifier: Apache-2.0
"""How the last message of a guest's process becomes an ending."""

from __future__ import annotations

from enarx.errors import Reason
from enarx.runtime import wire
from enarx.runtime.workload import Exit


def ending(kind: int, text: str) -> Exit:
    """The ending that a message of the guest's process tells."""
    line = " ".join(text.split())
    match kind:
        case wire.EXITED:
            return Exit(code=int(text) & 0xFFFFFFFF if text.isascii() and text.isdigit() else 1)
        case wire.TRAPPED:
            return trapped(text)
        case wire.REJECTED:
            exceeded = "limit" in line and ("exceeds" in line or "exceeded" in line)
            return Exit(reason=Reason.LIMIT_REACHED if exceeded else Reason.MODULE_INVALID, detail=line)
        case wire.EXHAUSTED:
            return Exit(reason=Reason.LIMIT_REACHED, detail=line)
        case wire.UNLOCKED:
            return Exit(reason=Reason.SANDBOX_UNAVAILABLE, detail=f"this kernel lacks {line}")
        case _:
            last = text.strip().rpartition("\n")[2]
            return Exit(reason=Reason.INTERNAL, detail=f"the guest's process: {last}", trace=text)


def trapped(text: str) -> Exit:
    """The ending that a trap is: the engine's message apart from its backtrace."""
    trace, _, cause = text.partition("Caused by:")
    causes = [line.partition("wasm trap: ")[2] for line in text.splitlines() if "wasm trap: " in line]
    causes += [line.strip() for line in (cause or text).splitlines() if line.strip()]
    kept = [line for line in (trace if cause else text).splitlines() if "wasm trap: " not in line and line.strip()]
    return Exit(reason=Reason.TRAPPED, detail=causes[0] if causes else "trap", trace="\n".join(kept).strip())
