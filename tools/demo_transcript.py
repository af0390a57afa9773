"""Write docs/demo.md anew from a run of the demo; what differs from run to run becomes `…`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "demo.md"
VARYING = (
    (r"127\.0\.0\.1:\d+", "127.0.0.1:…"),
    (r"[0-9a-f]{16,}", "…"),
    (r"0x[0-9a-f]{8,}", "…"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\dZ)?", "…"),
    (r"\(\d+\.\d s\)", "(… s)"),
    (r"(… ?)+…", "…"),
)


def main() -> int:
    demo = [sys.executable, "-m", "enarx", "demo"]
    printed = subprocess.run(demo, check=True, capture_output=True, text=True).stdout
    for pattern, instead in VARYING:
        printed = re.sub(pattern, instead, printed)
    text = DOCUMENT.read_text(encoding="utf-8")
    start = text.index("$ enarx demo\n") + len("$ enarx demo\n")
    DOCUMENT.write_text(text[:start] + printed + text[text.index("```\n", start) :], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
