"""Captures of SNP and simulated processors, for tests of the SNP judge."""

from __future__ import annotations

import functools
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from enarx.codec.x509 import from_pem
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.snp_tcb import Product
from enarx.platform.simulated.snp import SimulatedAmd

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


class Capture(NamedTuple):
    """A report with the chain and CRLs that lie beside it, and the time of its first case."""

    report: bytes
    chain: tuple[bytes, ...]
    crls: tuple[bytes, ...]
    when: datetime

    def endorsements(self) -> Endorsements:
        return Endorsements(self.chain, self.crls)


def capture(folder: Path, name: str) -> Capture:
    """The capture `snp/NAME`: chain as leaf, intermediate, root."""
    folder = folder / "snp" / name
    vector = json.loads((folder / "vector.json").read_bytes())
    found: dict[str, bytes] = {}
    for file in vector["files"]:
        raw = (folder / file).read_bytes()
        stem = file.partition(".")[0].replace("asvk", "ask").replace("vlek", "vcek")
        found[stem] = from_pem(raw, file)[0].raw if file.endswith(".pem") else raw
    chain = tuple(found[name] for name in ("vcek", "ask", "ark") if name in found)
    crls = tuple(raw for stem, raw in found.items() if "crl" in stem)
    return Capture(
        (folder / vector["evidence"]).read_bytes(), chain, crls, datetime.fromisoformat(vector["cases"][0]["when"])
    )


def authority(folder: Path, name: str) -> bytes:
    """A certificate of `_amd_ca`, DER."""
    return from_pem((folder / "_amd_ca" / name).read_bytes(), name)[0].raw


@functools.cache
def vendor(product: Product = Product.MILAN) -> SimulatedAmd:
    """A simulated AMD for the whole run: RSA keys take long to make."""
    return SimulatedAmd.made(NOW, product)
