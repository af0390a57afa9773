# SPDX-License-Identifier: Apache-2.0
"""`enarx key`: the keys that sign SEV-SNP launches and SGX enclaves, and the digests that reports show."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from enarx.cli.files import read
from enarx.cli.reach import Json, say, write_bytes
from enarx.errors import Misused, Reason
from enarx.measurement import signer

MAX_PEM = 64 << 10
PRIVATE = 0o600

Out = Annotated[Path | None, typer.Option(help="File to write; default: standard output.")]
Key = Annotated[Path, typer.Argument(help="PEM of the key, private or public.")]


def sev_create(out: Out = None, json_: Json = False) -> int:
    """Make a P-384 key, PEM (PKCS #8)."""
    key = ec.generate_private_key(ec.SECP384R1())
    _put(key.private_bytes(*_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()), out, json_)
    return 0


def sev_digest(key: Key, out: Out = None, json_: Json = False) -> int:
    """Say the SHA-384 of a key in AMD's form: ID_KEY_DIGEST or AUTHOR_KEY_DIGEST of a report."""
    _say(signer.sev_digest(_ec(key)).hex(), out, json_)
    return 0


def sev_sign(
    author_key: Annotated[Path, typer.Option(help="PEM of the author's private key.")],
    id_key: Annotated[Path, typer.Option(help="PEM of the id key.")],
    out: Out = None,
    json_: Json = False,
) -> int:
    """Sign an id key with an author key: 1540 bytes, signature and author's public key in AMD's form."""
    signed = signer.sev_sign(read_ec(author_key), _ec(id_key))
    if json_ and out is None:
        say({"signature": signed.hex()})
    else:
        write_bytes(signed, out)
    return 0


def sgx_create(out: Out = None, json_: Json = False) -> int:
    """Make an RSA key of 3072 bits with exponent 3, PEM (PKCS #1)."""
    key = rsa.generate_private_key(3, 3072)
    form = serialization.PrivateFormat.TraditionalOpenSSL
    _put(key.private_bytes(*_PEM, form, serialization.NoEncryption()), out, json_)
    return 0


def sgx_digest(key: Key, out: Out = None, json_: Json = False) -> int:
    """Say the MRSIGNER of a key."""
    _say(signer.sgx_digest(_rsa(key)).hex(), out, json_)
    return 0


_PEM = (serialization.Encoding.PEM,)


def read_ec(path: Path) -> ec.EllipticCurvePrivateKey:
    """An unencrypted elliptic curve private key, PEM."""
    try:
        key = serialization.load_pem_private_key(read(path, limit=MAX_PEM), None)
    except (ValueError, TypeError):
        raise _unfit(path) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise _unfit(path)
    return key


def _ec(path: Path) -> ec.EllipticCurvePublicKey:
    key = _public(path)
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise _unfit(path)
    return key


def _rsa(path: Path) -> rsa.RSAPublicKey:
    key = _public(path)
    if not isinstance(key, rsa.RSAPublicKey):
        raise _unfit(path)
    return key


def _public(path: Path) -> object:
    """The public half of a key, from either half."""
    raw = read(path, limit=MAX_PEM)
    try:
        if b"PRIVATE KEY" in raw:
            return serialization.load_pem_private_key(raw, None).public_key()
        return serialization.load_pem_public_key(raw)
    except (ValueError, TypeError):
        raise _unfit(path) from None


def _unfit(path: Path) -> Misused:
    return Misused(Reason.KEY_INVALID, f"{path}: not an unencrypted PEM key of the kind needed")


def _put(pem: bytes, out: Path | None, json_: bool) -> None:
    if json_ and out is None:
        say({"key": pem.decode()})
    else:
        write_bytes(pem, out, mode=PRIVATE)


def _say(digest: str, out: Path | None, json_: bool) -> None:
    if out is not None:
        write_bytes(digest.encode(), out)
    elif json_:
        say({"digest": digest})
    else:
        print(digest)
