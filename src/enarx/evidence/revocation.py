# SPDX-License-Identifier: Apache-2.0
"""CRLs for a path where the vendor publishes them and nobody must have them at hand.

The newest genuine list of an issuer counts, whoever supplied it. A link without a list leaves
the finding `revocation-unchecked`, which a policy may turn into Undetermined.
"""

from __future__ import annotations

import itertools
from datetime import datetime

from enarx.codec.x509 import Certificate, Crl
from enarx.errors import Reason
from enarx.evidence.chain import require_not_revoked
from enarx.evidence.check import Trail
from enarx.evidence.claims import Window


def require_path_not_revoked(
    path: tuple[Certificate, ...],
    crls: tuple[bytes, ...],
    window: Window,
    *,
    when: datetime,
    trail: Trail,
    name: str,
) -> Window:
    """No certificate of `path` (leaf first) is on its issuer's newest list; `window` narrowed.

    Lists of other issuers are for other paths. A list of the right issuer must be genuine
    (`Unauthentic`) and current (`Undetermined`).
    """
    lists = tuple(Crl(raw) for raw in crls)
    unchecked: list[str] = []
    for certificate, issuer in itertools.pairwise(path):
        mine = [crl for crl in lists if crl.issuer == issuer.subject]
        if not mine:
            unchecked.append(certificate.common_name())
            continue
        for crl in mine:
            trail.require(
                crl.signed_by(issuer.public_key),
                Reason.SIGNATURE_INVALID,
                f"{name}: CRL of {issuer.common_name()} signature",
                source="RFC 5280 5",
            )
        newest = max(mine, key=lambda crl: (crl.this_update <= when, crl.number or 0, crl.this_update))
        found = require_not_revoked(certificate, newest, issuer, when=when, trail=trail, name=name)
        window = window.narrowed(found.not_before, found.not_after)
    if unchecked:
        trail.note(
            f"{name}: revocation",
            ", ".join(unchecked),
            reason=Reason.REVOCATION_UNCHECKED,
            source="RFC 5280 6.3",
            mend="give the issuer's current CRL",
        )
    return window
