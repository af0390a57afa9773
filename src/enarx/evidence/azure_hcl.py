# SPDX-License-Identifier: Apache-2.0
"""The report of Azure's paravisor (HCL): a hardware report, and what its report_data is the hash of.

Read from the vTPM's NV index 0x01400001. The runtime data names the attestation key, so that
whoever believes the hardware report may believe quotes by that key.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from enarx.codec import json
from enarx.codec.cursor import Cursor
from enarx.codec.digest import unhex
from enarx.errors import Malformed, Reason
from enarx.evidence.kind import Kind
from enarx.evidence.tpm_key import AttestationKey, from_jwk

MAX_BYTES = 64 << 10
MAGIC = b"HCLA"
VERSIONS = (1, 2)
REPORT_SIZE = 1184
TDREPORT_SIZE = 1024
_RUNTIME_HEADER = 20
_KINDS = {2: Kind.AZURE_SNP_VTPM, 4: Kind.AZURE_TDX_VTPM}
_HASHES = {1: "sha256", 2: "sha384", 3: "sha512"}
AK, EK = "HCLAkPub", "HCLEkPub"


class HclReport(msgspec.Struct, frozen=True, kw_only=True):
    """A report as received. Parsed, not believed.

    hardware  the SNP report (1184 bytes), or the TDREPORT (1024 bytes)
    hash_name of the runtime data, as report_data has it
    runtime   the JSON document, as hashed
    ak        the key named HCLAkPub
    vm        its `vm-configuration`
    user_data 64 bytes that the guest wrote before it asked
    """

    kind: Kind
    raw: bytes
    version: int
    hardware: bytes
    hash_name: str
    runtime: bytes
    ak: AttestationKey
    vm: dict[str, Any]
    user_data: bytes

    def expected_report_data(self) -> bytes:
        """What report_data must be: the runtime data's hash, and zeros up to 64 bytes."""
        return hashlib.new(self.hash_name, self.runtime).digest().ljust(64, b"\0")


def parse(raw: bytes) -> HclReport:
    """An HCL report, to the last byte; zeros fill the rest of the NV index."""
    if len(raw) > MAX_BYTES:
        raise Malformed(Reason.TOO_LARGE, f"HCL report: {len(raw)} bytes, at most {MAX_BYTES}")
    cursor = Cursor(raw, "HCL report")
    version, size = _header(cursor)
    hardware = cursor.take(REPORT_SIZE, "hardware report")
    kind, hash_name, length = _runtime_header(cursor)
    runtime = cursor.take(length, "runtime data")
    if cursor.at != size:
        raise Malformed(Reason.INCONSISTENT, f"HCL report: size {size}, and its parts end at {cursor.at}")
    cursor.zeros(cursor.left(), "rest")
    if kind is Kind.AZURE_TDX_VTPM:
        Cursor(hardware[TDREPORT_SIZE:], "HCL report").zeros(REPORT_SIZE - TDREPORT_SIZE, "after the TDREPORT")
        hardware = hardware[:TDREPORT_SIZE]
    table = _document(runtime)
    return HclReport(
        kind=kind,
        raw=raw,
        version=version,
        hardware=hardware,
        hash_name=hash_name,
        runtime=runtime,
        ak=_key(table, AK),
        vm=_vm(table),
        user_data=_user_data(table),
    )


def _header(cursor: Cursor) -> tuple[int, int]:
    if cursor.take(4, "signature") != MAGIC:
        raise Malformed(Reason.UNKNOWN_KIND, "HCL report: signature")
    version = cursor.little(4, "version")
    if version not in VERSIONS:
        raise Malformed(Reason.UNKNOWN_VERSION, f"HCL report: version {version}")
    size = cursor.little(4, "report size")
    if cursor.little(4, "request type") != 2:
        raise Malformed(Reason.UNKNOWN_VALUE, "HCL report: request type")
    cursor.zeros(16, "status, reserved")
    return version, size


def _runtime_header(cursor: Cursor) -> tuple[Kind, str, int]:
    size = cursor.little(4, "data size")
    if cursor.little(4, "runtime version") != 1:
        raise Malformed(Reason.UNKNOWN_VERSION, "HCL report: runtime data")
    kind, hash_type = cursor.little(4, "report type"), cursor.little(4, "hash type")
    if kind not in _KINDS or hash_type not in _HASHES:
        raise Malformed(Reason.UNKNOWN_VALUE, f"HCL report: report type {kind}, hash type {hash_type}")
    length = cursor.little(4, "variable data size")
    if size != length + _RUNTIME_HEADER:
        raise Malformed(Reason.INCONSISTENT, "HCL report: data size")
    return _KINDS[kind], _HASHES[hash_type], length


def _document(runtime: bytes) -> dict[str, Any]:
    table = json.decode(runtime, "HCL runtime data")
    if not isinstance(table, dict):
        raise Malformed(Reason.WRONG_TYPE, "HCL runtime data")
    return table


def _key(table: dict[str, Any], name: str) -> AttestationKey:
    keys = table.get("keys")
    if not isinstance(keys, list) or not all(isinstance(one, dict) for one in keys):
        raise Malformed(Reason.WRONG_TYPE, "HCL runtime data: keys")
    named = [one for one in keys if one.get("kid") == name]
    if len(named) != 1:
        raise Malformed(Reason.MISSING, f"HCL runtime data: {len(named)} keys named {name}")
    return from_jwk(named[0], f"HCL runtime data: {name}")


def _vm(table: dict[str, Any]) -> dict[str, Any]:
    vm = table.get("vm-configuration", {})
    if not isinstance(vm, dict):
        raise Malformed(Reason.WRONG_TYPE, "HCL runtime data: vm-configuration")
    return vm


def _user_data(table: dict[str, Any]) -> bytes:
    text = table.get("user-data", "")
    if not isinstance(text, str):
        raise Malformed(Reason.WRONG_TYPE, "HCL runtime data: user-data")
    return unhex(text, "HCL runtime data: user-data")
