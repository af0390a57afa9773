# SPDX-License-Identifier: Apache-2.0
"""`/key`: a guest makes keys, signs and verifies, and holds no private key."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given, settings
from hypothesis import strategies as st

from enarx.runtime.asked_keys import AskedKeys
from enarx.runtime.keyring import MOST_KEYS, Keyring
from enarx.runtime.wasi.errno import AGAIN, ILSEQ, INVAL, MFILE, NOENT, PERM
from examples.build import build_source

PROGRAM = Path(__file__).parent / "programs" / "keys.c"
CURVES = {
    6: (ec.SECP256K1(), hashes.SHA256()),
    7: (ec.SECP256R1(), hashes.SHA256()),
    8: (ec.SECP384R1(), hashes.SHA384()),
    9: (ec.SECP521R1(), hashes.SHA512()),
}


def algorithm(number: int) -> bytes:
    return number.to_bytes(4, "big")


def verify(shared: bytes, signature: bytes, message: bytes) -> None:
    """As somebody outside does, with nothing of ours; raises InvalidSignature."""
    number, rest = int.from_bytes(shared[:4], "big"), shared[4:]
    if number in CURVES:
        curve, hashed = CURVES[number]
        half = len(signature) // 2
        r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
        public = ec.EllipticCurvePublicKey.from_encoded_point(curve, rest)
        public.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashed))
        return
    size = int.from_bytes(rest[:4], "big")
    exponent, modulus = int.from_bytes(rest[4 : 4 + size], "big"), int.from_bytes(rest[8 + size :], "big")
    hashed = (hashes.SHA256(), hashes.SHA384(), hashes.SHA512())[number % 3]
    assert (2048, 3072, 4096)[number % 3] == modulus.bit_length()
    scheme = padding.PSS(padding.MGF1(hashed), hashed.digest_size) if number >= 3 else padding.PKCS1v15()
    rsa.RSAPublicNumbers(exponent, modulus).public_key().verify(signature, message, scheme, hashed)


def guest(number: int) -> dict[str, str]:
    command = [sys.executable, "-m", "enarx", "run", str(build_source(PROGRAM)), "--", str(number)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return {name: said for name, _, said in (line.partition(" ") for line in ran.stdout.splitlines())}


@pytest.mark.parametrize("number", [0, 3, 6, 7, 8, 9])
def test_a_guest_signs_and_anybody_verifies(number: int) -> None:
    said = guest(number)
    shared, signature = bytes.fromhex(said["shared"]), bytes.fromhex(said["signature"])
    assert algorithm(number) == shared[:4]
    verify(shared, signature, b"message")
    with pytest.raises(InvalidSignature):
        verify(shared, signature, b"message!")


def test_the_files_answer_as_upstream_designed_them() -> None:
    command = [sys.executable, "-m", "enarx", "run", str(build_source(PROGRAM)), "--", "7"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()
    assert [
        "read before Resource temporarily unavailable",
        "bad algorithm Illegal byte sequence",
        "generate ok",
        "short Argument list too long",
        "uuid ok",
        "elsewhere Invalid argument",
        "truncated Argument list too long",
        "trust ok",
        "verify ok",
        "verify another Illegal byte sequence",
        "sign as another No such file or directory",
        "sign read-only Operation not permitted",
        "remove Read-only file system",
    ] == [line for line in lines if not line.startswith(("shared", "signature"))]


def made(keyring: Keyring, number: int = 7) -> bytes:
    answered = keyring.answer([b"generate", algorithm(number)])
    assert isinstance(answered, list)
    return answered[0]


def test_a_key_of_somebody_else_verifies_and_does_not_sign() -> None:
    ours, theirs = Keyring(), Keyring()
    shared = theirs.answer([b"share", made(theirs)])
    assert isinstance(shared, list)
    taken = ours.answer([b"trust", shared[0]])
    assert isinstance(taken, list)
    assert PERM == ours.answer([b"sign", taken[0], b"message"])
    assert shared == ours.answer([b"share", taken[0]])


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        (b"", ILSEQ),
        (algorithm(7), ILSEQ),
        (algorithm(7) + b"\4" + bytes(64), ILSEQ),
        (algorithm(10) + bytes(64), ILSEQ),
        (algorithm(0) + b"\xff" * 8, ILSEQ),
        (algorithm(0) + b"\0\0\0\1\3\0\0\0\1\5", PERM),
        (algorithm(0) + b"\0\0\0\1\3\0\0\1\0" + b"\xff" * 256 + b"!", ILSEQ),
    ],
)
def test_what_is_no_public_key_is_not_trusted(raw: bytes, number: int) -> None:
    assert number == Keyring().answer([b"trust", raw])


def test_keys_are_counted_before_they_are_made() -> None:
    keyring = Keyring()
    for _ in range(MOST_KEYS):
        made(keyring)
    assert MFILE == keyring.answer([b"generate", algorithm(2)])
    assert NOENT == keyring.answer([b"sign", b"another", b""])


@given(
    st.lists(st.one_of(st.sampled_from([b"generate", b"trust", b"sign", b"verify", b"share"]), st.binary()), max_size=5)
)
@settings(max_examples=200, deadline=None)
def test_nonsense_is_answered_with_an_errno(fields: list[bytes]) -> None:
    answered = Keyring().answer(fields)
    assert isinstance(answered, int | list)
    assert answered != [] or fields[:1] == [b"verify"]


def test_a_process_that_does_not_wait_is_told_to() -> None:
    begun, told, go_on = threading.Event(), [], threading.Event()

    class Slow:
        def answer(self, _fields: list[bytes]) -> list[bytes] | int:
            begun.set()
            go_on.wait(10)
            return INVAL

    done = threading.Event()

    def tell(answer: list[bytes] | int) -> None:
        told.append(answer)
        if answer == INVAL:
            done.set()

    keys = AskedKeys(tell)
    keys._keyring = Slow()
    keys.ask([b"generate"])
    assert begun.wait(10)
    keys.ask([b"generate"])
    go_on.set()
    assert done.wait(10)
    assert [AGAIN, INVAL] == told
