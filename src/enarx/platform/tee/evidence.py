# SPDX-License-Identifier: Apache-2.0
"""Evidence of the TEE that this machine runs in, by whichever device its kernel has.

What a device answers is parsed and held against what was asked before it leaves: a report over
somebody else's bytes is no evidence of ours.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Protocol

import msgspec

from enarx.codec.digest import same
from enarx.errors import Reason, Unauthentic, Undetermined
from enarx.evidence import snp_report, snp_table, tdx
from enarx.evidence.binding import Binding, bound_digest
from enarx.evidence.endorsement import NOTHING, Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.platform.tee import sev_device, tdx_device, tsm_device
from enarx.platform.tee.sev_device import SevGuest


class Paths(msgspec.Struct, frozen=True, kw_only=True):
    """Where this kernel shows its devices."""

    tsm: Path = tsm_device.FOLDER
    sev_guest: str = sev_device.DEVICE
    tdx_guest: str = tdx_device.DEVICE
    measurements: Path = tdx_device.MEASUREMENTS


class Tee(Protocol):
    """A TEE's evidence device."""

    kind: Kind

    def evidence(self, binding: Binding) -> tuple[Evidence, Endorsements]:
        """Fresh evidence over the binding, and the endorsements that the host handed over."""

    def sealing_key(self) -> bytes | None:
        """32 bytes that the TEE derives for this image on this machine, or None."""


def found(paths: Paths, *, guest: SevGuest | None = None) -> Tee | None:
    """The TEE that this machine runs in, probed; None when no device answers.

    `Undetermined` for a trust domain whose kernel has no interface to quotes, and for a provider that is not known.
    """
    sev = guest or (SevGuest(paths.sev_guest) if Path(paths.sev_guest).exists() else None)
    match tsm_device.provider(paths.tsm):
        case tsm_device.SEV_GUEST:
            return Snp(paths, sev, by_tsm=True)
        case tsm_device.TDX_GUEST:
            return Tdx(paths)
        case None:
            pass
        case other:
            raise Undetermined(Reason.BACKEND_UNAVAILABLE, f"evidence of provider {other[:40]!r}")
    if sev is not None:
        return Snp(paths, sev, by_tsm=False)
    if Path(paths.tdx_guest).exists():
        hint = "a quote needs CONFIG_TSM_REPORTS in the guest's kernel"
        raise Undetermined(Reason.BACKEND_UNAVAILABLE, f"{paths.tsm}: no quotes of this trust domain", hint=hint)
    return None


class Snp:
    """SEV-SNP, through configfs-tsm or its own device."""

    kind = Kind.SNP

    def __init__(self, paths: Paths, guest: SevGuest | None, *, by_tsm: bool) -> None:
        self._paths = paths
        self._guest = guest
        self._by_tsm = by_tsm

    def evidence(self, binding: Binding) -> tuple[Evidence, Endorsements]:
        """A report, with the certificates of the host's table."""
        bound = bound_digest(Kind.SNP, binding)
        if self._by_tsm or self._guest is None:
            answer = tsm_device.report(bound, self._paths.tsm)
            raw, table = answer.outblob, answer.auxblob
        else:
            raw, table = self._guest.extended(bound)
        _require_ours(snp_report.parse(raw).report_data, bound)
        return Evidence(Kind.SNP, raw), snp_table.added(NOTHING, snp_table.parse(table)) if table else NOTHING

    def sealing_key(self) -> bytes | None:
        """The chip's, for this measurement and policy."""
        return None if self._guest is None else self._guest.derived_key()


class Tdx:
    """TDX: quotes through configfs-tsm, the launch digest in MRCONFIGID or in RTMR 3."""

    kind = Kind.TDX

    def __init__(self, paths: Paths, ioctl: sev_device.Ioctl | None = None) -> None:
        self._paths = paths
        self._ioctl = {} if ioctl is None else {"ioctl": ioctl}
        self._shown = False

    def evidence(self, binding: Binding) -> tuple[Evidence, Endorsements]:
        """A quote. Before the first one the launch digest is extended, unless the launcher placed it."""
        if not self._shown:
            self._show(binding.launch)
            self._shown = True
        bound = bound_digest(Kind.TDX, binding)
        answer = tsm_device.report(bound, self._paths.tsm)
        _require_ours(tdx.parse(answer.outblob).domain.report_data, bound)
        return Evidence(Kind.TDX, answer.outblob), NOTHING

    def _show(self, launch: bytes) -> None:
        """The launch digest is in MRCONFIGID; a guest that was launched before its document extends it itself."""
        digest = launch.ljust(48, b"\0")
        before = tdx_device.registers(self._paths.tdx_guest, **self._ioctl)
        if same(before.mrconfigid, digest):
            return
        if any(before.mrconfigid):
            raise Unauthentic(Reason.LAUNCH_MISMATCH, "MRCONFIGID: this machine was launched for something else")
        tdx_device.extend(tdx_device.LAUNCH_REGISTER, digest, self._paths.measurements)
        after = tdx_device.registers(self._paths.tdx_guest, **self._ioctl)
        number = tdx_device.LAUNCH_REGISTER
        if after.rtmrs[number] != hashlib.sha384(before.rtmrs[number] + digest).digest():
            raise Undetermined(Reason.UNEXPECTED_ANSWER, f"RTMR {number} is not what extending it makes")

    def sealing_key(self) -> bytes | None:
        """A trust domain derives none."""
        return None


def _require_ours(signed: bytes, asked: bytes) -> None:
    if not same(signed, asked):
        raise Unauthentic(Reason.BINDING_MISMATCH, "the evidence device answered somebody else's question")
