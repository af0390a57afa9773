# SPDX-License-Identifier: Apache-2.0
"""A signing key that stays in a token: PKCS#11 (OASIS, version 2.40) through the module's function list.

The key is named by a URI (RFC 7512): `pkcs11:token=T;object=O?module-path=/path/to/module.so`; the
PIN comes from a file. ECDSA alone: the digest is made here, and the token signs it.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import threading
from ctypes import POINTER, byref, c_char_p, c_ulong, c_void_p
from urllib.parse import unquote

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key

from enarx.errors import Misused, Reason, Undetermined
from enarx.identity.signer import ECDSA_SHA256, ECDSA_SHA384

OK, ALREADY_INITIALIZED, ALREADY_LOGGED_IN = 0, 0x191, 0x100
PRIVATE_KEY = 3
CLASS, LABEL, SIGN = 0x0, 0x3, 0x108
ECDSA = 0x1041
SERIAL_SESSION = 4
USER = 1
# Positions in CK_FUNCTION_LIST, which begins with the version.
_CALLS = {
    "C_Initialize": 0, "C_Finalize": 1, "C_GetSlotList": 4, "C_GetTokenInfo": 6, "C_OpenSession": 12, "C_Login": 18,
    "C_FindObjectsInit": 26, "C_FindObjects": 27, "C_FindObjectsFinal": 28, "C_SignInit": 42, "C_Sign": 43,
}  # fmt: skip
_LABEL_SIZE, _TOKEN_INFO_SIZE = 32, 512


class KeyUri(msgspec.Struct, frozen=True):
    """Which module, which token by its label, which key by its label."""

    module: str
    token: str
    object: str


def parse_uri(text: str) -> KeyUri:
    """A `pkcs11:` URI; `Misused` unless it names module, token and object."""
    path, _, query = text.removeprefix("pkcs11:").partition("?")
    said = {}
    for part in filter(None, [*path.split(";"), *query.split("&")]):
        name, _, value = part.partition("=")
        said[name] = unquote(value)
    try:
        return KeyUri(said["module-path"], said["token"], said["object"])
    except KeyError as missing:
        raise Misused(
            Reason.SYNTAX, f"PKCS#11 URI without {missing}", hint="pkcs11:token=T;object=O?module-path=/path/module.so"
        ) from None


class _Mechanism(ctypes.Structure):
    _fields_ = (("mechanism", c_ulong), ("parameter", c_void_p), ("size", c_ulong))


class _Attribute(ctypes.Structure):
    _fields_ = (("type", c_ulong), ("value", c_void_p), ("size", c_ulong))


class _Module:
    """A loaded module: its functions by name."""

    def __init__(self, path: str) -> None:
        try:
            library = ctypes.CDLL(path)
            listed = c_void_p()
            code = library.C_GetFunctionList(byref(listed))
        except (OSError, AttributeError):
            raise Misused(Reason.FILE_UNREADABLE, f"{path}: not a PKCS#11 module") from None
        if code != OK or not listed.value:
            raise Misused(Reason.FILE_UNREADABLE, f"{path}: not a PKCS#11 module")
        pointers = ctypes.cast(listed.value + ctypes.sizeof(c_void_p), POINTER(c_void_p))
        shape = ctypes.CFUNCTYPE(c_ulong)
        self._functions = {name: ctypes.cast(pointers[at] or 0, shape) for name, at in _CALLS.items()}

    def call(self, name: str, *arguments: object, allow: tuple[int, ...] = ()) -> None:
        """Call; `Undetermined` with the module's code when it refuses."""
        code = self._functions[name](*arguments)
        if code != OK and code not in allow:
            raise Undetermined(Reason.UNREACHABLE, f"the token: {name} answers {code:#x}")


class TokenSigner:
    """A `Signer` whose key is in a token. Sessions are opened by each process for itself."""

    def __init__(self, uri: KeyUri, pin: bytes, spki: bytes) -> None:
        """`spki`: of the CA's certificate; a token with another key is `Misused`."""
        public = load_der_public_key(spki)
        if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name not in {"secp256r1", "secp384r1"}:
            raise Misused(Reason.ALGORITHM, "CA key in a token", hint="P-256 or P-384")
        large = public.curve.name == "secp384r1"
        self.spki = spki
        self.algorithm = ECDSA_SHA384 if large else ECDSA_SHA256
        self.jws = "ES384" if large else "ES256"
        self._size = 48 if large else 32
        self._uri = uri
        self._pin = pin
        self._lock = threading.Lock()
        self._process = 0
        self._module: _Module | None = None
        self._session = self._key = c_ulong()

    def sign(self, message: bytes) -> bytes:
        """See `enarx.identity.signer.Signer.sign`."""
        digest = (hashlib.sha384 if self._size == 48 else hashlib.sha256)(message).digest()
        with self._lock:
            module = self._opened()
            mechanism = _Mechanism(ECDSA, None, 0)
            module.call("C_SignInit", self._session, byref(mechanism), self._key)
            found = ctypes.create_string_buffer(2 * self._size)
            size = c_ulong(len(found))
            module.call("C_Sign", self._session, c_char_p(digest), c_ulong(len(digest)), found, byref(size))
        raw = found.raw[: size.value]
        half = len(raw) // 2
        return encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))

    def _opened(self) -> _Module:
        """The module with a session of this process: a session does not survive a fork (section 6.6.1)."""
        if self._module is not None and self._process == os.getpid():
            return self._module
        module = _Module(self._uri.module)
        module.call("C_Initialize", None, allow=(ALREADY_INITIALIZED,))
        self._session = c_ulong()
        slot = self._slot(module)
        module.call("C_OpenSession", slot, c_ulong(SERIAL_SESSION), None, None, byref(self._session))
        pin = c_char_p(self._pin)
        module.call("C_Login", self._session, c_ulong(USER), pin, c_ulong(len(self._pin)), allow=(ALREADY_LOGGED_IN,))
        self._key = self._found(module)
        self._module, self._process = module, os.getpid()
        return module

    def _slot(self, module: _Module) -> c_ulong:
        count = c_ulong()
        module.call("C_GetSlotList", ctypes.c_ubyte(1), None, byref(count))
        slots = (c_ulong * count.value)()
        module.call("C_GetSlotList", ctypes.c_ubyte(1), slots, byref(count))
        info = ctypes.create_string_buffer(_TOKEN_INFO_SIZE)
        for slot in slots[: count.value]:
            module.call("C_GetTokenInfo", c_ulong(slot), info)
            if info.raw[:_LABEL_SIZE].rstrip(b" ").decode("utf-8", "replace") == self._uri.token:
                return c_ulong(slot)
        raise Misused(Reason.KEY_MISSING, f"token {self._uri.token!r}: no slot has it")

    def _found(self, module: _Module) -> c_ulong:
        label = self._uri.object.encode()
        kind = c_ulong(PRIVATE_KEY)
        wanted = (_Attribute * 2)(
            _Attribute(CLASS, ctypes.cast(byref(kind), c_void_p), ctypes.sizeof(kind)),
            _Attribute(LABEL, ctypes.cast(c_char_p(label), c_void_p), len(label)),
        )
        found, count = (c_ulong * 2)(), c_ulong()
        module.call("C_FindObjectsInit", self._session, wanted, c_ulong(2))
        module.call("C_FindObjects", self._session, found, c_ulong(2), byref(count))
        module.call("C_FindObjectsFinal", self._session)
        if count.value != 1:
            raise Misused(Reason.KEY_MISSING, f"token {self._uri.token!r}: {count.value} keys {self._uri.object!r}")
        return c_ulong(found[0])


def signer(uri: str, pin: bytes, spki: bytes) -> TokenSigner:
    """The token's key, tried once: `Misused` when it is not the key of the CA's certificate."""
    made = TokenSigner(parse_uri(uri), pin, spki)
    public = load_der_public_key(spki)
    message = b"enarx: is this the key of the CA's certificate?"
    if isinstance(public, ec.EllipticCurvePublicKey):
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes

        try:
            public.verify(
                made.sign(message), message, ec.ECDSA(hashes.SHA384() if made.jws == "ES384" else hashes.SHA256())
            )
        except InvalidSignature:
            raise Misused(Reason.KEY_INVALID, "the token's key is not that of the CA's certificate") from None
    return made
