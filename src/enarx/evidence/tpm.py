# SPDX-License-Identifier: Apache-2.0
"""TPM 2.0: a quote, the key that signed it, the registers under it, and the log that explains them.

Parts of `Evidence` beside the TPMS_ATTEST: "signature" (required), "ak_public",
"ak_certificates" (PEM or DER, one after the other), "pcrs", "event_log".
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

import msgspec

from enarx.codec.x509 import MAX_CHAIN, Certificate, from_pem
from enarx.errors import Malformed, Reason
from enarx.evidence.anchor import Anchors
from enarx.evidence.check import Trail
from enarx.evidence.claims import Claims
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.event_log import SHA1, EventLog
from enarx.evidence.event_log import parse as parse_log
from enarx.evidence.kind import Kind
from enarx.evidence.memory import Memory
from enarx.evidence.tpm_attest import Attest
from enarx.evidence.tpm_attest import parse as parse_attest
from enarx.evidence.tpm_boot import Measurement, Replayed, replayed_registers
from enarx.evidence.tpm_chain import Vouched, leaf_of, vouched
from enarx.evidence.tpm_key import AttestationKey
from enarx.evidence.tpm_key import parse as parse_key
from enarx.evidence.tpm_pcrs import Banks
from enarx.evidence.tpm_pcrs import parse as parse_pcrs
from enarx.evidence.tpm_signature import parse as parse_signature
from enarx.evidence.tpm_signature import require_signature

PARTS = frozenset({"signature", "ak_public", "ak_certificates", "pcrs", "event_log"})


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """A quote with everything that came beside it. Parsed, not believed."""

    attest: Attest
    signature: bytes
    key: AttestationKey | None = None
    certificates: tuple[Certificate, ...] = ()
    pcrs: bytes | None = None
    bank: str | None = None
    log: EventLog | None = None


class Boot(msgspec.Struct, frozen=True, kw_only=True):
    """What a believed quote says of the machine.

    pcrs     bank to register to value: what the quote selected, never SHA-1
    replayed registers that the event log explains from its first event to its last
    secure_boot what the log says of the SecureBoot variable, once register 7 is explained
    bank, events what was extended into the registers that the log explains, in the bank compared
    """

    extra_data: bytes
    pcr_digest: bytes
    clock: int
    reset_count: int
    restart_count: int
    safe: bool
    firmware_version: int
    pcrs: Banks
    replayed: frozenset[int]
    secure_boot: bool | None
    bank: str = ""
    events: tuple[Measurement, ...] = ()


class TpmClaims(Claims, frozen=True, kw_only=True):
    """A quote by an attestation key that somebody vouches for. `bound` is its extraData.

    authority who vouches for the key: "google", "microsoft", "tpm", or "named"
    ak        SubjectPublicKeyInfo of the key, DER
    """

    boot: Boot
    authority: str
    ak: bytes

    def facts(self) -> dict[str, Any]:
        """The claims by their names in the vectors."""
        return {**boot_facts(self.boot), "authority": self.authority, "ak": hashlib.sha256(self.ak).hexdigest()}

    def debug(self) -> bool:
        """A TPM has no mode in which it can be looked into."""
        return False


def boot_facts(boot: Boot) -> dict[str, Any]:
    """The facts of a quote by their names in TPMS_ATTEST."""
    return {
        "extra_data": boot.extra_data.hex(),
        "pcr_digest": boot.pcr_digest.hex(),
        "clock": boot.clock,
        "reset_count": boot.reset_count,
        "restart_count": boot.restart_count,
        "safe": boot.safe,
        "firmware_version": boot.firmware_version,
        "pcrs": {bank: {str(i): v.hex() for i, v in sorted(table.items())} for bank, table in boot.pcrs.items()},
        "replayed": sorted(boot.replayed),
        "secure_boot": boot.secure_boot,
    }


def parse(evidence: Evidence, *, bank: str | None = None) -> Quote:
    """The quote and its parts. `Malformed` for a part that no one asked for.

    bank  of register values that come without one and are of several banks
    """
    if unknown := evidence.parts.keys() - PARTS:
        raise Malformed(Reason.UNKNOWN_KEY, f"{evidence.kind} evidence: part {min(unknown)!r}")
    if "signature" not in evidence.parts:
        raise Malformed(Reason.MISSING, f"{evidence.kind} evidence: signature")
    parts = evidence.parts
    return Quote(
        attest=parse_attest(evidence.body),
        signature=parts["signature"],
        key=parse_key(parts["ak_public"]) if "ak_public" in parts else None,
        certificates=certificates_in(parts.get("ak_certificates", b"")),
        pcrs=parts.get("pcrs"),
        bank=bank,
        log=parse_log(parts["event_log"]) if "event_log" in parts else None,
    )


def certificates_in(raw: bytes) -> tuple[Certificate, ...]:
    """PEM certificates, or DER ones one after the other, padded with zeros as NV indices are."""
    if raw.lstrip().startswith(b"-----"):
        return from_pem(raw, "attestation key certificates")
    found: list[Certificate] = []
    while raw := raw.lstrip(b"\0"):
        size = 4 + int.from_bytes(raw[2:4], "big")  # every certificate has a length of two bytes
        found.append(Certificate(raw[:size], "attestation key certificate"))
        raw = raw[size:]
        if len(found) > MAX_CHAIN:
            raise Malformed(Reason.TOO_LARGE, f"attestation key certificates: more than {MAX_CHAIN}")
    return tuple(found)


def judge(
    evidence: Evidence,
    endorsements: Endorsements,
    *,
    anchors: Anchors,
    when: datetime,
    memory: Memory[Any] | None = None,
) -> TpmClaims:
    """Parse and authenticate a quote."""
    return authenticate(parse(evidence), endorsements, anchors=anchors, when=when, memory=memory)


def authenticate(
    quote: Quote,
    endorsements: Endorsements,
    *,
    anchors: Anchors,
    when: datetime,
    memory: Memory[Any] | None = None,
) -> TpmClaims:
    """Claims of `quote`, whose key somebody vouches for at `when`."""
    trail = Trail()
    given = tuple(Certificate(raw, "certificate") for raw in endorsements.certificates)
    certificates = quote.certificates + given
    key = quote.key or _certified_key(certificates)
    boot = believed(quote, key, trail=trail)
    found: Vouched = vouched(
        key, certificates, endorsements.crls, anchors=anchors, when=when, trail=trail, memory=memory
    )
    return TpmClaims(
        kind=Kind.TPM,
        anchors=anchors.name,
        bound=boot.extra_data,
        launch=None,
        window=found.window,
        checks=trail.checks(),
        boot=boot,
        authority=found.authority,
        ak=key.spki(),
    )


def _certified_key(certificates: tuple[Certificate, ...]) -> AttestationKey:
    leaf = leaf_of(certificates)
    if leaf is None:
        raise Malformed(Reason.KEY_MISSING, "quote: neither its key nor a certificate of it")
    return AttestationKey(leaf.public_key)


def believed(quote: Quote, key: AttestationKey, *, trail: Trail) -> Boot:
    """What the quote says, once `key` has signed it. Who `key` is, is another question.

    The key's attributes, where a TPM structure gave them, are those of an attestation key; the
    registers, where given, have the digest that was signed; the log, where given, leads to them.
    """
    attest = quote.attest
    signature = parse_signature(quote.signature, key)
    require_signature(signature, key.key, attest.raw, trail=trail, name="quote")
    _require_attributes(key, trail)
    trail.require(
        key.scheme in (None, signature.scheme) and key.algorithm in (None, signature.algorithm),
        Reason.ALGORITHM,
        "quote: scheme of the key",
        fact=f"{signature.scheme:#06x} with {signature.algorithm}",
        source="TPM 2.0 Library, Part 2, section 12.2.3.5",
    )
    banks = [one.bank for one in attest.selections if one.registers]
    trail.require(
        any(bank != SHA1 for bank in banks),
        Reason.ALGORITHM,
        "quote: banks",
        fact=", ".join(banks) or "none",
        expectation="a bank of SHA-256 or longer",
        source="NIST SP 800-131A",
    )
    pcrs = _registers(quote, signature.algorithm, trail)
    replayed = replayed_registers(quote.log, pcrs, trail) if quote.log else Replayed()
    return Boot(
        extra_data=attest.extra_data,
        pcr_digest=attest.pcr_digest,
        clock=attest.clock,
        reset_count=attest.reset_count,
        restart_count=attest.restart_count,
        safe=attest.safe,
        firmware_version=attest.firmware_version,
        pcrs=pcrs,
        replayed=replayed.registers,
        secure_boot=replayed.secure_boot,
        bank=replayed.bank,
        events=replayed.events,
    )


def _require_attributes(key: AttestationKey, trail: Trail) -> None:
    verdict = key.is_attestation_key()
    if verdict is None:
        trail.note("attestation key attributes", "not given")
        return
    trail.require(
        verdict,
        Reason.KEY_INVALID,
        "attestation key attributes",
        fact=f"{key.attributes:#010x}",
        expectation="restricted, sign, fixedTPM, fixedParent, sensitiveDataOrigin, not decrypt",
        source="TPM 2.0 Library, Part 2, section 8.3",
    )


def _registers(quote: Quote, algorithm: str, trail: Trail) -> Banks:
    """The values of the registers that were selected, whose digest is the one that was signed."""
    if quote.pcrs is None:
        trail.note("register values", "not given")
        return {}
    selections = quote.attest.selections
    values = parse_pcrs(quote.pcrs, selections, bank=quote.bank)
    digest = hashlib.new(algorithm.replace("-", ""))
    pcrs: Banks = {}
    for one in selections:
        for index in one.registers:
            value = values.get(one.bank, {}).get(index)
            if value is None:
                raise Malformed(Reason.MISSING, f"register values: {one.bank} {index}, which the quote selects")
            digest.update(value)
            if one.bank != SHA1:
                pcrs.setdefault(one.bank, {})[index] = value
    trail.require(
        digest.digest() == quote.attest.pcr_digest,
        Reason.DIGEST_MISMATCH,
        "register values",
        fact=digest.digest(),
        expectation=quote.attest.pcr_digest,
        source="TPM 2.0 Library, Part 2, section 10.12.1",
    )
    return pcrs
