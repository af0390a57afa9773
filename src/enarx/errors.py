# SPDX-License-Identifier: Apache-2.0
"""Every way this system says no, on one page.

The *family* (the class) says whose fault it is and fixes the exit code; the *reason* says
what was wrong, from one closed list that errors, HTTP problems, logs, vectors and documents
share. A reason, once released, never changes its spelling.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class Reason(StrEnum):
    """What was wrong. Grouped by where it is usually met; any family may use any reason."""

    # bytes that are not what they claim to be
    TRUNCATED = "truncated"
    TRAILING_BYTES = "trailing-bytes"
    RESERVED_NOT_ZERO = "reserved-not-zero"
    UNKNOWN_VERSION = "unknown-version"
    UNKNOWN_KIND = "unknown-kind"
    UNKNOWN_VALUE = "unknown-value"
    UNKNOWN_KEY = "unknown-key"
    MISSING = "missing"
    DUPLICATE = "duplicate"
    WRONG_TYPE = "wrong-type"
    WRONG_LENGTH = "wrong-length"
    TOO_LARGE = "too-large"
    TOO_DEEP = "too-deep"
    NOT_CANONICAL = "not-canonical"
    SYNTAX = "syntax"
    INCONSISTENT = "inconsistent"

    # nobody vouches for it
    ALGORITHM = "algorithm"
    SIGNATURE_INVALID = "signature-invalid"
    KEY_INVALID = "key-invalid"
    UNKNOWN_ANCHOR = "unknown-anchor"
    CHAIN_BROKEN = "chain-broken"
    CERTIFICATE_PROFILE = "certificate-profile"
    CRITICALITY = "criticality"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    REVOKED = "revoked"
    ENDORSEMENT_MISMATCH = "endorsement-mismatch"
    COLLATERAL_MISMATCH = "collateral-mismatch"
    KEY_NOT_BOUND = "key-not-bound"
    DIGEST_MISMATCH = "digest-mismatch"
    QUOTING_ENCLAVE = "quoting-enclave"
    EVENT_LOG_MISMATCH = "event-log-mismatch"
    COMPOSITION_UNPROVEN = "composition-unproven"

    # the policy says no
    NO_POLICY_FOR_KIND = "no-policy-for-kind"
    NO_TEE = "no-tee"
    SIMULATED = "simulated"
    DEBUG_ENABLED = "debug-enabled"
    MEASUREMENT_NOT_ACCEPTED = "measurement-not-accepted"
    MEASUREMENT_DENIED = "measurement-denied"
    SIGNER_NOT_ACCEPTED = "signer-not-accepted"
    SIGNER_DENIED = "signer-denied"
    TCB_TOO_LOW = "tcb-too-low"
    TCB_STATUS = "tcb-status"
    ADVISORY = "advisory"
    SECURITY_VERSION_TOO_LOW = "security-version-too-low"
    VERSION_TOO_LOW = "version-too-low"
    VMPL = "vmpl"
    GUEST_POLICY = "guest-policy"
    PLATFORM_CONFIGURATION = "platform-configuration"
    PLATFORM_NOT_ACCEPTED = "platform-not-accepted"
    GENERATION_NOT_ACCEPTED = "generation-not-accepted"
    LAUNCH_MISMATCH = "launch-mismatch"
    LAUNCH_MISSING = "launch-missing"
    BINDING_MISMATCH = "binding-mismatch"
    BINDING_FORM = "binding-form"
    NONCE_MISMATCH = "nonce-mismatch"
    NOT_FRESH = "not-fresh"
    WORKLOAD_MISMATCH = "workload-mismatch"
    FIELD_NOT_ACCEPTED = "field-not-accepted"
    LIFECYCLE = "lifecycle"
    BOOT_NOT_MEASURED = "boot-not-measured"
    REFERENCE_VALUES_EXPIRED = "reference-values-expired"
    POLICY_EMPTY = "policy-empty"
    NOT_ALLOWED = "not-allowed"
    NOT_LOGGED = "not-logged"
    PUBLISHED_ATTACK = "published-attack"

    # we could not find out
    REVOCATION_UNCHECKED = "revocation-unchecked"
    ENDORSEMENT_MISSING = "endorsement-missing"
    COLLATERAL_MISSING = "collateral-missing"
    REFERENCE_MISSING = "reference-missing"
    KEY_MISSING = "key-missing"
    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed-out"
    UNEXPECTED_ANSWER = "unexpected-answer"
    NAME_NOT_RESOLVED = "name-not-resolved"
    CLOCK = "clock"

    # workloads, packages, registries
    NOT_WASM = "not-wasm"
    MODULE_INVALID = "module-invalid"
    NO_ENTRY_POINT = "no-entry-point"
    IMPORT_UNKNOWN = "import-unknown"
    NOT_GRANTED = "not-granted"
    NODE_MISSING = "node-missing"
    NODE_EXTRA = "node-extra"
    NOT_FOUND = "not-found"
    ALREADY_EXISTS = "already-exists"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NONCE_UNKNOWN = "nonce-unknown"
    NONCE_SPENT = "nonce-spent"
    RATE_LIMITED = "rate-limited"
    MEDIA_TYPE = "media-type"
    METHOD = "method"

    # running a workload
    TRAPPED = "trapped"
    LIMIT_REACHED = "limit-reached"
    KEEP_DIED = "keep-died"
    SANDBOX_UNAVAILABLE = "sandbox-unavailable"

    # our caller, this machine, ourselves
    USAGE = "usage"
    FILE_UNREADABLE = "file-unreadable"
    FILE_UNWRITABLE = "file-unwritable"
    PORT_IN_USE = "port-in-use"
    BACKEND_UNKNOWN = "backend-unknown"
    BACKEND_UNAVAILABLE = "backend-unavailable"
    INTERNAL = "internal"


class EnarxError(Exception):
    """Abstract: raise one of the families below.

    reason  what was wrong, from the closed list
    subject the thing it was wrong with, in lower-case words ("attestation report")
    hint    what the reader can do about it, or ""
    checks  what had been checked when this was raised, ending with the check that failed
            (`enarx.evidence.check.Check` values; empty outside judging)
    """

    family: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 70

    def __init__(self, reason: Reason, subject: str = "", *, hint: str = "", checks: tuple[object, ...] = ()) -> None:
        if type(self) is EnarxError:
            msg = "EnarxError is abstract: raise one of its families"
            raise TypeError(msg)
        super().__init__(reason, subject)
        self.reason = reason
        self.subject = subject
        self.hint = hint
        self.checks = checks

    def __str__(self) -> str:
        return f"{self.reason}: {self.subject}" if self.subject else str(self.reason)


class Malformed(EnarxError):
    """Their bytes: not the format they claim to be."""

    family = "malformed"
    exit_code = 4


class Unauthentic(EnarxError):
    """No one we trust vouches for it."""

    family = "unauthentic"
    exit_code = 1


class Unacceptable(EnarxError):
    """Genuine, and the policy says no."""

    family = "unacceptable"
    exit_code = 1


class Undetermined(EnarxError):
    """We could not find out. Not a yes, and not a no."""

    family = "undetermined"
    exit_code = 3


class Misused(EnarxError):
    """Our caller asked wrongly: arguments, settings, manifest, policy file."""

    family = "misused"
    exit_code = 2


class Faulty(EnarxError):
    """Our own fault."""

    family = "faulty"
    exit_code = 70


FAMILIES: tuple[type[EnarxError], ...] = (
    Malformed,
    Unauthentic,
    Unacceptable,
    Undetermined,
    Misused,
    Faulty,
)
