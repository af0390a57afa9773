# SPDX-License-Identifier: Apache-2.0
"""The kinds of Keep that a machine may open, by the names that upstream gave them."""

from __future__ import annotations

from enum import StrEnum


class Backend(StrEnum):
    """In the order in which they are preferred; `nil` is a process without a TEE (`--backend process`)."""

    SGX = "sgx"
    SEV = "sev"
    TDX = "tdx"
    NITRO = "nitro"
    KVM = "kvm"
    NIL = "nil"
