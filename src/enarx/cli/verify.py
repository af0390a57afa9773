# SPDX-License-Identifier: Apache-2.0
"""`enarx verify`: whether this is a Keep, the one that I accept, and how that is known."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from enarx.appraisal.policy import Loaded, load
from enarx.cli.anchors import anchors as chosen_anchors
from enarx.cli.anchors import with_key
from enarx.cli.files import read, require_writable
from enarx.cli.judgement import Judgement, of_appraisal, of_error, show
from enarx.cli.package_signature import Signatures
from enarx.cli.references import with_references
from enarx.codec.x509 import Certificate, from_pem
from enarx.errors import EnarxError, Misused, Reason
from enarx.evidence.anchor import PRODUCTION, Anchors
from enarx.evidence.check import Check
from enarx.evidence.kind import Kind

if TYPE_CHECKING:
    from enarx.cli.ear_file import Writer

MAX_POLICY = 1 << 24


def _kinds(incomplete: str) -> list[str]:
    return [kind for kind in Kind if kind.startswith(incomplete)]


def verify(
    target: Annotated[str, typer.Argument(help="URL of a running Keep, a bundle, or a file of evidence.")],
    policy: Annotated[Path, typer.Option(help="What is good enough. Yours: one that the target brings is never used.")],
    at: Annotated[str | None, typer.Option(help="Judge as of this time (RFC 3339); the result says so.")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Fetch nothing: judge with what is given.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the same as JSON.")] = False,
    issuer: Annotated[
        Path | None, typer.Option(help="PEM of the Steward's CA that must have issued the identity.")
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option("--format", help="Kind of evidence in the file: snp, tdx, sgx, …", autocompletion=_kinds),
    ] = None,
    endorsements: Annotated[Path | None, typer.Option(help="Folder of certificates, CRLs and collateral.")] = None,
    nonce: Annotated[
        str | None, typer.Option(help="The nonce that the evidence was asked for with, hexadecimal.")
    ] = None,
    spki: Annotated[
        Path | None, typer.Option(help="PEM of the key or certificate that the evidence must be bound to.")
    ] = None,
    launch: Annotated[Path | None, typer.Option(help="The launch document that was measured.")] = None,
    package_signature: Annotated[
        Path | None, typer.Option(help="The package's signature, as `package sign` makes it.")
    ] = None,
    package_key: Annotated[list[Path] | None, typer.Option(help="PEM of a key that may have made it.")] = None,
    trusted_key: Annotated[
        Path | None, typer.Option(help="PEM of a key that you trust: an AK, a CPAK, an IAK.")
    ] = None,
    reference_values: Annotated[
        list[Path] | None, typer.Option(help="Signed CoRIM files whose values the policy accepts too.")
    ] = None,
    reference_key: Annotated[list[Path] | None, typer.Option(help="PEM of a key that may have signed them.")] = None,
    anchors: Annotated[Path | None, typer.Option(help="Roots to believe instead of the vendors'.")] = None,
    unsafe_anchors: Annotated[bool, typer.Option("--unsafe-anchors", help="Say that this is wanted.")] = False,
    ear: Annotated[Path | None, typer.Option(help="Write the attestation result here (EAR).")] = None,
    ear_key: Annotated[Path | None, typer.Option(help="PEM of a key of yours that signs it, as a JWT.")] = None,
    save_bundle: Annotated[
        Path | None, typer.Option(help="Keep evidence, endorsements and answer in one file.")
    ] = None,
) -> int:
    """Show every check: the fact, the expectation, whose it was, and the mend."""
    of_files = {"--at": at, "--format": kind, "--endorsements": endorsements, "--nonce": nonce, "--spki": spki,
                "--launch": launch, "--save-bundle": save_bundle}  # fmt: skip
    _require_fitting(target, of_files, {"--issuer": issuer})
    result = _result(ear, ear_key)
    if save_bundle is not None:
        require_writable(save_bundle)
    now = datetime.now(UTC)  # noqa: TID251 - the door
    when = now if at is None else _time(at)
    policy_text = read(policy, limit=MAX_POLICY)
    loaded = with_references(load(policy_text, str(policy)), reference_values or (), reference_key or (), when=when)
    believed = chosen_anchors(anchors, unsafe=unsafe_anchors)
    signatures = Signatures(package_signature, package_key or ())
    if target.startswith("https://"):
        believed = with_key(believed, trusted_key)
        judgement = _keep(target, loaded, believed, _certificates(issuer), signatures, when)
        return _end(judgement, result, as_json=as_json)
    from enarx.cli.verify_file import Options, verify_file

    options = Options(
        path=Path(target.removeprefix("file://").removeprefix("file:")),
        kind=kind,
        endorsements=endorsements,
        nonce=nonce,
        spki=spki,
        launch=launch,
        trusted_key=trusted_key,
        offline=offline,
        save_bundle=save_bundle,
        policy=policy_text,
        signatures=signatures,
    )
    judgement = verify_file(options, loaded, believed, when=when, past=at is not None)
    return _end(judgement, result, as_json=as_json)


def _require_fitting(target: str, of_files: Mapping[str, object], of_keeps: Mapping[str, object]) -> None:
    """No option that would mean nothing for this target."""
    scheme, colon, _ = target.partition("://")
    if colon and scheme not in ("https", "file"):
        raise Misused(Reason.USAGE, f"{target}: a Keep is asked over https", hint="https://HOST:PORT, or a file")
    running = scheme == "https" and bool(colon)
    for name, value in (of_files if running else of_keeps).items():
        if value is not None and value is not False:
            what, other = ("a running Keep", "a file") if running else ("a file", "a running Keep")
            raise Misused(Reason.USAGE, f"{name} with {what}", hint=f"{name} is for {other}")


def _result(path: Path | None, key: Path | None) -> Writer | None:
    if path is None:
        if key is not None:
            raise Misused(Reason.USAGE, "--ear-key without --ear", hint="--ear FILE says where the result goes")
        return None
    from enarx.cli.ear_file import writer

    return writer(path, key)


def _end(judgement: Judgement, result: Writer | None, *, as_json: bool) -> int:
    show(judgement, as_json=as_json)
    if result is not None:
        result(judgement)
    return 0 if judgement.refusal is None else judgement.refusal.exit_code


def _keep(
    url: str,
    loaded: Loaded,
    believed: Anchors,
    issuers: tuple[Certificate, ...],
    signatures: Signatures,
    when: datetime,
) -> Judgement:
    from enarx.cli.verify_keep import described, verify_keep

    try:
        verified = verify_keep(url, loaded, believed, issuers=issuers, signatures=signatures, when=when)
    except EnarxError as error:
        if not error.checks:
            raise
        return of_error(url, error, when=when, past=False)
    judgement = of_appraisal(
        url,
        verified.appraisal,
        verified.expected,
        marks=marks(believed, verified.launch.stdio),
        details=described(verified),
    )
    return with_certificate(judgement, verified.certificate)


def with_certificate(judgement: Judgement, checks: tuple[Check, ...]) -> Judgement:
    """The judgement with the certificate's own checks, which may refuse it too."""
    from enarx.cli.judgement import refused_by

    groups = (*judgement.groups, ("the identity is the evidence's", checks))
    return refused_by(judgement, groups, checks)


def marks(believed: Anchors, stdio: dict[str, str]) -> tuple[str, ...]:
    """What must not be overlooked, whatever the verdict."""
    said = [] if believed.name == PRODUCTION else [f"anchors: {believed.name}"]
    if stdio.get("stdin") == "host":
        said.append("input: host")
    return tuple(said)


def _certificates(path: Path | None) -> tuple[Certificate, ...]:
    return () if path is None else from_pem(read(path, limit=1 << 20), str(path))


def _time(text: str) -> datetime:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise Misused(Reason.SYNTAX, f"--at {text!r}", hint="as in 2026-01-31T12:00:00Z") from None
    if when.tzinfo is None:
        raise Misused(Reason.SYNTAX, f"--at {text!r}: no time zone", hint="as in 2026-01-31T12:00:00Z")
    return when
