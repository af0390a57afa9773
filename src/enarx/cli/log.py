# SPDX-License-Identifier: Apache-2.0
"""`enarx log verify`: hold a Steward's issuance log against what it promised."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path
from typing import Annotated

import typer

from enarx.cli.files import read
from enarx.codec.x509 import from_pem
from enarx.errors import Misused, Reason
from enarx.identity.issued import identity_of
from enarx.identity.log import Checkpoint, entry_of, public_key
from enarx.identity.merkle import leaf_hash
from enarx.identity.transparency import LogClient


def verify(
    certificate: Annotated[
        Path | None, typer.Argument(help="PEM of a certificate and its issuers: is it in the log that it names?")
    ] = None,
    url: Annotated[
        str, typer.Option("--log", help="The log's address, ending in /log; of a certificate otherwise.")
    ] = "",
    key: Annotated[str, typer.Option(help="The log's key, NAME+HASH+BASE64; of a certificate otherwise.")] = "",
    ca: Annotated[Path | None, typer.Option(help="PEM of the CA of the Steward's TLS.")] = None,
    remember: Annotated[
        Path | None, typer.Option(help="File with the checkpoint seen last: the log must have grown from it.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Read every entry and make the root again.")] = False,
) -> int:
    """Check that the log has a certificate, that it only grew, and that its entries make its root."""
    leaf, ca_pem = None, read(ca, limit=1 << 20).decode() if ca else None
    public = public_key(key) if key else b""
    if certificate is not None:
        chain = from_pem(read(certificate, limit=1 << 20), str(certificate))
        if len(chain) < 2:
            raise Misused(
                Reason.MISSING, f"{certificate}: the issuer's certificate", hint="the whole chain in one file"
            )
        entry, promise = entry_of(chain[0], chain[1], str(identity_of(chain[0])))
        leaf, url, public = leaf_hash(entry), url or promise.url, public or promise.key
        ca_pem = ca_pem or ssl.DER_cert_to_PEM_cert(chain[-1].raw)
    if not url or not public:
        raise Misused(Reason.USAGE, "which log", hint="give a certificate, or --log and --key")
    log = LogClient(url, public, ca_pem=ca_pem)
    checkpoint = log.proved(leaf) if leaf else log.checkpoint()
    if leaf:
        print(f"the certificate is in {checkpoint.origin}")
    _grown(log, remember)
    if full:
        log.recomputed(checkpoint, lambda done: print(f"{done} of {checkpoint.size} entries", file=sys.stderr))
        print("its entries make the root that it signed")
    print(f"{checkpoint.origin}: {checkpoint.size} entries, root {checkpoint.root.hex()}")
    return 0


def _grown(log: LogClient, remember: Path | None) -> None:
    """Compare with what was seen last, and remember what is seen now."""
    if remember is None:
        return
    now = log.checkpoint()
    if remember.exists():
        old = _remembered(remember)
        log.grew_from(old, now)
        print(f"it grew from {old.size} entries, and nothing before was changed")
    fresh = remember.with_name(remember.name + ".new")
    fresh.write_text(f"{now.origin}\n{now.size}\n{now.root.hex()}\n")
    fresh.replace(remember)


def _remembered(path: Path) -> Checkpoint:
    try:
        origin, size, root = path.read_text().split("\n")[:3]
        return Checkpoint(origin, int(size), bytes.fromhex(root))
    except (OSError, ValueError):
        raise Misused(Reason.FILE_UNREADABLE, f"{path}: not a checkpoint that was remembered") from None
