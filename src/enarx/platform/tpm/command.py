# SPDX-License-Identifier: Apache-2.0
"""TPM 2.0 commands and responses as bytes (TPM 2.0 Library, Part 3), the few that a Keep needs. No IO."""

from __future__ import annotations

import struct

import msgspec

from enarx.codec.cursor import Cursor
from enarx.errors import Malformed, Reason, Undetermined

NO_SESSIONS, SESSIONS = 0x8001, 0x8002
RETRY, TESTING, YIELDED = 0x922, 0x90A, 0x908
"""TPM_RC_RETRY and its kin: the TPM asks for the same command again."""
MAX_RESPONSE = 4096

OWNER, ENDORSEMENT, NULL_HIERARCHY = 0x40000001, 0x4000000B, 0x40000007
_PASSWORD = 0x40000009
_NULL = 0x0010
_SHA256, _AES, _CFB, _RSA, _ECC, _ECDSA, _P256 = 0x000B, 0x0006, 0x0043, 0x0001, 0x0023, 0x0018, 0x0003

EK_POLICY = bytes.fromhex("837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa")
"""PolicySecret(endorsement): the policy of every EK of template L-2."""
_EK_ATTRIBUTES = 0x000300B2
_AK_ATTRIBUTES = 0x00050072
"""fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, restricted, sign: it signs only what the TPM made."""


class Created(msgspec.Struct, frozen=True):
    """A loaded key: its handle, its TPMT_PUBLIC, its name."""

    handle: int
    public: bytes
    name: bytes


def sized(body: bytes) -> bytes:
    """A TPM2B."""
    return struct.pack(">H", len(body)) + body


def plain(code: int, body: bytes, *, sessions: bool = False) -> bytes:
    """A command: its code, its handles and parameters."""
    return struct.pack(">HII", SESSIONS if sessions else NO_SESSIONS, 10 + len(body), code) + body


def authorised(code: int, handles: bytes, parameters: bytes, *, by: tuple[int, ...] = (_PASSWORD,)) -> bytes:
    """A command with a session for each handle that needs one; every password is empty."""
    sessions = b"".join(struct.pack(">IHBH", session, 0, int(session != _PASSWORD), 0) for session in by)
    return plain(code, handles + struct.pack(">I", len(sessions)) + sessions + parameters, sessions=True)


def body(response: bytes, what: str) -> Cursor:
    """What stands behind a response's header. `UNEXPECTED_ANSWER` with the TPM's own code if it refused."""
    if len(response) > MAX_RESPONSE:
        raise Malformed(Reason.TOO_LARGE, f"TPM: {what}: {len(response)} bytes")
    cursor = Cursor(response, f"TPM: {what}")
    cursor.big(2, "tag")
    if cursor.big(4, "responseSize") != len(response):
        raise Malformed(Reason.WRONG_LENGTH, f"TPM: {what}")
    if (code := cursor.big(4, "responseCode")) != 0:
        raise Undetermined(Reason.UNEXPECTED_ANSWER, f"TPM: {what}: response code {code:#05x}")
    return cursor


def code_of(response: bytes) -> int:
    """The response code, or 0 for bytes that are too short to hold one."""
    return int.from_bytes(response[6:10], "big")


def taken(cursor: Cursor, field: str) -> bytes:
    """The buffer of a TPM2B."""
    return cursor.take(cursor.big(2, f"{field}.size"), field)


def startup() -> bytes:
    """Startup(CLEAR), which firmware sends when there is any."""
    return plain(0x144, struct.pack(">H", 0))


def create_rsa_ek() -> bytes:
    """CreatePrimary of the RSA 2048 endorsement key (TCG EK Credential Profile, template L-1)."""
    scheme = struct.pack(">HHHHHI", _AES, 128, _CFB, _NULL, 2048, 0)
    public = struct.pack(">HHI", _RSA, _SHA256, _EK_ATTRIBUTES) + sized(EK_POLICY) + scheme
    return _create_primary(ENDORSEMENT, public + sized(bytes(256)))


def create_ek() -> bytes:
    """CreatePrimary of the ECC P-256 endorsement key (TCG EK Credential Profile, template L-2)."""
    scheme = struct.pack(">HHHHHH", _AES, 128, _CFB, _NULL, _P256, _NULL)
    public = struct.pack(">HHI", _ECC, _SHA256, _EK_ATTRIBUTES) + sized(EK_POLICY) + scheme
    return _create_primary(ENDORSEMENT, public + sized(bytes(32)) * 2)


def create_ak() -> bytes:
    """CreatePrimary of an attestation key: restricted, ECDSA P-256 with SHA-256."""
    scheme = struct.pack(">HHHHH", _NULL, _ECDSA, _SHA256, _P256, _NULL)
    public = struct.pack(">HHI", _ECC, _SHA256, _AK_ATTRIBUTES) + sized(b"") + scheme
    return _create_primary(ENDORSEMENT, public + sized(b"") * 2)


def _create_primary(hierarchy: int, public: bytes) -> bytes:
    sensitive, creation_pcrs = sized(sized(b"") + sized(b"")), struct.pack(">I", 0)
    parameters = sensitive + sized(public) + sized(b"") + creation_pcrs
    return authorised(0x131, struct.pack(">I", hierarchy), parameters)


def created(response: bytes) -> Created:
    """The answer to CreatePrimary."""
    cursor = body(response, "CreatePrimary")
    handle = cursor.big(4, "objectHandle")
    cursor.big(4, "parameterSize")
    public = taken(cursor, "outPublic")
    taken(cursor, "creationData")
    taken(cursor, "creationHash")
    cursor.take(6, "creationTicket")
    taken(cursor, "creationTicket.digest")
    return Created(handle, public, taken(cursor, "name"))


def selection(registers: tuple[int, ...], bank: int = _SHA256) -> bytes:
    """TPML_PCR_SELECTION of one bank."""
    bits = sum(1 << register for register in registers)
    return struct.pack(">IHB", 1, bank, 3) + bits.to_bytes(3, "little")


def read_pcrs(registers: tuple[int, ...]) -> bytes:
    """PCR_Read; a TPM answers at most eight at a time."""
    return plain(0x17E, selection(registers))


def pcrs(response: bytes) -> tuple[tuple[int, ...], tuple[bytes, ...]]:
    """The registers that a TPM chose to answer, and their values."""
    cursor = body(response, "PCR_Read")
    cursor.big(4, "pcrUpdateCounter")
    if cursor.big(4, "count") != 1:
        raise Malformed(Reason.UNKNOWN_VALUE, "TPM: PCR_Read: one bank")
    cursor.big(2, "hash")
    bits = int.from_bytes(cursor.take(cursor.big(1, "sizeofSelect"), "pcrSelect"), "little")
    values = tuple(taken(cursor, "digest") for _ in range(cursor.big(4, "count")))
    registers = tuple(number for number in range(24) if bits >> number & 1)
    if len(registers) != len(values):
        raise Malformed(Reason.INCONSISTENT, "TPM: PCR_Read")
    return registers, values


def quote(key: int, extra_data: bytes, registers: tuple[int, ...]) -> bytes:
    """Quote by a key, in the key's own scheme."""
    parameters = sized(extra_data) + struct.pack(">H", _NULL) + selection(registers)
    return authorised(0x158, struct.pack(">I", key), parameters)


def quoted(response: bytes) -> tuple[bytes, bytes]:
    """TPMS_ATTEST and TPMT_SIGNATURE."""
    cursor = body(response, "Quote")
    size = cursor.big(4, "parameterSize")
    start = cursor.at
    attest = taken(cursor, "quoted")
    return attest, cursor.take(size - (cursor.at - start), "signature")


def start_policy_session(nonce: bytes) -> bytes:
    """StartAuthSession of a policy session, unsalted, unbound."""
    null = struct.pack(">II", NULL_HIERARCHY, NULL_HIERARCHY)
    return plain(0x176, null + sized(nonce) + sized(b"") + struct.pack(">BHH", 1, _NULL, _SHA256))


def session(response: bytes) -> int:
    """The handle of a session."""
    return body(response, "StartAuthSession").big(4, "sessionHandle")


def policy_secret(handle: int) -> bytes:
    """PolicySecret with the endorsement hierarchy's (empty) authorisation."""
    parameters = sized(b"") * 3 + struct.pack(">i", 0)
    return authorised(0x151, struct.pack(">II", ENDORSEMENT, handle), parameters)


def activate_credential(ak: int, ek: int, policy: int, blob: bytes, secret: bytes) -> bytes:
    """ActivateCredential: the TPM that holds both keys gives the credential out, no other can."""
    handles = struct.pack(">II", ak, ek)
    return authorised(0x147, handles, sized(blob) + sized(secret), by=(_PASSWORD, policy))


def activated(response: bytes) -> bytes:
    """The credential."""
    cursor = body(response, "ActivateCredential")
    cursor.big(4, "parameterSize")
    return taken(cursor, "certInfo")


def extend(register: int, digest: bytes) -> bytes:
    """PCR_Extend of a SHA-256 digest."""
    return authorised(0x182, struct.pack(">I", register), struct.pack(">IH", 1, _SHA256) + digest)


def flush(handle: int) -> bytes:
    """FlushContext."""
    return plain(0x165, struct.pack(">I", handle))
