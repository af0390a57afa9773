# SPDX-License-Identifier: Apache-2.0
"""`enarx release`: hand secrets to a running Keep, if it is the one that may have them."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from enarx.appraisal.policy import load
from enarx.cli.anchors import anchors as chosen_anchors
from enarx.cli.files import read
from enarx.cli.judgement import Judgement, of_appraisal, of_error, refused_by, show
from enarx.cli.order import MAX_PEM, tenant_file
from enarx.cli.package_signature import Signatures
from enarx.cli.verify import MAX_POLICY, marks
from enarx.delivery.release import MAX_BYTES, Secrets
from enarx.delivery.release_client import release as hand_over
from enarx.delivery.release_seal import TenantKey
from enarx.delivery.release_tenant import Judged, Terms
from enarx.errors import EnarxError, Misused, Reason
from enarx.workload.launch import MAX_BYTES as MAX_LAUNCH


def release(
    keep: Annotated[str, typer.Argument(help="https:// URL at which the Keep can be asked.")],
    policy: Annotated[Path, typer.Option(help="Which Keeps may have the secrets.")],
    secret: Annotated[list[str], typer.Option(help="NAME=FILE; once for each secret.")],
    tenant_key: Annotated[
        Path | None, typer.Option(help="PEM of the key that the launch document names; by default that of deploy.")
    ] = None,
    launch: Annotated[
        Path | None, typer.Option(help="The launch document, as `enarx deploy --save-launch` wrote it.")
    ] = None,
    package_signature: Annotated[
        Path | None, typer.Option(help="The package's signature, as `package sign` makes it.")
    ] = None,
    package_key: Annotated[list[Path] | None, typer.Option(help="PEM of a key that may have made it.")] = None,
    anchors: Annotated[Path | None, typer.Option(help="Roots to believe instead of the vendors'.")] = None,
    unsafe_anchors: Annotated[bool, typer.Option("--unsafe-anchors", help="Say that this is wanted.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print every check as JSON.")] = False,
) -> int:
    """Judge the Keep, and release the secrets to it alone; show every check when it is refused."""
    when = datetime.now(UTC)  # noqa: TID251 - the door
    path = tenant_file(tenant_key)
    terms = Terms(
        loaded=load(read(policy, limit=MAX_POLICY), str(policy)),
        anchors=chosen_anchors(anchors, unsafe=unsafe_anchors),
        tenant=TenantKey(read(path, limit=MAX_PEM), str(path)),
        launch=None if launch is None else read(launch, limit=MAX_LAUNCH),
        package=Signatures(package_signature, package_key or ()).package,
    )
    secrets = Secrets(dict(_named(one) for one in _once(secret)))
    secrets.encoded()  # what is too large is said before anybody is asked
    judgement = _judgement(keep, secrets, terms, when)
    if as_json or judgement.refusal is not None:
        show(judgement, as_json=as_json)
    if judgement.refusal is not None:
        return judgement.refusal.exit_code
    print(f"released to {keep}: {', '.join(sorted(secrets.values))}", file=sys.stderr)
    return 0


def _judgement(keep: str, secrets: Secrets, terms: Terms, when: datetime) -> Judgement:
    try:
        judged = hand_over(keep, secrets, terms, when=when)
    except EnarxError as error:
        if not error.checks:
            raise
        return of_error(keep, error, when=when, past=False)
    return shown(keep, judged, terms)


def shown(keep: str, judged: Judged, terms: Terms) -> Judgement:
    """What came of judging, as it is shown."""
    judgement = of_appraisal(
        keep,
        judged.appraisal,
        judged.expected,
        marks=marks(terms.anchors, judged.launch.stdio),
        details={"launch": {"digest": judged.binding.launch.hex(), "package": judged.launch.package.hex()}},
    )
    groups = (*judgement.groups, ("the secrets may be released", judged.checks))
    refused = refused_by(judgement, groups, judged.checks)
    return msgspec.structs.replace(refused, refusal=judged.refusal())


def _once(pairs: list[str]) -> list[str]:
    names = [pair.partition("=")[0] for pair in pairs]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise Misused(Reason.DUPLICATE, f"--secret {twice}")
    return pairs


def _named(pair: str) -> tuple[str, bytes]:
    name, equals, file = pair.partition("=")
    if not name or not equals or not file:
        raise Misused(Reason.SYNTAX, f"--secret {pair!r}", hint="--secret NAME=FILE")
    return name, read(Path(file), limit=MAX_BYTES)
