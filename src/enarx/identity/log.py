# SPDX-License-Identifier: Apache-2.0
"""The issuance log's own documents: entries, promises in certificates, signed checkpoints.

An entry can be made again from the certificate alone: whoever holds a certificate and its issuer
computes the leaf and asks for proof that the log has it. Checkpoints are signed notes
(c2sp.org/signed-note, c2sp.org/tlog-checkpoint) with Ed25519.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from enarx.codec import cbor
from enarx.codec.der import OCTET_STRING, SEQUENCE, UTF8_STRING, Der, write, write_integer
from enarx.codec.digest import sha256
from enarx.codec.x509 import Certificate
from enarx.errors import Malformed, Misused, Reason, Unauthentic
from enarx.identity import profile

VERSION = 1
LABEL = b"enarx-log-promise-1\0"
MAX_NOTE = 16 << 10
_ED25519 = b"\x01"
"""c2sp.org/signed-note: the signature type in a key's identifier."""


class LogKey:
    """The log's signing key, and the name under which it signs checkpoints."""

    def __init__(self, key: ed25519.Ed25519PrivateKey, origin: str) -> None:
        self._key = key
        self.origin = origin
        self.public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)

    def promise(self, entry: bytes) -> bytes:
        """A signature that says: this entry is in the log."""
        return self._key.sign(LABEL + entry)

    def checkpoint(self, size: int, root: bytes) -> bytes:
        """A signed checkpoint of the tree of `size` leaves."""
        text = f"{self.origin}\n{size}\n{base64.b64encode(root).decode()}\n".encode()
        return text + b"\n" + note_line(self.origin, key_hash(self.origin, self.public), self._key.sign(text))


def key_hash(name: str, public: bytes) -> bytes:
    """4 bytes by which a note's signature names its key."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]


def verifier_key(name: str, public: bytes) -> str:
    """A public key in the form that other tools read: `NAME+HASH+BASE64`."""
    return f"{name}+{key_hash(name, public).hex()}+{base64.b64encode(_ED25519 + public).decode()}"


def public_key(text: str) -> bytes:
    """The Ed25519 key in the form of `verifier_key`; `Misused` for any other text."""
    name, _, rest = text.partition("+")
    hashed, _, encoded = rest.partition("+")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error):
        raw = b""
    if len(raw) != 33 or raw[:1] != _ED25519 or key_hash(name, raw[1:]).hex() != hashed:
        raise Misused(Reason.SYNTAX, "key of the log", hint="NAME+HASH+BASE64, as /log/key says it")
    return raw[1:]


def note_line(name: str, hashed: bytes, signature: bytes) -> bytes:
    """One signature line of a note."""
    return f"\N{EM DASH} {name} {base64.b64encode(hashed + signature).decode()}\n".encode()


class Promise(msgspec.Struct, frozen=True):
    """What a certificate says of the log: whose log, where it is asked, when, and the log's signature.

    key        Ed25519, 32 bytes
    time       milliseconds since the epoch
    signature  over the entry
    url        prefix of the log's addresses
    """

    key: bytes
    time: int
    signature: bytes
    url: str

    def encoded(self) -> bytes:
        """The value of the extension, DER: SEQUENCE { version, key, time, signature, url }."""
        return write(
            SEQUENCE,
            write_integer(VERSION),
            write(OCTET_STRING, self.key),
            write_integer(self.time),
            write(OCTET_STRING, self.signature),
            write(UTF8_STRING, self.url.encode()),
        )

    def extension(self) -> bytes:
        """The extension; not critical, so that others can read the certificate."""
        return profile.extension(profile.PROMISE, self.encoded())


def parse_promise(value: bytes) -> Promise:
    """The promise in an extension's value."""
    outer = Der(value, "log promise")
    reader = outer.sequence("promise")
    outer.done()
    if reader.integer("version") != VERSION:
        raise Malformed(Reason.UNKNOWN_VERSION, "log promise")
    key = reader.element(OCTET_STRING, "key")
    time = reader.integer("time")
    signature = reader.element(OCTET_STRING, "signature")
    url = reader.element(UTF8_STRING, "url")
    reader.done()
    if len(key) != 32 or len(signature) != 64:
        raise Malformed(Reason.WRONG_LENGTH, "log promise: key or signature")
    try:
        return Promise(key, time, signature, url.decode())
    except UnicodeDecodeError:
        raise Malformed(Reason.SYNTAX, "log promise: url") from None


def entry(*, issuer_spki: bytes, serial: int, name: str, until: int, signed_part: bytes, time: int) -> bytes:
    """One entry: deterministic CBOR.

    until        the certificate's notAfter, seconds since the epoch
    signed_part  its TBSCertificate without the promise
    time         milliseconds since the epoch, as in the promise
    """
    return cbor.encode(
        {
            "v": VERSION,
            "time": time,
            "issuer": sha256(issuer_spki),
            "serial": serial.to_bytes(20, "big"),
            "name": name,
            "until": until,
            "tbs": sha256(signed_part),
        }
    )


def entry_of(certificate: Certificate, issuer: Certificate, name: str) -> tuple[bytes, Promise]:
    """The entry that a certificate must have, and the promise in it, whose signature holds.

    `Unauthentic` (NOT_LOGGED) for a certificate without a promise, or with one by another key.
    """
    found = certificate.extension(profile.PROMISE)
    if found is None:
        raise Unauthentic(Reason.NOT_LOGGED, "certificate without a promise of the log")
    promise = parse_promise(found.value)
    made = entry(
        issuer_spki=issuer.spki,
        serial=certificate.serial,
        name=name,
        until=int(certificate.not_after.timestamp()),
        signed_part=profile.without(certificate.tbs, profile.PROMISE),
        time=promise.time,
    )
    if not signed_by(promise.key, promise.signature, LABEL + made):
        raise Unauthentic(Reason.NOT_LOGGED, "promise of the log: its signature does not hold")
    return made, promise


def signed_by(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether an Ed25519 key made the signature."""
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


class Checkpoint(msgspec.Struct, frozen=True):
    """A checkpoint whose signature holds."""

    origin: str
    size: int
    root: bytes


def parse_checkpoint(raw: bytes, public: bytes) -> Checkpoint:
    """A signed note of the log with this key. `Unauthentic` when no signature in it is by that key."""
    text = note_text(raw)
    try:
        origin, size, root = text.decode().splitlines()[:3]
        found = base64.b64decode(root, validate=True)
    except (ValueError, binascii.Error):
        raise Malformed(Reason.SYNTAX, "checkpoint") from None
    if not size.isdecimal() or str(int(size[:19])) != size or len(found) != 32:
        raise Malformed(Reason.SYNTAX, "checkpoint")
    wanted = key_hash(origin, public)
    for _, hashed, signature in note_signatures(raw):
        if hashed == wanted and signed_by(public, signature, text):
            return Checkpoint(origin, int(size), found)
    raise Unauthentic(Reason.SIGNATURE_INVALID, f"checkpoint of {origin!r}")


def note_text(raw: bytes) -> bytes:
    """What a note's signatures are over: everything before the blank line, its own newline included."""
    if len(raw) > MAX_NOTE:
        raise Malformed(Reason.TOO_LARGE, "checkpoint")
    text, blank, _ = raw.rpartition(b"\n\n")
    if not blank:
        raise Malformed(Reason.SYNTAX, "checkpoint")
    return text + b"\n"


def note_signatures(raw: bytes) -> list[tuple[str, bytes, bytes]]:
    """A note's signatures: name, identifier of the key (4 bytes), and the rest."""
    found = []
    for line in raw.rpartition(b"\n\n")[2].splitlines():
        parts = line.split(b" ")
        try:
            signature = base64.b64decode(parts[-1], validate=True)
            name = parts[1].decode() if len(parts) == 3 else ""
        except (ValueError, binascii.Error):
            raise Malformed(Reason.SYNTAX, "checkpoint: signature line") from None
        found.append((name, signature[:4], signature[4:]))
    return found
