# SPDX-License-Identifier: Apache-2.0
"""Intel's words for how current a platform is, and what comes of putting them together.

Intel TCB status by PCS API v4; merging by Intel's Quote Verification Library, steps 4.1.2.4.17.4
and 17.5 of `QuoteVerifier` and, for TD 1.5, its evaluation of both SVNs of a trust domain.
"""

from __future__ import annotations

from enum import StrEnum


class TcbStatus(StrEnum):
    """How current something is. Intel publishes the first seven; the others are concluded."""

    UP_TO_DATE = "UpToDate"
    SW_HARDENING_NEEDED = "SWHardeningNeeded"
    CONFIGURATION_NEEDED = "ConfigurationNeeded"
    CONFIGURATION_AND_SW_HARDENING_NEEDED = "ConfigurationAndSWHardeningNeeded"
    OUT_OF_DATE = "OutOfDate"
    OUT_OF_DATE_CONFIGURATION_NEEDED = "OutOfDateConfigurationNeeded"
    REVOKED = "Revoked"
    TD_RELAUNCH_ADVISED = "TDRelaunchAdvised"
    TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED = "TDRelaunchAdvisedConfigurationNeeded"
    NOT_SUPPORTED = "NotSupported"
    """Below every level that Intel lists."""


_S = TcbStatus
PUBLISHED = frozenset(_S) - {
    _S.TD_RELAUNCH_ADVISED,
    _S.TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED,
    _S.NOT_SUPPORTED,
}
"""What a TCB level of a platform may say."""
PUBLISHED_OF_ENCLAVES = frozenset({_S.UP_TO_DATE, _S.OUT_OF_DATE, _S.REVOKED})
"""What a TCB level of a quoting enclave or TDX module may say."""
REFUSED = frozenset({_S.REVOKED, _S.NOT_SUPPORTED})
"""No policy can allow these: Intel does not vouch for such a platform at all."""
OVERDUE = frozenset({_S.OUT_OF_DATE, _S.OUT_OF_DATE_CONFIGURATION_NEEDED})
"""An update exists that the platform does not have."""

_OUTDATED = {
    _S.UP_TO_DATE: _S.OUT_OF_DATE,
    _S.SW_HARDENING_NEEDED: _S.OUT_OF_DATE,
    _S.CONFIGURATION_NEEDED: _S.OUT_OF_DATE_CONFIGURATION_NEEDED,
    _S.CONFIGURATION_AND_SW_HARDENING_NEEDED: _S.OUT_OF_DATE_CONFIGURATION_NEEDED,
    _S.OUT_OF_DATE: _S.OUT_OF_DATE,
    _S.OUT_OF_DATE_CONFIGURATION_NEEDED: _S.OUT_OF_DATE_CONFIGURATION_NEEDED,
}
_NEEDS_NO_CONFIGURATION = frozenset({_S.UP_TO_DATE, _S.SW_HARDENING_NEEDED})
_NEEDS_CONFIGURATION = frozenset({_S.CONFIGURATION_NEEDED, _S.CONFIGURATION_AND_SW_HARDENING_NEEDED})


def merged(platform: TcbStatus, *parts: TcbStatus | None) -> TcbStatus:
    """The platform's status with those of its parts (TDX module, quoting enclave; None: has none).

    A revoked part revokes, an unsupported one makes the whole unsupported, an outdated one
    makes it outdated and keeps what is said of its configuration.
    """
    all_of_them = (platform, *parts)
    if _S.REVOKED in all_of_them:
        return _S.REVOKED
    if _S.NOT_SUPPORTED in all_of_them:
        return _S.NOT_SUPPORTED
    return _OUTDATED[platform] if _S.OUT_OF_DATE in parts else platform


def relaunch(launch: TcbStatus, current: TcbStatus) -> TcbStatus:
    """A trust domain launched under one TDX module and now running under another.

    Outdated at its launch and current now: the domain itself should be launched again. A
    present that is revoked or unknown to Intel outweighs any past.
    """
    if current in REFUSED:
        return merged(current, launch)
    if launch not in OVERDUE or current in OVERDUE:
        return launch
    if launch is _S.OUT_OF_DATE and current in _NEEDS_NO_CONFIGURATION:
        return _S.TD_RELAUNCH_ADVISED
    return _S.TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED
