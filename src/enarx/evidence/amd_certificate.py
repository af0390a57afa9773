# SPDX-License-Identifier: Apache-2.0
"""What AMD says in a VCEK or VLEK certificate: product, TCB, and chip or cloud provider.

AMD 57230 section 3 (VCEK) and 4 (VLEK), arc 1.3.6.1.4.1.3704.1. Values are compared exactly,
so they are read strictly: a missing or ill-formed extension is refused, never skipped.
"""

from __future__ import annotations

import msgspec

from enarx.codec.der import IA5_STRING, INTEGER, OCTET_STRING, Der, unsigned
from enarx.codec.x509 import Certificate
from enarx.errors import Malformed, Reason
from enarx.evidence.snp_report import SigningKey
from enarx.evidence.snp_tcb import CHIP_ID_SIZE, Product, product_named

ARC = "1.3.6.1.4.1.3704.1"
PRODUCT_NAME = f"{ARC}.2"
HWID = f"{ARC}.4"
CSP_ID = f"{ARC}.5"

_BL, _TEE, _SNP, _SPL4, _SPL5, _SPL6, _SPL7, _UCODE, _FMC = (f"{ARC}.3.{n}" for n in range(1, 10))
_ZEN4 = (_BL, _TEE, _SPL4, _SPL5, _SPL6, _SPL7, _SNP, _UCODE)
TCB_BYTES: dict[Product, tuple[str, ...]] = {
    Product.MILAN: _ZEN4,
    Product.GENOA: _ZEN4,
    Product.TURIN: (_FMC, _BL, _TEE, _SNP, _SPL5, _SPL6, _SPL7, _UCODE),
}
"""Which extension gives each byte of the TCB_VERSION."""

LEAVES = {"SEV-VCEK": SigningKey.VCEK, "SEV-VLEK": SigningKey.VLEK}
"""The common names of the certificates that sign reports."""


class Endorsed(msgspec.Struct, frozen=True):
    """What the leaf says.

    tcb     the TCB_VERSION that the key stands for, 8 bytes laid out as in a report
    hwid    the chip (64 bytes; Turin 8), VCEK only
    csp_id  the cloud provider, VLEK only
    """

    key: SigningKey
    product: Product
    product_name: str
    tcb: bytes
    hwid: bytes | None
    csp_id: str | None


def parse(leaf: Certificate) -> Endorsed:
    """Read a leaf whose common name says VCEK or VLEK."""
    key = LEAVES.get(leaf.common_name())
    if key is None:
        raise Malformed(Reason.UNKNOWN_VALUE, f"certificate {leaf.name}: not a VCEK or VLEK")
    name = _text(leaf, PRODUCT_NAME, "productName")
    product = product_named(name)
    if product is None:
        raise Malformed(Reason.UNKNOWN_VALUE, f"{key}: product {name!r}")
    hwid = _hwid(leaf, product) if key is SigningKey.VCEK else None
    csp_id = _text(leaf, CSP_ID, "cspID") if key is SigningKey.VLEK else None
    unexpected = CSP_ID if key is SigningKey.VCEK else HWID
    if leaf.extension(unexpected) is not None:
        raise Malformed(Reason.INCONSISTENT, f"{key}: extension {unexpected}")
    return Endorsed(key, product, name, _tcb(leaf, product), hwid, csp_id)


def _tcb(leaf: Certificate, product: Product) -> bytes:
    """The TCB_VERSION, its bytes in the order of the product's reports."""
    stray = (_FMC,) if product is not Product.TURIN else (_SPL4,)
    if any(_integer(leaf, oid) for oid in stray if leaf.extension(oid) is not None):
        raise Malformed(Reason.INCONSISTENT, f"{product} certificate with extension {stray[0]}")
    return bytes(_integer(leaf, oid) for oid in TCB_BYTES[product])


def _integer(leaf: Certificate, oid: str) -> int:
    """One SVN: an INTEGER of 0 to 255."""
    value = unsigned(_only(leaf, oid, INTEGER), f"extension {oid}")
    if value > 0xFF:
        raise Malformed(Reason.UNKNOWN_VALUE, f"extension {oid}: {value}")
    return value


def _text(leaf: Certificate, oid: str, field: str) -> str:
    try:
        return _only(leaf, oid, IA5_STRING).decode("ascii")
    except UnicodeDecodeError:
        raise Malformed(Reason.SYNTAX, f"extension {oid}: {field} is not ASCII") from None


def _hwid(leaf: Certificate, product: Product) -> bytes:
    """The chip's identifier, bare or in an OCTET STRING: its total length says which.

    Looking at the first byte does not: an identifier may begin with 0x04.
    """
    raw = _value(leaf, HWID)
    size = CHIP_ID_SIZE[product]
    if len(raw) == size:
        return raw
    inner = _only(leaf, HWID, OCTET_STRING)
    if len(inner) != size:
        raise Malformed(Reason.WRONG_LENGTH, f"hwID: {len(inner)} bytes, expected {size}")
    return inner


def _only(leaf: Certificate, oid: str, tag: int) -> bytes:
    """The contents of the one element that an extension's value is."""
    reader = Der(_value(leaf, oid), f"extension {oid}")
    contents = reader.element(tag, "value")
    reader.done()
    return contents


def _value(leaf: Certificate, oid: str) -> bytes:
    extension = leaf.extension(oid)
    if extension is None:
        raise Malformed(Reason.MISSING, f"{leaf.common_name()}: extension {oid}")
    return extension.value
