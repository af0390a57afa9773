# SPDX-License-Identifier: Apache-2.0
"""The one place that says which program the machine was booted for."""

from __future__ import annotations

import os
import runpy
import sys
from types import ModuleType
from typing import cast

from enarx.platform.vm import outward

AGENT = "enarx.keep"
"""The same program as on the `process` backend; named, because a platform knows nothing above it."""

_AUTHORITIES = "/usr/lib/python3.11/certifi/cacert.pem"
"""Where OpenSSL finds the public certificate authorities: the image has no system's folder of them."""


def run(arguments: list[str]) -> None:
    """Become the agent: `python -m enarx.keep ARGUMENTS`, in this process."""
    outward.install()
    os.environ.setdefault("SSL_CERT_FILE", _AUTHORITIES)
    _load_msgspec()
    sys.argv = [AGENT, *arguments]
    runpy.run_module(AGENT, run_name="__main__", alter_sys=True)


def _load_msgspec() -> None:
    """It takes typing's own names where `typing_extensions`, whose import costs a tenth of an emulated start, is not."""
    sys.modules["typing_extensions"] = cast("ModuleType", None)  # makes its import fail, as documented
    __import__("msgspec")
    del sys.modules["typing_extensions"]
