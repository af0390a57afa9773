# SPDX-License-Identifier: Apache-2.0
"""`enarx demo`: the whole story on one machine, told by the programs themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    examples: Annotated[
        Path, typer.Option(help="The folder of examples; it is in the source, not in the package.")
    ] = Path("examples"),
) -> int:
    """Tell the whole story on this machine: services, Keeps, a relying party, and five attacks."""
    from enarx.cli.demo.story import tell

    return tell(examples)
