# SPDX-License-Identifier: Apache-2.0
"""Intel DCAP quotes as they arrive: versions 3, 4 and 5, read to the last byte and not believed.

Intel SGX DCAP ECDSA Quote Library API, A.4 (version 3); Intel TDX DCAP Quoting Library API, A.3
(version 4) and A.4 (version 5).
"""

from __future__ import annotations

from struct import Struct

import msgspec

from enarx.codec.cursor import Cursor
from enarx.errors import Malformed, Reason
from enarx.evidence import sgx_report, tdx_report
from enarx.evidence.sgx_report import EnclaveReport

SGX, TDX = 0x00, 0x81
"""TEE types."""
ECDSA_P256 = 2
"""The attestation key type that Intel's quoting enclaves use; 3 (P-384) is specified and unused."""
QE_VENDOR_ID = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")
PCK_CHAIN = 5
"""Certification data that is a PEM chain of PCK certificate, its CA and the root."""
QE_REPORT = 6
"""Certification data of versions 4 and 5, around the certification data of the QE report."""
KNOWN_BY_ID = frozenset({1, 2, 3, 4, 7})
"""Certification data that names the PCK certificate or gives it without its chain."""
MAX_BYTES = 1 << 20
"""Quotes have some 5,000 bytes; QGS hands out at most a few pages."""

_BODIES = {1: (SGX, sgx_report.SIZE), 2: (TDX, tdx_report.SIZE_10), 3: (TDX, tdx_report.SIZE_15)}


class Quote(msgspec.Struct, frozen=True):
    """A quote's parts.

    tee_type      SGX or TDX
    qe_svn        header fields of version 3 (0 in later versions, where they are reserved);
    pce_svn       signed, but what counts is the QE report and the PCK certificate
    user_data     20 bytes of the quoting enclave's own
    body          the report of the enclave or trust domain
    signed        header and body: the bytes under `signature` by `attestation_key`
    attestation_key   x ‖ y of a P-256 point, 64 bytes; signatures are r ‖ s, 64 bytes
    qe_report     the quoting enclave's own report, signed by the PCK key
    certification_type, certification   how the PCK certificate is given
    """

    raw: bytes
    version: int
    tee_type: int
    qe_svn: int
    pce_svn: int
    user_data: bytes
    body: bytes
    signed: bytes
    signature: bytes
    attestation_key: bytes
    qe_report: EnclaveReport
    qe_signature: bytes
    qe_auth_data: bytes
    certification_type: int
    certification: bytes


class _Certified(msgspec.Struct, frozen=True):
    """The QE report with its signature and what certifies the key that made it."""

    report: EnclaveReport
    signature: bytes
    auth_data: bytes
    kind: int
    certification: bytes


def parse(raw: bytes, tee_type: int, what: str) -> Quote:
    """A quote of this TEE type, with nothing after it but zeros."""
    if len(raw) > MAX_BYTES:
        raise Malformed(Reason.TOO_LARGE, f"{what}: {len(raw)} bytes")
    c = Cursor(raw, what)
    version, qe_svn, pce_svn, user_data = _header(c, tee_type, what)
    body = c.take(_body_size(c, version, tee_type, what), "body")
    signed = raw[: c.at]
    authentication = c.take(c.little(4, "signature data length"), "signature data")
    padding = c.rest()
    if padding.count(0) != len(padding):
        raise Malformed(Reason.TRAILING_BYTES, f"{what}: {len(padding)} bytes after the end are not all zero")
    s = Cursor(authentication, f"{what}: signature data")
    signature = s.take(64, "signature")
    attestation_key = s.take(64, "attestation key")
    qe = _certified(s, what) if version == 3 else _nested(s, what)
    s.done()
    return Quote(
        raw,
        version,
        tee_type,
        qe_svn,
        pce_svn,
        user_data,
        body,
        signed,
        signature,
        attestation_key,
        qe.report,
        qe.signature,
        qe.auth_data,
        qe.kind,
        qe.certification,
    )


_HEADER = Struct("<HHIHH16s20s")
"""Version, attestation key type, TEE type, QE SVN, PCE SVN, QE vendor id, user data."""


def _header(c: Cursor, tee_type: int, what: str) -> tuple[int, int, int, bytes]:
    version, key_type, found, qe_svn, pce_svn, vendor, user_data = _HEADER.unpack(c.take(_HEADER.size, "header"))
    if version not in {3, 4, 5}:
        raise Malformed(Reason.UNKNOWN_VERSION, f"{what}: version {version}")
    if key_type != ECDSA_P256:
        raise Malformed(Reason.ALGORITHM, f"{what}: attestation key type {key_type}")
    # the TEE type is reserved in version 3, and zero: SGX
    if found != tee_type or (version == 3 and found != SGX):
        raise Malformed(Reason.UNKNOWN_KIND, f"{what}: TEE type {found:#x} in version {version}")
    if vendor != QE_VENDOR_ID:
        raise Malformed(Reason.UNKNOWN_VALUE, f"{what}: QE vendor id")
    return version, qe_svn, pce_svn, user_data


def _body_size(c: Cursor, version: int, tee_type: int, what: str) -> int:
    if version < 5:
        return sgx_report.SIZE if tee_type == SGX else tdx_report.SIZE_10
    kind = c.little(2, "body type")
    size = c.little(4, "body size")
    if kind not in _BODIES:
        raise Malformed(Reason.UNKNOWN_KIND, f"{what}: body type {kind}")
    if _BODIES[kind] != (tee_type, size):
        raise Malformed(Reason.INCONSISTENT, f"{what}: body type {kind} of {size} bytes for TEE type {tee_type:#x}")
    return size


def _nested(s: Cursor, what: str) -> _Certified:
    kind = s.little(2, "certification data type")
    if kind != QE_REPORT:
        raise Malformed(Reason.UNKNOWN_KIND, f"{what}: certification data type {kind}, expected {QE_REPORT}")
    inner = Cursor(s.take(s.little(4, "certification data size"), "certification data"), f"{what}: certification data")
    certified = _certified(inner, what)
    inner.done()
    return certified


def _certified(s: Cursor, what: str) -> _Certified:
    report = sgx_report.parse(s.take(sgx_report.SIZE, "QE report"), f"{what}: QE report")
    signature = s.take(64, "QE report signature")
    auth_data = s.take(s.little(2, "QE authentication data size"), "QE authentication data")
    kind = s.little(2, "certification data type")
    if kind != PCK_CHAIN and kind not in KNOWN_BY_ID:
        raise Malformed(Reason.UNKNOWN_KIND, f"{what}: certification data type {kind}")
    certification = s.take(s.little(4, "certification data size"), "certification data")
    return _Certified(report, signature, auth_data, kind, certification)
