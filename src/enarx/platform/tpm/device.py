# SPDX-License-Identifier: Apache-2.0
"""The TPM of this machine, and the quote that a Keep makes with it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from enarx.codec.cursor import Cursor
from enarx.errors import Reason, Undetermined
from enarx.platform.tpm import command, nv
from enarx.platform.tpm.command import Created

DEVICE = "/dev/tpmrm0"
EVENT_LOG = "/sys/kernel/security/tpm0/binary_bios_measurements"
BOOT_REGISTERS = tuple(range(16))
"""What firmware, kernel and the agent extend; the rest may be reset by whoever is root."""
LAUNCH_REGISTER = 11
"""Where the agent extends the launch digest, before anything runs."""
_TRIES, _PAUSE = 50, 0.02
_AT_ONCE = 8

Transport = Callable[[bytes], bytes]
"""A command to a response."""


class Quoted(msgspec.Struct, frozen=True, kw_only=True):
    """A quote with what a judge needs beside it. `pcrs` are the values of the registers quoted, in order."""

    attest: bytes
    signature: bytes
    ak_public: bytes
    pcrs: dict[int, bytes]
    event_log: bytes


class Endorsement(msgspec.Struct, frozen=True, kw_only=True):
    """A certified endorsement key: its certificate (DER), the command that makes it, both keys' TPMT_PUBLIC."""

    certificate: bytes
    create: bytes
    ek_public: bytes
    ak_public: bytes


_ENDORSEMENT_KEYS = (
    (nv.EK_P256_CERTIFICATE, command.create_ek()),
    (nv.EK_RSA_CERTIFICATE, command.create_rsa_ek()),
)


def open_device(path: str = DEVICE) -> Transport:
    """The kernel's resource manager."""
    try:
        number = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise Undetermined(Reason.UNREACHABLE, f"TPM {path}: {error.strerror}") from None

    def send(asked: bytes) -> bytes:
        try:
            os.write(number, asked)
            return os.read(number, command.MAX_RESPONSE)
        except OSError as error:
            raise Undetermined(Reason.UNREACHABLE, f"TPM {path}: {error.strerror}") from None

    return patient(send)


def patient(send: Transport, pause: Callable[[float], None] = time.sleep) -> Transport:
    """Asks again for as long as the TPM asks for that (TPM_RC_RETRY, TESTING, YIELDED), within reason."""

    def ask(asked: bytes) -> bytes:
        for _ in range(_TRIES):
            answer = send(asked)
            if command.code_of(answer) not in {command.RETRY, command.TESTING, command.YIELDED}:
                return answer
            pause(_PAUSE)
        raise Undetermined(Reason.TIMED_OUT, "TPM: it asks again and again for the same command")

    return ask


def event_log(path: str = EVENT_LOG) -> bytes:
    """What the firmware says it measured; b"" where no firmware did."""
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


def extend(send: Transport, register: int, digest: bytes) -> None:
    """Extend a register."""
    command.body(send(command.extend(register, digest)), "PCR_Extend")


def quote(send: Transport, extra_data: bytes, log: bytes) -> Quoted:
    """A quote over the boot registers by a fresh load of this TPM's attestation key."""
    with loaded(send, command.create_ak()) as ak:
        attest, signature = command.quoted(send(command.quote(ak.handle, extra_data, BOOT_REGISTERS)))
    values = registers(send)
    return Quoted(attest=attest, signature=signature, ak_public=ak.public, pcrs=values, event_log=log)


def registers(send: Transport, wanted: tuple[int, ...] = BOOT_REGISTERS) -> dict[int, bytes]:
    """The values of registers, in the SHA-256 bank."""
    found: dict[int, bytes] = {}
    while waiting := [number for number in wanted if number not in found]:
        numbers, values = command.pcrs(send(command.read_pcrs(tuple(waiting[:_AT_ONCE]))))
        if not numbers:
            raise Undetermined(Reason.UNEXPECTED_ANSWER, f"TPM: no register {waiting[0]} in the SHA-256 bank")
        found.update(zip(numbers, values, strict=True))
    return found


def endorsement(send: Transport) -> Endorsement | None:
    """The endorsement key that this TPM's maker certified, and its attestation key; None without a certificate."""
    for index, create in _ENDORSEMENT_KEYS:
        certificate = _stored(send, index)
        if certificate:
            with loaded(send, create) as ek, loaded(send, command.create_ak()) as ak:
                return Endorsement(certificate=certificate, create=create, ek_public=ek.public, ak_public=ak.public)
    return None


def _stored(send: Transport, index: int) -> bytes:
    """What an NV index holds, or b"" where there is none."""
    answer = send(nv.read_public(index))
    if command.code_of(answer):
        return b""
    wanted, found = nv.size(answer), b""
    while len(found) < wanted:
        part = nv.contents(send(nv.read(index, min(nv.CHUNK, wanted - len(found)), len(found))))
        if not part:
            raise Undetermined(Reason.UNEXPECTED_ANSWER, f"TPM: NV index {index:#010x} ends early")
        found += part
    return found


def activate(send: Transport, blob: bytes, secret: bytes, nonce: bytes, create: bytes | None = None) -> bytes:
    """The credential that was made for this TPM's endorsement key (made by `create`) and its attestation key."""
    with loaded(send, create or command.create_ek()) as ek, loaded(send, command.create_ak()) as ak:
        policy = command.session(send(command.start_policy_session(nonce)))
        try:
            command.body(send(command.policy_secret(policy)), "PolicySecret")
            return command.activated(send(command.activate_credential(ak.handle, ek.handle, policy, blob, secret)))
        except Undetermined:
            send(command.flush(policy))
            raise


@contextlib.contextmanager
def loaded(send: Transport, create: bytes) -> Iterator[Created]:
    """A key, loaded as long as the block lasts."""
    created = command.created(send(create))
    try:
        yield created
    finally:
        Cursor(send(command.flush(created.handle)), "TPM: FlushContext")
