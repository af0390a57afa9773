# SPDX-License-Identifier: Apache-2.0
"""What lies beside a quote in a folder: told apart by name where content cannot tell."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from enarx.cli.vectors.content import unarmoured
from enarx.codec.x509 import Certificate, Crl
from enarx.errors import EnarxError
from enarx.evidence.anchor import Anchors, Vendor
from enarx.evidence.event_log import SHA1
from enarx.evidence.tpm import certificates_in
from enarx.evidence.tpm_chain import VENDORS
from enarx.evidence.tpm_key import parse as parse_key
from enarx.evidence.tpm_pcrs import bank_named

SIGNATURES = ("sig", "tpm_quote.sig", "quote.sig", "quote_sig")
QUOTES = ("tpm_quote.msg", "quote.msg", "tpm_quote.bin", "quote.tpms_attest", "tpm_quote.tpms_attest")
AK_PUBLIC = ("ak_pub", "ak.tpmt_public", "ak.tpm2b_public", "ak.pub", "akpub", "ak_key", "ak.", "aik")
EVENT_LOG = ("eventlog", "event_log", "tcg_eventlog", "binary_bios_measurements", "bios_measurements", "ccel")
_HARDWARE = ("SEV-", "ARK-", "Intel SGX ")
"""How AMD's and Intel's certificates are called; they vouch for no attestation key."""
PUBLISHED = ("evidence_as_published", "container_as_published", "dump.")
"""Files as their publisher had them; what is in them lies beside them taken apart."""


class Beside(msgspec.Struct, frozen=True):
    """The files of a capture that are not its evidence. `certificates` are not those of the hardware's vendors."""

    files: dict[str, bytes]
    certificates: tuple[bytes, ...]
    crls: tuple[bytes, ...]

    def first(self, names: tuple[str, ...]) -> bytes | None:
        """The file whose name begins with one of these, the earlier ones first."""
        for start in names:
            for name, raw in sorted(self.files.items()):
                if name.lower().startswith(start):
                    return raw
        return None

    def parts(self) -> dict[str, bytes]:
        """What belongs to a quote, by the names of its parts; the signature is the caller's."""
        named = {
            "ak_public": self._public(),
            "pcrs": self.files.get(self._registers()),
            "event_log": self.first(EVENT_LOG),
            "ak_certificates": b"".join(self.certificates) or None,
        }
        return {name: raw for name, raw in named.items() if raw is not None}

    def bank(self) -> str | None:
        """The bank that the name of the file of register values says (`pcrs_sha256.txt`)."""
        return _bank(self._registers())

    def _registers(self) -> str:
        """The file of register values, or ""; of one for each bank, not that of SHA-1, which says nothing."""
        names = sorted(name for name in self.files if name.lower().startswith("pcr"))
        return min(names, key=lambda name: _bank(name) == SHA1, default="")

    def _public(self) -> bytes | None:
        """The first file with the name of a key that is one."""
        named = (
            raw for start in AK_PUBLIC for name, raw in sorted(self.files.items()) if name.lower().startswith(start)
        )
        return next(filter(_is_key, named), None)


def _is_key(raw: bytes) -> bool:
    try:
        parse_key(raw)
    except EnarxError:
        return False
    return True


def _bank(name: str) -> str | None:
    words = name.rpartition(".")[0].replace("-", "_").split("_")
    return next((bank for word in words if (bank := bank_named(word))), None)


def beside(files: Mapping[str, bytes], *, leave_out: str) -> Beside:
    """Everything but the evidence and the containers that were published."""
    kept = {
        name: raw
        for name, raw in files.items()
        if name != leave_out and not name.startswith(PUBLISHED) and "/" not in name
    }
    certificates: list[bytes] = []
    crls: list[bytes] = []
    for name, raw in sorted(kept.items()):
        certificates += [one.raw for one in _certificates(raw) if not one.common_name().startswith(_HARDWARE)]
        if name.startswith("crl"):
            crls += [der for der in unarmoured(raw) if _is_crl(der)]
    return Beside(kept, tuple(dict.fromkeys(certificates)), tuple(crls))


def _certificates(raw: bytes) -> tuple[Certificate, ...]:
    try:
        return certificates_in(raw[max(raw.find(b"-----BEGIN CERTIFICATE"), 0) :])
    except EnarxError:
        return ()  # a key, or something else that is not a certificate


def _is_crl(der: bytes) -> bool:
    try:
        Crl(der)
    except EnarxError:
        return False
    return True


def authority_anchors(name: str, raw: bytes) -> Anchors:
    """The roots that a case names, for whoever may vouch for an attestation key or its machine."""
    roots = certificates_in(raw)
    return Anchors(name, dict.fromkeys((*VENDORS, Vendor.AMD, Vendor.INTEL), roots))


def unsized(raw: bytes) -> bytes:
    """TPMS_ATTEST out of a TPM2B_ATTEST, which is how TPM2_Quote returns it."""
    return raw[2:] if int.from_bytes(raw[:2], "big") == len(raw) - 2 else raw
