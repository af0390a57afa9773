# SPDX-License-Identifier: Apache-2.0
"""Register values as tools write them beside a quote: JSON, text, or the bytes alone.

Nothing vouches for them until a quote's digest over the registers that it selected agrees.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from enarx.codec import json
from enarx.codec.digest import unhex
from enarx.errors import Malformed, Reason
from enarx.evidence.event_log import SIZES
from enarx.evidence.tpm_attest import Selection

MAX_BYTES = 256 << 10
REGISTERS = 32
Banks = dict[str, dict[int, bytes]]

_NAMES = {name.replace("-", ""): name for name in SIZES}
_LINE = re.compile(
    r"(?:(?:pcr)?[ _-]*(\d{1,2})\s*[:=]?\s+|(?:pcr)?(\d{1,2})[:=])?(?:0x)?([0-9a-f]{40,128})", re.IGNORECASE
)


def bank_named(text: str) -> str | None:
    """The bank that a name means ("SHA256", "sha-256", "TPM_ALG_SHA256"), or None."""
    return _NAMES.get(re.sub(r"[^a-z0-9]", "", text.lower().replace("tpm_alg_", "")).replace("tpm2alg", ""))


def parse(raw: bytes, selections: tuple[Selection, ...], *, bank: str | None = None) -> Banks:
    """Registers by bank.

    selections  of the quote: bare bytes are its registers in its order, or all 24 of its bank
    bank        of values that come without one; the quote's own if it has a single one
    """
    if len(raw) > MAX_BYTES:
        raise Malformed(Reason.TOO_LARGE, f"register values: {len(raw)} bytes")
    bank = bank or (selections[0].bank if len(selections) == 1 else None)
    if raw.lstrip()[:1] in {b"{", b"["}:
        return _from_json(json.decode(raw, "register values"), bank)
    if raw and not raw.translate(None, _PRINTABLE):
        return _from_text(raw.decode("ascii"), bank)
    return _from_bytes(raw, selections)


_PRINTABLE = bytes(range(32, 127)) + b"\t\r\n"


def _from_json(value: Any, bank: str | None) -> Banks:
    if isinstance(value, dict) and len(value) == 1 and isinstance(inner := next(iter(value.values())), dict | list):
        (name,) = value
        named = bank_named(str(name))
        return {named: _table(inner, named)} if named else _from_json(inner, bank)
    if isinstance(value, dict) and any(bank_named(str(name)) for name in value):
        found = {bank_named(str(name)): inner for name, inner in value.items()}
        return {name: _table(inner, name) for name, inner in found.items() if name is not None}
    return {_known(bank): _table(value, _known(bank))}


def _known(bank: str | None) -> str:
    if bank is None:
        raise Malformed(Reason.MISSING, "register values: which bank")
    return bank


def _table(value: Any, bank: str) -> dict[int, bytes]:
    items: Iterable[tuple[Any, Any]]
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = map(_row, range(len(value)), value)
    else:
        raise Malformed(Reason.WRONG_TYPE, "register values: neither an object nor a list")
    return {_index(index): _value(one, bank) for index, one in items}


def _row(at: int, value: Any) -> tuple[Any, Any]:
    """An entry of a list: the value alone, or an object of index and value."""
    if not isinstance(value, dict):
        return at, value
    named = {str(name).lower(): one for name, one in value.items()}
    return named.get("index", named.get("pcr", at)), named.get("value", named.get("digest"))


def _index(value: Any) -> int:
    digits = re.fullmatch(r"(?:pcr[ _-]?)?(\d{1,2})", str(value).strip(), re.IGNORECASE)
    if digits is None or int(digits[1]) >= REGISTERS:
        raise Malformed(Reason.UNKNOWN_VALUE, "register values: index")
    return int(digits[1])


def _value(value: Any, bank: str) -> bytes:
    if isinstance(value, list) and all(type(octet) is int and 0 <= octet < 256 for octet in value):
        raw = bytes(value)
        if len(raw) != SIZES[bank]:
            raise Malformed(Reason.WRONG_LENGTH, f"register values: {len(raw)} bytes in {bank}")
        return raw
    if not isinstance(value, str):
        raise Malformed(Reason.WRONG_TYPE, "register values: neither hexadecimal nor bytes")
    return unhex(value.removeprefix("0x").removeprefix("0X"), "register value", size=SIZES[bank])


def _from_text(text: str, bank: str | None) -> Banks:
    """One register a line, numbered or in order; a line that names a bank begins it (tpm2_pcrread)."""
    found: Banks = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        if named := bank_named(line.rstrip(":")):
            bank = named
            continue
        if line == "pcrs:":  # tpm2_quote's heading
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise Malformed(Reason.SYNTAX, "register values: line")
        table = found.setdefault(_known(bank), {})
        number = match[1] or match[2]
        index = _index(number) if number else len(table)
        if index in table or index >= REGISTERS:
            raise Malformed(Reason.DUPLICATE, f"register values: register {index}")
        table[index] = _value(match[3], _known(bank))
    return found


def _from_bytes(raw: bytes, selections: tuple[Selection, ...]) -> Banks:
    sizes = [SIZES[one.bank] for one in selections for _ in one.registers]
    if len(raw) == sum(sizes):
        found: Banks = {}
        at = 0
        for one in selections:
            for index in one.registers:
                found.setdefault(one.bank, {})[index] = raw[at : at + SIZES[one.bank]]
                at += SIZES[one.bank]
        return found
    if len(selections) == 1 and len(raw) == 24 * (size := SIZES[selections[0].bank]):
        return {selections[0].bank: {index: raw[size * index : size * (index + 1)] for index in range(24)}}
    raise Malformed(Reason.WRONG_LENGTH, f"register values: {len(raw)} bytes, the quote selects {sum(sizes)}")
