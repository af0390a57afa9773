# SPDX-License-Identifier: Apache-2.0
"""The image's own interpreter and compressors, run from their packages without installing them."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from enarx.errors import Faulty, Reason
from enarx.platform.image.contents import PYTHON
from enarx.platform.image.deb import Member

LOADER = "/lib64/ld-linux-x86-64.so.2"
_LIBRARY_FOLDERS = ("/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu")


class Toolbox:
    """A running `toolbox.py`, started when it is first asked. Use as a context manager."""

    def __init__(self, files: Mapping[str, Member], program: bytes, *, lz4: str, zstd: str) -> None:
        """`files` by absolute path are the tools' root; `lz4` and `zstd` are paths in it."""
        self._files, self._program = files, program
        self._libraries = (lz4, zstd)
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Toolbox:  # noqa: PYI034 - `typing.Self` says less here
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        if self._folder is not None:
            self._folder.cleanup()

    def compiled(self, path: str, source: bytes) -> bytes:
        """What `toolbox.compiled` answers."""
        answer = self._ask(b"c" + path.encode() + b"\0" + source)
        if not answer:
            raise Faulty(Reason.SYNTAX, f"image: {path} does not compile")
        return answer

    def lz4(self, body: bytes) -> bytes:
        """The body in an LZ4 legacy frame."""
        return self._ask(b"l" + body)

    def unzstd(self, body: bytes, size: int) -> bytes:
        """The contents of a zstd frame; b"" unless they have this size."""
        return self._ask(b"z" + size.to_bytes(8, "big") + body)

    def _ask(self, request: bytes) -> bytes:
        process = self._process = self._process or self._start()
        if process.stdin is None or process.stdout is None:
            raise Faulty(Reason.INTERNAL, "image tools")
        try:
            process.stdin.write(len(request).to_bytes(8, "big") + request)
            process.stdin.flush()
        except BrokenPipeError:
            raise Faulty(Reason.INTERNAL, "image tools ended early") from None
        head = process.stdout.read(8)
        answer = process.stdout.read(int.from_bytes(head, "big"))
        if len(head) < 8 or len(answer) < int.from_bytes(head, "big"):
            raise Faulty(Reason.INTERNAL, "image tools ended early")
        return answer

    def _start(self) -> subprocess.Popen[bytes]:
        self._folder = tempfile.TemporaryDirectory(prefix="enarx-image-")
        root = Path(self._folder.name)
        for path, member in self._files.items():
            contents = self._files.get(member.link, member) if member.link else member
            target = root / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(contents.body)
            target.chmod(0o755)
        (root / "toolbox.py").write_bytes(self._program)
        folders = ":".join(f"{root}{folder}" for folder in _LIBRARY_FOLDERS)
        lz4, zstd = (f"{root}{path}" for path in self._libraries)
        # -E would ignore the hash seed; nothing else is in the environment.
        python = [f"{root}{LOADER}", "--library-path", folders, f"{root}{PYTHON}", "-s", "-S", "-P", "-B"]
        return subprocess.Popen(
            [*python, f"{root}/toolbox.py", lz4, zstd],
            env={"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
