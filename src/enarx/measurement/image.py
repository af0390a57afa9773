# SPDX-License-Identifier: Apache-2.0
"""What every platform measures of one image, from its files alone."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from enarx.measurement import snp, tdx, tdx_boot, tpm
from enarx.measurement.tdx_boot import Step
from enarx.measurement.tpm import Extended


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """An image's files, and the machine as far as it is measured.

    firmware      OVMF for TPM and TDX      tee_firmware  OVMF with a table of kernel hashes, for SNP
    models, counts  processors of SNP machines
    memory        bytes of a TDX guest      launch        the launch digest, for registers that the agent extends
    log           RTMR 0's events in a reference boot: type and SHA-384 digest
    """

    kernel: bytes
    initrd: bytes
    command_line: str
    firmware: bytes
    tee_firmware: bytes | None = None
    models: Sequence[str] = ()
    counts: Sequence[int] = ()
    memory: int
    launch: bytes | None = None
    log: Sequence[tuple[str, bytes]] | None = None


class Launched(msgspec.Struct, frozen=True):
    """An SNP launch digest, and the processors that it is for."""

    cpu: str
    cpus: int
    digest: bytes


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Registers by number; RTMR 0 is among `rtmrs` only where a reference log completed it."""

    pcrs: dict[int, bytes]
    events: tuple[Extended, ...]
    mrtd: bytes
    rtmrs: dict[int, bytes]
    rtmr0: tuple[Step, ...]
    snp: tuple[Launched, ...]

    def unknown(self) -> tuple[str, ...]:
        """What keeps RTMR 0 from being predicted; empty once it is."""
        return () if 0 in self.rtmrs else tuple(step.of for step in self.rtmr0 if step.digest is None)


def measured(inputs: Inputs) -> Measured:
    """Every prediction; SNP's where there is firmware for it."""
    kernel, initrd, line = inputs.kernel, inputs.initrd, inputs.command_line
    events = tpm.events(kernel=kernel, initrd=initrd, command_line=line)
    pcrs, rtmrs = tpm.registers(events), tdx.rtmrs(kernel=kernel, initrd=initrd, command_line=line)
    if inputs.launch is not None:
        pcrs[tpm.LAUNCH_REGISTER] = tpm.launch_register(inputs.launch)
        rtmrs[tdx.LAUNCH_REGISTER] = tdx.launch_register(inputs.launch)
    steps = tdx_boot.rtmr0(inputs.firmware, inputs.memory)
    if inputs.log is not None:
        rtmrs = {0: tdx_boot.completed(steps, inputs.log), **rtmrs}
    return Measured(
        pcrs=pcrs, events=events, mrtd=tdx.mrtd(inputs.firmware), rtmrs=rtmrs, rtmr0=steps, snp=_launches(inputs)
    )


def _launches(inputs: Inputs) -> tuple[Launched, ...]:
    if inputs.tee_firmware is None:
        return ()
    hashed = snp.Hashed(kernel=inputs.kernel, initrd=inputs.initrd, command_line=inputs.command_line)
    return tuple(
        Launched(model, count, snp.launch_digest(inputs.tee_firmware, hashed, cpus=count, cpu=model))
        for model in inputs.models
        for count in inputs.counts
    )
