# SPDX-License-Identifier: Apache-2.0
"""Products of AMD, and what the eight bytes of a TCB_VERSION mean on each (AMD 56860 section 2.2)."""

from __future__ import annotations

import operator
import re
from enum import StrEnum

from enarx.evidence.snp_report import Cpuid


class Product(StrEnum):
    """A generation with its own root: Siena and Bergamo are of Genoa's."""

    MILAN = "Milan"
    GENOA = "Genoa"
    TURIN = "Turin"


_NAMES = {
    "Milan": Product.MILAN,
    "Genoa": Product.GENOA,
    "Bergamo": Product.GENOA,
    "Siena": Product.GENOA,
    "Turin": Product.TURIN,
}

COMPONENTS: dict[Product, tuple[str, ...]] = {
    Product.MILAN: ("bootloader", "tee", "", "", "", "", "snp", "microcode"),
    Product.GENOA: ("bootloader", "tee", "", "", "", "", "snp", "microcode"),
    Product.TURIN: ("fmc", "bootloader", "tee", "snp", "", "", "", "microcode"),
}
"""The component in each byte of a TCB_VERSION; "" is reserved."""

CHIP_ID_SIZE = {Product.MILAN: 64, Product.GENOA: 64, Product.TURIN: 8}
"""How many bytes of CHIP_ID a product uses; the rest is zero."""

_MODELS = (
    (0x19, range(0x10), Product.MILAN),
    (0x19, range(0x10, 0x20), Product.GENOA),
    (0x19, range(0xA0, 0xB0), Product.GENOA),
    (0x1A, range(0x20), Product.TURIN),
)


def product_named(name: str) -> Product | None:
    """The product of a productName extension ("Milan-B0", "Turin") or of a certificate's name; a stepping may follow."""
    return _NAMES.get(re.split("[- ]", name, maxsplit=1)[0])


def product_of(cpuid: Cpuid) -> Product | None:
    """The product with this family and model."""
    for family, models, product in _MODELS:
        if cpuid.family == family and cpuid.model in models:
            return product
    return None


def components(tcb: bytes, product: Product) -> dict[str, int]:
    """Security version by component; reserved bytes are left out."""
    return {name: tcb[at] for at, name in enumerate(COMPONENTS[product]) if name}


_RESERVED = {
    product: int.from_bytes(bytes(0 if name else 0xFF for name in names), "little")
    for product, names in COMPONENTS.items()
}


def reserved(tcb: bytes, product: Product) -> int:
    """What stands in the bytes of a TCB_VERSION that mean nothing on this product."""
    return int.from_bytes(tcb, "little") & _RESERVED[product]


def at_most(lower: bytes, upper: bytes) -> bool:
    """Whether no component of `lower` is above that of `upper`."""
    return len(lower) == len(upper) and all(map(operator.le, lower, upper))
