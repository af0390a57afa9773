# SPDX-License-Identifier: Apache-2.0
"""Where this host keeps what it makes software TPMs with."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from enarx.errors import Malformed, Misused, Reason
from enarx.platform.image.store import replace
from enarx.platform.tpm.maker import Maker, made

MAKER, ROOT = "maker.key", "tpm.pem"
"""Key and root; the root alone, by the name under which a folder of anchors lists makers of TPMs."""


def default_folder() -> Path:
    """Where it is unless somebody says otherwise (XDG base directory specification)."""
    base = os.environ.get("XDG_STATE_HOME", "")
    return Path(base if base.startswith("/") else Path.home() / ".local" / "state") / "enarx" / "tpm-maker"


def open_maker(folder: Path, *, when: datetime) -> Maker:
    """This host's maker, made where there is none. The key is readable by its owner alone."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (folder / MAKER).exists():
            _keep(folder, made(socket.gethostname(), when=when))
        pem = (folder / MAKER).read_bytes()
        key, root = serialization.load_pem_private_key(pem, None), x509.load_pem_x509_certificate(pem)
        if not (folder / ROOT).exists():
            replace(folder / ROOT, root.public_bytes(serialization.Encoding.PEM))
    except OSError as error:
        raise Misused(Reason.FILE_UNWRITABLE, f"{folder}: {(error.strerror or '').lower()}") from None
    except (ValueError, TypeError):
        raise Malformed(Reason.SYNTAX, f"{folder / MAKER}: not a maker of software TPMs") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != root.public_key():
        raise Malformed(Reason.KEY_INVALID, f"{folder / MAKER}: key and root are not of one maker")
    return Maker(root, key)


def _keep(folder: Path, fresh: Maker) -> None:
    """Write it whole, unless another launcher was first."""
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    number, name = tempfile.mkstemp(dir=folder, prefix=".maker-")  # for its owner alone
    try:
        with os.fdopen(number, "wb") as file:
            file.write(fresh.key.private_bytes(*form) + fresh.root.public_bytes(serialization.Encoding.PEM))
        with contextlib.suppress(FileExistsError):
            (folder / MAKER).hardlink_to(name)
    finally:
        Path(name).unlink()
