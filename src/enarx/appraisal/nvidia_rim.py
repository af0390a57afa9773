# SPDX-License-Identifier: Apache-2.0
"""What manifests and OCSP answers mean for an NVIDIA device, once a policy asks for them."""

from __future__ import annotations

from enarx.appraisal.expectation import UNCHECKED, failed, open_, passed
from enarx.errors import Reason
from enarx.evidence.check import Check, Verdict
from enarx.evidence.nvidia import NvidiaClaims
from enarx.evidence.nvidia_rim import Match, Part

GET_ONE = "get it from NVIDIA's RIM service, or give a newer one"
_GOOD_ENOUGH = {"good": frozenset(("good",)), "hold": frozenset(("good", "hold"))}


def rim_checks(claims: NvidiaClaims, wanted: str, section: str) -> tuple[Check, ...]:
    """One check for each part that needs a manifest: driver and VBIOS, or a switch's VBIOS."""
    source = f"{section}.rim"
    if wanted == UNCHECKED:
        return tuple(open_(f"RIM of the {part}", _said(claims, part), source) for part in claims.parts())
    return tuple(_rim_check(claims, part, source) for part in claims.parts())


def _rim_check(claims: NvidiaClaims, part: Part, source: str) -> Check:
    name, expectation = f"RIM of the {part}", "a genuine manifest with which every measurement agrees"
    agreeing = claims.agreeing(part)
    if agreeing:
        return passed(name, f"{agreeing[0].version}, signed by {agreeing[0].signer}", expectation, source)
    given = [match for match in claims.matches if match.part is part]
    if not given:
        return Check(name, Verdict.UNDETERMINED, Reason.REFERENCE_MISSING, "none given", expectation, source, GET_ONE)
    first = _most_telling(given)
    return failed(name, first.reason or Reason.REFERENCE_MISSING, _match_said(first), expectation, source, GET_ONE)


def _most_telling(given: list[Match]) -> Match:
    """A genuine manifest that disagrees says more than one that could not be believed."""
    return next((match for match in given if match.signer), given[0])


def _match_said(match: Match) -> str:
    if match.mismatched:
        return f"{match.version}: blocks {', '.join(map(str, match.mismatched))} do not agree"
    return f"{match.version}: {match.reason}"


def _said(claims: NvidiaClaims, part: Part) -> str:
    given = [match for match in claims.matches if match.part is part]
    if claims.agreeing(part):
        return "agrees"
    return _match_said(_most_telling(given)) if given else "none given"


def debug_check(claims: NvidiaClaims, wanted: str, section: str) -> Check:
    """Nothing but agreeing manifests excludes debug firmware and debug fuses."""
    name, source = "debug", f"{section}.debug"
    agreeing = all(claims.agreeing(part) for part in claims.parts())
    fact = "excluded by the manifests" if agreeing else "not excluded: no manifest agrees for every part"
    if wanted == UNCHECKED:
        return open_(name, fact, source)
    if agreeing:
        return passed(name, fact, "refused", source)
    return Check(name, Verdict.UNDETERMINED, Reason.REFERENCE_MISSING, fact, "refused", source, GET_ONE)


def ocsp_checks(claims: NvidiaClaims, wanted: str, rim: str, section: str) -> tuple[Check, ...]:
    """The device's certificates, and the signers of the manifests that a policy relies on."""
    checks = [_ocsp_check("device certificates", claims.ocsp, wanted, section)]
    if rim != UNCHECKED:
        for part in claims.parts():
            checks.extend(
                _ocsp_check(f"signers of the {part}'s RIM", _best(claims.agreeing(part)), wanted, section)
                for _ in claims.agreeing(part)[:1]
            )
    return tuple(checks)


def _best(matches: tuple[Match, ...]) -> str:
    """Any agreeing manifest will do, so the best answer about its signers counts."""
    said = {match.ocsp for match in matches}
    return next(word for word in ("good", "hold", "unknown", "missing") if word in said)


def _ocsp_check(name: str, said: str, wanted: str, section: str) -> Check:
    name, source = f"OCSP: {name}", f"{section}.ocsp"
    if wanted == UNCHECKED:
        return open_(name, said, source)
    if said in _GOOD_ENOUGH[wanted]:
        return passed(name, said, wanted, source)
    if said == "hold":
        return failed(name, Reason.REVOKED, said, wanted, source, "NVIDIA has put the certificate on hold")
    mend = "give OCSP responses of NVIDIA's responder"
    return Check(name, Verdict.UNDETERMINED, Reason.REVOCATION_UNCHECKED, said, wanted, source, mend)
