# SPDX-License-Identifier: Apache-2.0
"""`enarx broker`: release a sealing root to a Keep that may have it, and hold its volume's version."""

from __future__ import annotations

import fcntl
import os
import secrets as randomness
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer

from enarx.appraisal.policy import load
from enarx.cli.anchors import anchors as chosen_anchors
from enarx.cli.files import read, write
from enarx.cli.judgement import of_error, show
from enarx.cli.order import MAX_PEM, tenant_file
from enarx.cli.package_signature import Signatures
from enarx.cli.release import shown
from enarx.cli.verify import MAX_POLICY
from enarx.codec.digest import unhex
from enarx.delivery.release_seal import TenantKey
from enarx.delivery.release_tenant import Terms
from enarx.delivery.sealed import DIGEST_SIZE, ROOT_SIZE, Advance, Book
from enarx.delivery.sealed_client import broker as serve
from enarx.errors import EnarxError, Malformed, Misused, Reason
from enarx.workload.launch import MAX_BYTES as MAX_LAUNCH

MAX_VOLUME = 4096


class _WrittenHeld(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: Annotated[int, msgspec.Meta(ge=1)]
    digest: str


class _Written(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file: the root and what is held, in hexadecimal."""

    v: Literal[1]
    root: str
    held: _WrittenHeld | None


def broker(
    keep: Annotated[str, typer.Argument(help="https:// URL at which the Keep can be asked.")],
    policy: Annotated[Path, typer.Option(help="Which Keeps may have the sealing root.")],
    volume: Annotated[
        Path, typer.Option(help="The volume's root and version; made where there is none. Keep it secret.")
    ],
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
    """Judge the Keep, release the root of its sealed volume to it, and hold every version until the Keep ends."""
    when = datetime.now(UTC)  # noqa: TID251 - the door
    path = tenant_file(tenant_key)
    terms = Terms(
        loaded=load(read(policy, limit=MAX_POLICY), str(policy)),
        anchors=chosen_anchors(anchors, unsafe=unsafe_anchors),
        tenant=TenantKey(read(path, limit=MAX_PEM), str(path)),
        launch=None if launch is None else read(launch, limit=MAX_LAUNCH),
        package=Signatures(package_signature, package_key or ()).package,
    )
    with _alone(volume):
        judgement = _held(keep, volume, terms, when)
    if as_json or judgement.refusal is not None:
        show(judgement, as_json=as_json)
    return judgement.refusal.exit_code if judgement.refusal is not None else 0


def _held(keep: str, volume: Path, terms: Terms, when: datetime) -> Any:
    book = _book(volume)

    def noted(newer: Book) -> None:
        write(volume, _encoded(newer), mode=0o600)

    def released() -> None:
        print(f"released the root of {volume} to {keep}; holding its version", file=sys.stderr, flush=True)

    try:
        judged = serve(keep, book, terms, when=when, write=noted, released=released)
    except EnarxError as error:
        if not error.checks:
            raise
        return of_error(keep, error, when=when, past=False)
    return shown(keep, judged, terms)


@contextmanager
def _alone(volume: Path) -> Iterator[None]:
    """One broker a volume: two Keeps that write the same one would be two histories."""
    lock = volume.with_name(f"{volume.name}.lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Misused(Reason.FILE_UNWRITABLE, f"{lock}: {(error.strerror or '').lower()}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise Misused(Reason.ALREADY_EXISTS, f"{volume}: another broker serves it") from None
    finally:
        os.close(descriptor)


def _book(volume: Path) -> Book:
    """What the file holds; a new root is made, and on the disk, before anybody is given it."""
    if not volume.exists():
        write(volume, _encoded(Book(randomness.token_bytes(ROOT_SIZE))), mode=0o600)
    raw = read(volume, limit=MAX_VOLUME)
    try:
        written = msgspec.json.decode(raw, type=_Written)
    except msgspec.MsgspecError:
        raise Malformed(Reason.SYNTAX, f"{volume}: not a volume's root and version") from None
    held = written.held
    digest = b"" if held is None else unhex(held.digest, f"{volume}: digest", size=DIGEST_SIZE)
    advance = None if held is None else Advance(held.version, digest)
    return Book(unhex(written.root, f"{volume}: root", size=ROOT_SIZE), advance)


def _encoded(book: Book) -> bytes:
    held = None if book.held is None else _WrittenHeld(version=book.held.version, digest=book.held.digest.hex())
    return msgspec.json.format(msgspec.json.encode(_Written(v=1, root=book.root.hex(), held=held))) + b"\n"
