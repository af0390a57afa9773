# SPDX-License-Identifier: Apache-2.0
"""`--ear FILE`: the attestation result as an EAR, plain or signed by the verifier's key."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from enarx.appraisal import ear, jws
from enarx.cli.files import read, require_writable, write
from enarx.cli.judgement import Judgement
from enarx.errors import Misused, Reason

MAX_KEY = 1 << 16


Writer = Callable[[Judgement], None]


def writer(path: Path, key: Path | None) -> Writer:
    """What will write the result; the key is read and the folder looked at before anything is judged."""
    require_writable(path)
    signing = None if key is None else _signing_key(key)
    return lambda judgement: _write(judgement, path, signing)


def _write(judgement: Judgement, path: Path, key: ec.EllipticCurvePrivateKey | None) -> None:
    """Write the result: JSON claims, or a JWT when there is a key. A refusal has a result too."""
    if judgement.appraisal is None:
        print("note: no EAR: the evidence is not authentic, so there is nothing to say of it", file=sys.stderr)
        return
    verifier = ear.Verifier(build=f"enarx {version('enarx')}", developer="Enarx", time_source="host")
    claims = ear.claims(
        judgement.appraisal,
        judgement.expected,
        verifier=verifier,
        issued=datetime.now(UTC),  # noqa: TID251 - the door
        input_host="input: host" in judgement.marks,
    )
    text = json.dumps(claims, indent=2) if key is None else jws.sign(claims, key)
    write(path, text.encode() + b"\n")


def _signing_key(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(read(path, limit=MAX_KEY), None)
    except (ValueError, TypeError):
        raise Misused(Reason.KEY_INVALID, f"{path}: not an unencrypted PEM private key") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise Misused(Reason.KEY_INVALID, f"{path}: an EAR is signed with P-256 or P-384")
    return key
