# SPDX-License-Identifier: Apache-2.0
"""What a manifest may not decide: it is held against the launch document, which alone steers a Keep."""

from __future__ import annotations

from enarx.errors import Reason, Unacceptable
from enarx.workload.launch import Launch
from enarx.workload.manifest import Manifest


def require_same_steward(manifest: Manifest, launch: Launch) -> None:
    """A manifest's Steward is only compared with the launch document's (design 4.4)."""
    if manifest.steward is not None and manifest.steward.rstrip("/") != (launch.steward or "").rstrip("/"):
        raise Unacceptable(
            Reason.LAUNCH_MISMATCH,
            f"the manifest's steward is {manifest.steward}, the launch document's {launch.steward}",
        )


def require_input(manifest: Manifest, launch: Launch) -> None:
    """Input of the host is in the launch document, so that the certificate can say so."""
    if manifest.input_from_host and launch.stdio.get("stdin") != "host":
        raise Unacceptable(
            Reason.LAUNCH_MISMATCH, "the manifest reads stdin from the host, the launch document does not"
        )
