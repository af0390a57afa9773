# SPDX-License-Identifier: Apache-2.0
"""What a file of a vector holds, by its content: names differ from capture to capture."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping

import msgspec

from enarx.codec.x509 import Certificate, Crl
from enarx.errors import EnarxError, Malformed, Reason
from enarx.evidence import snp_table

_ENDINGS = (".der", ".crt", ".cer", ".crl")
_ARMOUR = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)


class Content(msgspec.Struct, frozen=True):
    """DER certificates and CRLs in the order of the files, and a GHCB certificate table."""

    certificates: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    table: bytes | None = None


def sorted_out(files: Mapping[str, bytes], *, leave_out: tuple[str | None, ...] = (), strict: bool = False) -> Content:
    """Certificates, CRLs and the table among the files, those to leave out not looked at.

    Where the vendor's files hold nothing else (`strict`), one that cannot be read is `Malformed`.
    """
    certificates: list[bytes] = []
    crls: list[bytes] = []
    table = None
    for name, raw in files.items():
        if name in leave_out:
            continue
        if is_table(raw):
            table = raw
            continue
        for der in unarmoured(raw, strict=strict):
            if _reads(Certificate, der):
                certificates.append(der)
            elif _reads(Crl, der):
                crls.append(der)
            elif strict and (b"-----BEGIN" in raw or name.endswith(_ENDINGS)):
                raise Malformed(Reason.SYNTAX, f"{name}: neither a certificate nor a CRL")
    return Content(tuple(certificates), tuple(crls), table)


def unarmoured(raw: bytes, *, strict: bool = False) -> list[bytes]:
    """The DER in a file: of every PEM block, or the file itself; armour that cannot be read is `Malformed` or left."""
    blocks = _ARMOUR.findall(raw)
    if not blocks and not (strict and b"-----BEGIN" in raw):
        return [raw]
    try:
        found = [base64.b64decode(body) for label, body in blocks if b"KEY" not in label]
    except ValueError:
        found = []
    if strict and not found:
        raise Malformed(Reason.SYNTAX, "PEM armour")
    return found


def is_table(raw: bytes) -> bool:
    """Whether a file begins with a row of a GHCB certificate table."""
    known = (snp_table.VCEK, snp_table.VLEK, snp_table.ASK, snp_table.ARK, snp_table.CRL)
    return raw[:16] in {guid.bytes for guid in known}


def _reads(kind: type[Certificate | Crl], der: bytes) -> bool:
    try:
        kind(der)
    except EnarxError:
        return False
    return True
