# SPDX-License-Identifier: Apache-2.0
"""What a policy may ask of a TPM 2.0 and of Azure's vTPM."""

from __future__ import annotations

from typing import Literal

from enarx.appraisal.expectation import Section


class TpmPolicy(Section, frozen=True, kw_only=True):
    """Placeholder of a section until its owner fills it."""

    debug: Literal["refused", "unchecked"]


class AzurePolicy(Section, frozen=True, kw_only=True):
    """Placeholder of a section until its owner fills it."""

    debug: Literal["refused", "unchecked"]
