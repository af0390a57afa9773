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
from enarx.evidence.snp_table import GuidOrder

_ENDINGS = (".der", ".pem", ".crt", ".cer", ".crl")
_ARMOUR = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)


class Content(msgspec.Struct, frozen=True):
    """DER certificates and CRLs in the order of the files, and a GHCB certificate table."""

    certificates: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    table: bytes | None = None


def sorted_out(
    files: Mapping[str, bytes],
    *,
    leave_out: tuple[str | None, ...] = (),
    strict: bool = False,
    order: GuidOrder = GuidOrder.GHCB,
) -> Content:
    """Certificates, CRLs and the table among the files, those to leave out not looked at.

    With `strict`, a file that is named like one of these and cannot be read is `Malformed`:
    where the vendor has no other files of such names, leaving it out would hide what is wrong.
    """
    certificates: list[bytes] = []
    crls: list[bytes] = []
    table = None
    for name, raw in files.items():
        if name in leave_out:
            continue
        if is_table(raw, order):
            table = raw
            continue
        named = strict and name.lower().endswith(_ENDINGS)
        for der in unarmoured(raw, strict=named):
            if _reads(Certificate, der):
                certificates.append(der)
            elif _reads(Crl, der):
                crls.append(der)
            elif named:
                raise Malformed(Reason.SYNTAX, f"{name}: neither a certificate nor a CRL")
    return Content(tuple(certificates), tuple(crls), table)


def unarmoured(raw: bytes, *, strict: bool = False) -> list[bytes]:
    """The DER in a file: of every PEM block but keys, or the file itself.

    Armour that cannot be read is left out, or with `strict` `Malformed`.
    """
    blocks = _ARMOUR.findall(raw)
    if not blocks:
        if strict and b"-----BEGIN" in raw:
            raise Malformed(Reason.SYNTAX, "PEM armour without an end")
        return [raw]
    try:
        bodies = [b"".join(body.split()) for label, body in blocks if b"KEY" not in label]
        return [base64.b64decode(body, validate=strict) for body in bodies]
    except ValueError:
        if strict:
            raise Malformed(Reason.SYNTAX, "PEM armour: not base64") from None
        return []


def order_of(raw: bytes) -> GuidOrder | None:
    """The order of GUIDs in a certificate table whose first row is for one of AMD's; None for anything else."""
    if raw[:16] in {guid.bytes for guid in snp_table.KNOWN}:
        return GuidOrder.GHCB
    return GuidOrder.SVSM if raw[:16] in {guid.bytes_le for guid in snp_table.KNOWN} else None


def is_table(raw: bytes, order: GuidOrder) -> bool:
    """Whether a file is a certificate table of this order: by its first row, or because it reads as one."""
    if order_of(raw) is order:
        return True
    try:
        found = snp_table.parse(raw, order)
    except EnarxError:
        return False
    return bool(found.certificates or found.crls)


def _reads(kind: type[Certificate | Crl], der: bytes) -> bool:
    try:
        kind(der)
    except EnarxError:
        return False
    return True
