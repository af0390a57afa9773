# SPDX-License-Identifier: Apache-2.0
"""`enarx`: finds the verb that was typed and loads that verb only."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

from enarx.cli.outcome import fail
from enarx.cli.verbs import RAW
from enarx.errors import EnarxError, Faulty, Reason

TRACEBACK = "ENARX_TRACEBACK"
"""Set in the environment, a fault of ours is shown with its traceback. Nothing else changes."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        if arguments and arguments[0] in RAW:
            module, _, function = RAW[arguments[0]].target.partition(":")
            return int(getattr(importlib.import_module(module), function)(arguments[1:]))
        from enarx.cli.commands import invoke

        return invoke(arguments)
    except EnarxError as error:
        return fail(error)
    except BrokenPipeError:
        return 141
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        return fail(Faulty(Reason.INTERNAL, f"{type(error).__name__}: {error}", hint=f"{TRACEBACK}=1 shows where"))


def entry() -> None:
    """The console script."""
    sys.exit(main())
