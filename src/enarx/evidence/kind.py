# SPDX-License-Identifier: Apache-2.0
"""The kinds of evidence that Enarx judges."""

from __future__ import annotations

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
