# SPDX-License-Identifier: Apache-2.0
"""Intel's certificate chains: PEM blocks one after the other, and nothing between them.

Quotes carry them in bytes that nobody signs, so every bit that is not DER has one allowed value
or is white space between lines: a changed quote is a refused quote.
"""

from __future__ import annotations

import binascii

from enarx.codec.x509 import MAX_CHAIN, Certificate
from enarx.errors import Malformed, Reason

BEGIN = b"-----BEGIN CERTIFICATE-----"
END = b"-----END CERTIFICATE-----"
MAX_BYTES = 256 << 10

_BLANKS = b" \t\r\n"


def certificates(text: bytes, what: str) -> tuple[Certificate, ...]:
    """The certificates of a chain in order; line ends and NULs may follow the last."""
    return tuple(Certificate(der, what) for der in blocks(text, what))


def given(raw: bytes, what: str) -> tuple[Certificate, ...]:
    """Certificates from a file that someone gives: PEM or one in DER, by content."""
    return certificates(raw.strip(b" \t\r\n"), what) if BEGIN in raw else (Certificate(raw, what),)


def blocks(text: bytes, what: str) -> list[bytes]:
    """The DER of each block in order, one to ten."""
    if len(text) > MAX_BYTES:
        raise Malformed(Reason.TOO_LARGE, f"{what}: {len(text)} bytes")
    *armoured, tail = text.split(END)
    if tail.rstrip(b"\0").strip(b"\r\n"):
        raise Malformed(Reason.TRAILING_BYTES, f"{what}: after the last certificate")
    if not armoured:
        raise Malformed(Reason.MISSING, f"{what}: no certificate")
    if len(armoured) > MAX_CHAIN:
        raise Malformed(Reason.TOO_LARGE, f"{what}: {len(armoured)} certificates, at most {MAX_CHAIN}")
    return [_block(one, what) for one in armoured]


def _block(one: bytes, what: str) -> bytes:
    before, _, body = one.partition(BEGIN)
    if before.strip(_BLANKS):
        raise Malformed(Reason.SYNTAX, f"{what}: text outside the certificates")
    letters = body.translate(None, _BLANKS)
    try:
        der = binascii.a2b_base64(letters, strict_mode=True)
    except ValueError:
        raise Malformed(Reason.SYNTAX, f"{what}: base64") from None
    if not letters.endswith(binascii.b2a_base64(der[-(len(der) % 3 or 3) :], newline=False)):  # bits left over
        raise Malformed(Reason.NOT_CANONICAL, f"{what}: base64")
    return der


def armour(der: bytes) -> bytes:
    """One block, in lines of 64 letters."""
    letters = binascii.b2a_base64(der, newline=False)
    lines = (letters[at : at + 64] for at in range(0, len(letters), 64))
    return b"\n".join((BEGIN, *lines, END, b""))
