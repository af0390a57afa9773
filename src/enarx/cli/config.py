# SPDX-License-Identifier: Apache-2.0
"""`enarx config init`: an Enarx.toml to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from enarx.errors import Misused, Reason

TEMPLATE = """\
# What this workload gets when it runs in a Keep. Uncomment what it needs.

# The Steward that gives the Keep its identity.
# steward = "https://steward.example.org"

# Arguments after the program's name.
# args = ["--verbose"]

# File descriptors, in this order: the first is fd 0.
[[files]]
kind = "stdin"

[[files]]
kind = "stdout"

[[files]]
kind = "stderr"

# A socket that waits for connections; TLS ends in the Keep, with its certificate.
# [[files]]
# kind = "listen"
# name = "web"
# prot = "tls"
# port = 8443

# A connection that is open before the program starts.
# [[files]]
# kind = "connect"
# name = "database"
# prot = "tls"
# host = "db.example.org"
# port = 5432

# Environment variables.
# [env]
# LANG = "C.UTF-8"
"""


def init(
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Write ./Enarx.toml, unless there is one."""
    path = Path("Enarx.toml")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE)
    except FileExistsError:
        raise Misused(Reason.ALREADY_EXISTS, '"Enarx.toml" does already exist.') from None
    except OSError as error:
        raise Misused(Reason.FILE_UNWRITABLE, f"Enarx.toml: {error.strerror}") from None
    if json_:
        print('{"file":"Enarx.toml"}')
    return 0
