# SPDX-License-Identifier: Apache-2.0
"""The agent's side of `/key`: keys that a guest has made and uses, and never sees.

They are the guest's, not the Keep's: its identity key, its evidence and its sealing root are not here.
"""

from __future__ import annotations

import struct
import threading
import uuid
from collections.abc import Callable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from enarx.runtime.wasi.errno import ILSEQ, INVAL, MFILE, NOENT, PERM, WasiError

MOST_KEYS = 64
MIN_RSA_BITS = 2048
MAX_RSA_BITS = 8192
PUBLIC_EXPONENT = 65537
_ALGORITHM = struct.Struct(">I")
_HASHES: tuple[hashes.HashAlgorithm, ...] = (hashes.SHA256(), hashes.SHA384(), hashes.SHA512())
_CURVES: dict[int, tuple[ec.EllipticCurve, hashes.HashAlgorithm, int]] = {
    6: (ec.SECP256K1(), hashes.SHA256(), 32),
    7: (ec.SECP256R1(), hashes.SHA256(), 32),
    8: (ec.SECP384R1(), hashes.SHA384(), 48),
    9: (ec.SECP521R1(), hashes.SHA512(), 66),
}
"""ES256K, ES256, ES384, ES512 (RFC 7518 section 3.4, RFC 8812): curve, hash, octets of r and of s."""
PSS_FROM, ECDSA_FROM = 3, 6
_RSA_BITS = (2048, 3072, 4096)

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
Public = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


class Key:
    """One key: RS256 to RS512 are 0 to 2, PS256 to PS512 3 to 5, ES256K, ES256, ES384, ES512 6 to 9."""

    def __init__(self, algorithm: int, public: Public, private: Private | None = None) -> None:
        self.algorithm = algorithm
        self._public = public
        self._private = private

    @property
    def hash(self) -> hashes.HashAlgorithm:
        """Of the messages that it signs."""
        return _CURVES[self.algorithm][1] if self.algorithm >= ECDSA_FROM else _HASHES[self.algorithm % 3]

    def shared(self) -> bytes:
        """Algorithm (be32), then an uncompressed point (SEC 1), or exponent and modulus behind their lengths (be32)."""
        head = _ALGORITHM.pack(self.algorithm)
        if isinstance(self._public, ec.EllipticCurvePublicKey):
            form = serialization.PublicFormat.UncompressedPoint
            return head + self._public.public_bytes(serialization.Encoding.X962, form)
        numbers = self._public.public_numbers()
        parts = [value.to_bytes((value.bit_length() + 7) // 8, "big") for value in (numbers.e, numbers.n)]
        return head + b"".join(_ALGORITHM.pack(len(part)) + part for part in parts)

    def _padding(self) -> padding.AsymmetricPadding:
        if self.algorithm < PSS_FROM:
            return padding.PKCS1v15()
        return padding.PSS(padding.MGF1(self.hash), padding.PSS.DIGEST_LENGTH)

    def sign(self, message: bytes) -> bytes:
        """The signature, ECDSA as r ‖ s; errno PERM for a key of somebody else."""
        if isinstance(self._private, rsa.RSAPrivateKey):
            return self._private.sign(message, self._padding(), self.hash)
        if self._private is None:
            raise WasiError(PERM)
        size = _CURVES[self.algorithm][2]
        r, s = decode_dss_signature(self._private.sign(message, ec.ECDSA(self.hash)))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    def verify(self, message: bytes, signature: bytes) -> None:
        """Errno ILSEQ unless it signed this message, INVAL for what is no signature."""
        try:
            if isinstance(self._public, rsa.RSAPublicKey):
                self._public.verify(signature, message, self._padding(), self.hash)
            else:
                self._public.verify(self._der(signature), message, ec.ECDSA(self.hash))
        except InvalidSignature:
            raise WasiError(ILSEQ) from None

    def _der(self, signature: bytes) -> bytes:
        size = _CURVES[self.algorithm][2]
        if len(signature) != 2 * size:
            raise WasiError(INVAL)
        return encode_dss_signature(int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big"))


def generated(algorithm: int) -> Key:
    """A new key; errno ILSEQ for an algorithm that there is not."""
    if algorithm in _CURVES:
        private: Private = ec.generate_private_key(_CURVES[algorithm][0])
    elif 0 <= algorithm < ECDSA_FROM:
        private = rsa.generate_private_key(PUBLIC_EXPONENT, _RSA_BITS[algorithm % 3])
    else:
        raise WasiError(ILSEQ)
    return Key(algorithm, private.public_key(), private)


def trusted(raw: bytes) -> Key:
    """A key in the form of `Key.shared`; errno ILSEQ for anything else, PERM for an RSA key that is too short."""
    try:
        (algorithm,) = _ALGORITHM.unpack_from(raw)
        if algorithm in _CURVES:
            return Key(algorithm, ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[algorithm][0], raw[4:]))
        if algorithm >= ECDSA_FROM:
            raise WasiError(ILSEQ)
        return Key(algorithm, _rsa(raw[4:]))
    except (ValueError, struct.error):
        raise WasiError(ILSEQ) from None


def _rsa(raw: bytes) -> rsa.RSAPublicKey:
    numbers = []
    for _ in range(2):
        (size,) = _ALGORITHM.unpack_from(raw)
        if size > len(raw) - 4:
            raise WasiError(ILSEQ)
        numbers.append(int.from_bytes(raw[4 : 4 + size], "big"))
        raw = raw[4 + size :]
    if raw:
        raise WasiError(ILSEQ)
    exponent, modulus = numbers
    if not MIN_RSA_BITS <= modulus.bit_length() <= MAX_RSA_BITS:
        raise WasiError(PERM)
    return rsa.RSAPublicNumbers(exponent, modulus).public_key()


class Keyring:
    """The keys of one guest, by the UUID that it got for each."""

    def __init__(self) -> None:
        self._keys: dict[str, Key] = {}
        self._lock = threading.Lock()
        self._acts: dict[bytes, Callable[..., list[bytes]]] = {
            b"generate": lambda algorithm: self._added(generated, *_ALGORITHM.unpack(algorithm)),
            b"trust": lambda raw: self._added(trusted, raw),
            b"share": lambda name: [self._key(name).shared()],
            b"sign": lambda name, message: [self._key(name).sign(message)],
            b"verify": self._verify,
        }

    def answer(self, fields: list[bytes]) -> list[bytes] | int:
        """The fields of the answer to one request, or a WASI error number. The asker may be hostile."""
        try:
            with self._lock:
                return self._acts[fields[0]](*fields[1:])
        except WasiError as error:
            return error.number
        except (LookupError, TypeError, ValueError, struct.error):
            return INVAL

    def _key(self, name: bytes) -> Key:
        key = self._keys.get(name.decode("ascii", "replace"))
        if key is None:
            raise WasiError(NOENT)
        return key

    def _added(self, make: Callable[..., Key], asked: object) -> list[bytes]:
        if len(self._keys) >= MOST_KEYS:
            raise WasiError(MFILE)
        key = make(asked)
        name = str(uuid.uuid4())
        self._keys[name] = key
        return [name.encode()]

    def _verify(self, name: bytes, message: bytes, signature: bytes) -> list[bytes]:
        self._key(name).verify(message, signature)
        return []
