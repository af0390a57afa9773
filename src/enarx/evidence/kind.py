# SPDX-License-Identifier: Apache-2.0
"""The kinds of evidence that Enarx judges."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Kind(StrEnum):
    """A format of evidence. A collection holds several of them."""

    SNP = "snp"
    SGX = "sgx"
    TDX = "tdx"
    NITRO = "nitro"
    NITROTPM = "nitrotpm"
    TPM = "tpm"
    AZURE_SNP_VTPM = "azure-snp-vtpm"
    AZURE_TDX_VTPM = "azure-tdx-vtpm"
    NVIDIA_GPU = "nvidia-gpu"
    NVIDIA_SWITCH = "nvidia-switch"
    CCA = "cca"
    PSA = "psa"
    NONE = "none"
    """No hardware vouches for anything: a `process` or `kvm` Keep."""


HOST_TRUSTED = "measured (host-trusted)"
"""What a boot is called that a TPM alone quotes: the host owns the TPM and can read the machine's memory."""


def without_tee(kinds: Iterable[Kind]) -> bool:
    """Whether nothing in evidence of these kinds keeps the host out."""
    return frozenset({Kind.NONE, Kind.TPM}).issuperset(kinds)


def boot_of(kinds: Iterable[Kind]) -> str:
    """What is said of the boot of a Keep without a TEE: `HOST_TRUSTED`, or "" where no TPM quoted it."""
    found = frozenset(kinds)
    return HOST_TRUSTED if Kind.TPM in found and without_tee(found) else ""
