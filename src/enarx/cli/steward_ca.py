# SPDX-License-Identifier: Apache-2.0
"""`enarx steward ca`: the root that stays offline, issuing CAs below it, and the root's list of revoked ones."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from enarx.cli.files import read, write
from enarx.codec.x509 import from_pem
from enarx.identity.authority import Authority
from enarx.identity.ca import YEAR, MadeCa, make_intermediate, make_root, pem
from enarx.identity.revocation import Revoked
from enarx.identity.revocation import crl as make_crl
from enarx.identity.settings import load_key, write_private
from enarx.identity.signer import KeySigner

_LIMIT = 1 << 20
Crt = Annotated[Path, typer.Option("--crt", help="Where the certificates go, PEM.")]
Key = Annotated[Path, typer.Option("--key", help="Where the key goes, PKCS#8 PEM; a new file.")]
Domain = Annotated[str, typer.Option(help="SPIFFE trust domain, fixed in the certificate for its whole life.")]
Name = Annotated[str, typer.Option(help="Its name; the words simulated, none, legacy say what it issues.")]
Secret = Annotated[Path | None, typer.Option(help="File with the passphrase of the key.")]
RootCrt = Annotated[Path, typer.Option(help="PEM of the root.")]
RootKey = Annotated[Path, typer.Option(help="PEM of its key.")]


def root(
    crt: Crt,
    key: Key,
    trust_domain: Domain,
    name: Name,
    passphrase_file: Secret = None,
    years: Annotated[int, typer.Option(min=1, max=30)] = 10,
) -> int:
    """Make a root. Its key signs issuing CAs, and is kept offline between two of them."""
    made = make_root(name, trust_domain=trust_domain, when=_now(), serial=_serial(), lifetime=years * YEAR)
    _written(made, crt, key, passphrase_file)
    return 0


def issuing(
    crt: Crt,
    key: Key,
    trust_domain: Domain,
    name: Name,
    root_crt: RootCrt,
    root_key: RootKey,
    root_passphrase_file: Secret = None,
    passphrase_file: Secret = None,
    days: Annotated[int, typer.Option(min=1, max=3650)] = 365,
) -> int:
    """Make an issuing CA below a root, for `enarx steward serve`."""
    path = from_pem(read(root_crt, limit=_LIMIT), str(root_crt))
    made = make_intermediate(
        path,
        KeySigner(load_key(root_key, _secret(root_passphrase_file))),
        name,
        trust_domain=trust_domain,
        when=_now(),
        serial=_serial(),
        lifetime=timedelta(days=days),
    )
    _written(made, crt, key, passphrase_file)
    return 0


def crl(
    out: Annotated[Path, typer.Option(help="Where the list goes, DER.")],
    trust_domain: Domain,
    root_crt: RootCrt,
    root_key: RootKey,
    revoke: Annotated[list[Path], typer.Option(help="PEM of an issuing CA that is not to be believed any more.")],
    root_passphrase_file: Secret = None,
    days: Annotated[int, typer.Option(help="Days until the next list.", min=1, max=365)] = 30,
) -> int:
    """Make the root's list of revoked issuing CAs."""
    path = from_pem(read(root_crt, limit=_LIMIT), str(root_crt))
    signer = KeySigner(load_key(root_key, _secret(root_passphrase_file)))
    authority = Authority(path, signer, trust_domain=trust_domain)
    when = _now()
    serials = [from_pem(read(one, limit=_LIMIT), str(one))[0].serial for one in revoke]
    entries = [Revoked(serial, when, 1) for serial in serials]
    write(out, make_crl(authority, entries, when=when, life=timedelta(days=days)))
    return 0


def _written(made: MadeCa, crt: Path, key: Path, passphrase_file: Path | None) -> None:
    write_private(key, made.key_pem(_secret(passphrase_file)))
    write(crt, pem(made.path))


def _secret(path: Path | None) -> bytes | None:
    return read(path, limit=4096).rstrip(b"\r\n") if path else None


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - a door


def _serial() -> int:
    return secrets.randbits(126) | 1 << 126
