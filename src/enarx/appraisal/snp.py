# SPDX-License-Identifier: Apache-2.0
"""What a policy may ask of AMD SEV-SNP."""

from __future__ import annotations

from typing import Literal

from enarx.appraisal.expectation import Section


class SnpPolicy(Section, frozen=True, kw_only=True):
    """Placeholder of a section until its owner fills it."""

    debug: Literal["refused", "unchecked"]
