# SPDX-License-Identifier: Apache-2.0
"""Certificate revocation lists (RFC 5280 section 5): parsed, not believed."""

from __future__ import annotations

from datetime import datetime

from cryptography import x509

from enarx.codec import der
from enarx.codec.foreign import TROUBLE, guarded
from enarx.codec.lazy import lazy
from enarx.codec.signature import PublicKey, plain, verified
from enarx.errors import Malformed, Reason

MAX_BYTES = 8 << 20
"""No vendor's list comes near."""


class Crl:
    """A certificate revocation list as received."""

    __slots__ = ("__dict__", "_x", "raw")

    def __init__(self, raw: bytes, what: str = "CRL") -> None:
        """Parse DER; `Malformed` if it is not exactly one CRL."""
        if len(raw) > MAX_BYTES:
            raise Malformed(Reason.TOO_LARGE, f"{what}: {len(raw)} bytes")
        try:
            self._x = x509.load_der_x509_crl(raw)
        except TROUBLE as error:
            raise Malformed(Reason.SYNTAX, f"{what}: {error}") from None
        self.raw = raw
        self._asked = False

    @lazy
    def _parts(self) -> tuple[bytes, bytes, bytes]:
        """The signed part, and algorithm and issuer in it (RFC 5280 section 5.1; a version may stand first)."""
        signed = der.inner(self.raw, 1)[0]
        first, second, third = der.inner(signed, 3)
        return (signed, second, third) if first[0] == der.INTEGER else (signed, first, second)

    @property
    def issuer(self) -> bytes:
        """The issuer Name, DER as received."""
        return self._parts[2]

    @lazy
    def this_update(self) -> datetime:
        """Issued at this instant (UTC)."""
        return guarded(lambda: self._x.last_update_utc, "CRL thisUpdate")

    @lazy
    def next_update(self) -> datetime:
        """The next one comes no later than this instant (UTC). A CRL without one is `Malformed`."""
        found = guarded(lambda: self._x.next_update_utc, "CRL nextUpdate")
        if found is None:
            raise Malformed(Reason.MISSING, "CRL nextUpdate")
        return found

    @lazy
    def number(self) -> int | None:
        """The cRLNumber extension."""

        def find() -> int | None:
            try:
                return self._x.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
            except x509.ExtensionNotFound:
                return None

        return guarded(find, "CRL number")

    @lazy
    def _serials(self) -> frozenset[int]:
        return guarded(lambda: frozenset(one.serial_number for one in self._x), "CRL entries")

    def revokes(self, serial: int) -> bool:
        """Whether this serial number of this issuer is on the list.

        The library walks the list; that is the faster way for a list that is asked once.
        """
        if self._asked:
            return serial in self._serials
        self._asked = True
        return guarded(lambda: self._x.get_revoked_certificate_by_serial_number(serial) is not None, "CRL entries")

    def signed_by(self, key: PublicKey) -> bool:
        """Whether `key` made the signature over the bytes received."""
        oid = guarded(lambda: self._x.signature_algorithm_oid.dotted_string, "CRL signature algorithm")
        return plain(self.raw, self._parts[1]) and verified(key, self._x.signature, self._parts[0], oid)
