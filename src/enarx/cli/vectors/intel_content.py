# SPDX-License-Identifier: Apache-2.0
"""Intel's collateral told apart by what it is, for folders whose files have other names.

Nothing is believed here: a file in the wrong place fails where collateral is authenticated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from enarx.cli.vectors.content import unarmoured
from enarx.codec import json
from enarx.codec.digest import unhex
from enarx.codec.x509 import Certificate, Crl
from enarx.errors import EnarxError, Malformed, Reason
from enarx.evidence.endorsement import IntelCollateral


def by_content(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The fields of `IntelCollateral` that the files turn out to be; of several for one the first by name."""
    found: dict[str, bytes] = {}
    for _, raw in sorted(files.items()):
        for field in _fields(raw):
            found.setdefault(field, raw if "crl" not in field or field.endswith("_chain") else as_listed(raw))
    return found


def in_one_file(files: Mapping[str, bytes]) -> IntelCollateral | None:
    """Collateral in one JSON object (`…collateral….json`), or None."""
    found = next((raw for name, raw in sorted(files.items()) if "collateral" in name and name.endswith(".json")), None)
    return None if found is None else from_qvl(json.decode(found, "collateral"))


def from_qvl(table: Any) -> IntelCollateral:
    """Collateral as Intel's library and `dcap-qvl` write it: texts, and CRLs in hexadecimal or PEM."""
    if not isinstance(table, dict):
        raise Malformed(Reason.WRONG_TYPE, "collateral")
    return IntelCollateral(
        tcb_info=_signed(table, "tcbInfo", "tcb_info"),
        tcb_chain=_text(table, "tcb_info_issuer_chain"),
        qe_identity=_signed(table, "enclaveIdentity", "qe_identity"),
        qe_chain=_text(table, "qe_identity_issuer_chain"),
        pck_crl=_bytes(table, "pck_crl"),
        pck_crl_chain=_text(table, "pck_crl_issuer_chain"),
        root_crl=_bytes(table, "root_ca_crl"),
    )


def _fields(raw: bytes) -> Iterator[str]:
    """What a file is: a signed document, a chain by its first certificate, or a CRL by its issuer."""
    if raw.lstrip()[:1] == b"{":
        yield from _document(raw)
    elif b"-----BEGIN CERTIFICATE-----" in raw:
        yield from _chain(raw)
    elif (crl := _crl(as_listed(raw))) is not None:
        yield "root_crl" if b"Root CA" in crl.issuer else "pck_crl"


def _document(raw: bytes) -> Iterator[str]:
    try:
        table = json.decode(raw, "collateral")
    except EnarxError:
        return
    if "signature" in table and isinstance(table.get("tcbInfo"), dict):
        yield "tcb_info"
    elif "signature" in table and isinstance(table.get("enclaveIdentity"), dict):
        yield "qe_identity"


def _chain(raw: bytes) -> Iterator[str]:
    try:
        name = Certificate(unarmoured(raw)[0]).common_name()
    except (EnarxError, IndexError):
        return
    if name == "Intel SGX TCB Signing":
        yield from ("tcb_chain", "qe_chain")
    elif name in {"Intel SGX PCK Platform CA", "Intel SGX PCK Processor CA"}:
        yield "pck_crl_chain"


def _crl(raw: bytes) -> Crl | None:
    try:
        return Crl(unarmoured(raw)[0])
    except (EnarxError, IndexError):
        return None


def as_listed(raw: bytes) -> bytes:
    """A CRL as Intel's PCS writes it, DER or PEM, or as a PCCS does, in hexadecimal."""
    try:
        return bytes.fromhex(raw.decode("ascii"))
    except ValueError:
        return raw


def _text(table: dict[str, Any], name: str) -> bytes:
    value = table.get(name, "")
    if not isinstance(value, str):
        raise Malformed(Reason.WRONG_TYPE, f"collateral: {name}")
    return value.encode()


def _bytes(table: dict[str, Any], name: str) -> bytes:
    value = _text(table, name).decode()
    return value.encode() if value.startswith("-----") else unhex(value, f"collateral: {name}")


def _signed(table: dict[str, Any], document: str, name: str) -> bytes:
    """The document as Intel's server sends it: the text that was signed, and its signature, in one object."""
    signature = _text(table, f"{name}_signature").decode()
    return f'{{"{document}":{_text(table, name).decode()},"signature":"{signature}"}}'.encode()


def completed(found: dict[str, bytes], files: Mapping[str, bytes]) -> IntelCollateral:
    """What names have found, the rest by content; where there is no file of any of it, one JSON object."""
    told = by_content(files) if not all(found.values()) else {}
    found = {field: raw or told.get(field, b"") for field, raw in found.items()}
    alone = in_one_file(files) if not any(found.values()) else None
    return alone or IntelCollateral(**found)
