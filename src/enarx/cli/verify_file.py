# SPDX-License-Identifier: Apache-2.0
"""`enarx verify FILE`: evidence in a file, or a bundle of evidence with all that vouches for it."""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from enarx.appraisal.appraise import appraise
from enarx.appraisal.composition import joined
from enarx.appraisal.policy import Loaded
from enarx.appraisal.tied import Expected
from enarx.cli import bundle
from enarx.cli.anchors import with_key
from enarx.cli.capture import assembled
from enarx.cli.files import parsed, read, write
from enarx.cli.judgement import Judgement, of_appraisal, of_error, refused_by
from enarx.cli.package_signature import Signatures
from enarx.cli.vectors.named_key import named_keys
from enarx.codec.digest import same, unhex
from enarx.codec.x509 import from_pem
from enarx.errors import EnarxError, Misused, Reason
from enarx.evidence.anchor import PRODUCTION, Anchors
from enarx.evidence.binding import Binding, Purpose, spki_digest
from enarx.evidence.check import Check, Verdict
from enarx.evidence.claims import Claims
from enarx.evidence.composition import authenticate_members
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.workload import launch as launch_document

MAX_EVIDENCE = 64 << 20
MAX_FILE = 8 << 20
MAX_FILES = 256


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What was typed beside the policy."""

    path: Path
    kind: str | None
    endorsements: Path | None
    nonce: str | None
    spki: Path | None
    launch: Path | None
    trusted_key: Path | None
    offline: bool
    save_bundle: Path | None
    policy: bytes
    signatures: Signatures = Signatures()


class Subject(msgspec.Struct, frozen=True):
    """What is judged: evidence, endorsements of each member, and what its bearer says of itself."""

    members: tuple[Evidence, ...]
    endorsements: tuple[Endorsements, ...]
    record: bundle.Record | None


def verify_file(options: Options, loaded: Loaded, anchors: Anchors, *, when: datetime, past: bool) -> Judgement:
    """Judge a file of evidence or a bundle."""
    subject = _subject(options, anchors)
    target = str(options.path)
    anchors = with_key(anchors, options.trusted_key)
    try:
        if not options.offline:
            subject = _completed(subject, anchors, when)
        claims = authenticate_members(subject.members, subject.endorsements, anchors=anchors, when=when)
    except EnarxError as error:
        if not error.checks and error.family in ("misused", "faulty"):
            raise
        judgement = of_error(target, error, when=when, past=past)
    else:
        expected = joined(subject.members, claims, _expected(options))
        appraisal = appraise(claims, loaded, expected, when=when, past=past)
        judgement = of_appraisal(target, appraisal, expected, marks=_marks(anchors), details=_said(subject.record))
        judgement = _with_nonce(judgement, claims, options)
    if options.save_bundle is not None:
        _save(options, subject, judgement)
    return judgement


def _subject(options: Options, anchors: Anchors) -> Subject:
    raw = read(options.path, limit=MAX_EVIDENCE)
    files = _folder(options.endorsements) if options.endorsements else {}
    if bundle.is_bundle(raw):
        found = bundle.load(raw)
        given = tuple(
            bundle.newest((endorsed, assembled(member.kind, member.body, files)[1]), anchors=anchors)
            if files
            else endorsed
            for member, endorsed in zip(found.members, found.endorsements, strict=True)
        )
        return Subject(found.members, given, found.record)
    if options.kind is None:
        raise Misused(Reason.USAGE, f"{options.path} is not a bundle", hint=f"--format {' | '.join(Kind)}")
    if options.kind not in list(Kind):
        raise Misused(Reason.UNKNOWN_KIND, f"--format {options.kind}", hint=f"one of {', '.join(Kind)}")
    files.pop(options.path.name, None)
    evidence, endorsed = assembled(Kind(options.kind), raw, files)
    return Subject((evidence,), (endorsed,), None)


def _folder(path: Path) -> dict[str, bytes]:
    if not path.is_dir():
        raise Misused(Reason.FILE_UNREADABLE, f"{path}: not a folder")
    files = sorted(one for one in path.iterdir() if one.is_file())
    if len(files) > MAX_FILES:
        raise Misused(Reason.TOO_LARGE, f"{path}: {len(files)} files, at most {MAX_FILES}")
    return {one.name: read(one, limit=MAX_FILE) for one in files}


def _completed(subject: Subject, anchors: Anchors, when: datetime) -> Subject:
    """Endorsements from the cache and the vendors; what cannot be had stays missing, and is said."""
    from enarx.endorser.ask import Endorser
    from enarx.endorser.client import Client
    from enarx.endorser.gather import gather
    from enarx.endorser.store import Store

    client = Client()
    endorser = Endorser(client, Store(cache_folder()), on_trouble=_say)
    try:
        given = tuple(
            gather(member, endorsed, endorser, anchors=anchors, when=when)
            for member, endorsed in zip(subject.members, subject.endorsements, strict=True)
        )
    finally:
        client.close()
    return msgspec.structs.replace(subject, endorsements=given)


def _say(trouble: EnarxError) -> None:
    print(f"note: {trouble}", file=sys.stderr)


def cache_folder() -> Path:
    """Where verified endorsements are kept (XDG base directory specification)."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return Path(base if base.startswith("/") else Path.home() / ".cache") / "enarx" / "endorsements"


def _expected(options: Options) -> Expected:
    """What the caller's nonce, key and launch document ask for; a part that is not given is not made up."""
    spki = None if options.spki is None else _spki(options.spki)
    document = None if options.launch is None else parsed(options.launch, launch_document.parse, limit=MAX_FILE)
    launch = None if document is None else document.digest()
    package = None if document is None else options.signatures.package(document)
    binding = None
    if options.nonce is not None and spki is not None and launch is not None:
        nonce = unhex(options.nonce, "--nonce", size=32)
        binding = Binding(purpose=Purpose.ISSUE, spki=spki_digest(spki), nonce=nonce, launch=launch)
    return Expected(binding=binding, fresh=binding is not None, spki=spki, launch=launch, package=package)


def _spki(path: Path) -> bytes:
    raw = read(path, limit=MAX_FILE)
    if b"CERTIFICATE" in raw:
        return from_pem(raw, str(path))[0].spki
    return named_keys(raw, str(path))[0]


def _with_nonce(judgement: Judgement, claims: tuple[Claims, ...], options: Options) -> Judgement:
    """A nonce alone is compared with the signed field itself, for evidence that is not a Keep's."""
    if options.nonce is None or options.launch is not None:
        return judgement
    nonce = unhex(options.nonce, "--nonce")
    checks = tuple(_holds_nonce(one, nonce) for one in claims)
    return refused_by(judgement, (*judgement.groups, ("the nonce that you gave", checks)), checks)


def _holds_nonce(claims: Claims, nonce: bytes) -> Check:
    name, source = f"nonce in {claims.kind}", "--nonce"
    if len(nonce) <= len(claims.bound) and same(claims.bound, nonce.ljust(len(claims.bound), b"\0")):
        return Check(name, Verdict.PASSED, None, claims.bound, nonce, source)
    return Check(name, Verdict.FAILED, Reason.NONCE_MISMATCH, claims.bound, nonce, source, "ask for new evidence")


def _marks(anchors: Anchors) -> tuple[str, ...]:
    return () if anchors.name == PRODUCTION else (f"anchors: {anchors.name}",)


def _said(record: bundle.Record | None) -> dict[str, Any]:
    """What the bundle's bearer says of policy and time: shown, never used."""
    if record is None:
        return {}
    return {
        "bearer_says": {
            "when": record.when.isoformat(),
            "verdict": record.verdict,
            "policy": record.policy.decode("utf-8", "replace"),
        }
    }


def _save(options: Options, subject: Subject, judgement: Judgement) -> None:
    record = bundle.Record(options.policy, judgement.when, judgement.verdict())
    if options.save_bundle is not None:
        write(options.save_bundle, bundle.save(subject.members, subject.endorsements, record=record))
