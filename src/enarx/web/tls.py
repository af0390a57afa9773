# SPDX-License-Identifier: Apache-2.0
"""The TLS of a service: 1.3 alone, its own certificate, and clients that may show theirs."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Mapping
from pathlib import Path

import msgspec

from enarx.errors import Misused, Reason


class TlsFiles(msgspec.Struct, frozen=True, kw_only=True):
    """Where the files are.

    certificate  PEM: the service's certificate, then its issuers
    key          PEM, unencrypted: of this certificate alone, never a CA's
    clients      PEM of the CAs whose certificates clients may show, or None: none is asked for.
                 A client without a certificate is let in (CERT_OPTIONAL): the service decides
    """

    certificate: Path
    key: Path
    clients: Path | None = None

    def stamp(self) -> tuple[int, ...]:
        """Changes when one of the files does."""
        found: list[int] = []
        for path in filter(None, (self.certificate, self.key, self.clients)):
            with contextlib.suppress(OSError):
                status = path.stat()
                found += [status.st_mtime_ns, status.st_ino]
        return tuple(found)


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """A context of these files; `Misused` when they cannot be used together."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["http/1.1"])
    fill(context, files)
    return context


class Tls:
    """A service's contexts: one, and others for server names (RFC 6066 section 3) that have files of their own."""

    def __init__(self, files: TlsFiles, by_name: Mapping[str, TlsFiles]) -> None:
        self._made = {one: server_context(one) for one in (files, *by_name.values())}
        self._by_name = {name.lower(): self._made[one] for name, one in by_name.items()}
        self.context = self._made[files]
        if by_name:
            self.context.sni_callback = self._choose

    def _choose(self, connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        if name is not None and (found := self._by_name.get(name.lower())) is not None:
            connection.context = found

    def stamp(self) -> tuple[int, ...]:
        """Changes when one of the files does."""
        return tuple(number for files in self._made for number in files.stamp())

    def reload(self) -> None:
        """Use the files as they are now; `Misused` when one pair is of no use: it and those after it stay as they were."""
        for files, context in self._made.items():
            refill(context, files)


def fill(context: ssl.SSLContext, files: TlsFiles) -> None:
    """Load certificate, key and clients' CAs into `context`."""
    try:
        context.load_cert_chain(files.certificate, files.key, password=_no_password)
        if files.clients is not None:
            context.load_verify_locations(cadata=files.clients.read_text("ascii"))
            context.verify_mode = ssl.CERT_OPTIONAL
            # an intermediate that the operator names is an anchor, with or without its root
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        what = f"{files.certificate}, {files.key}" + (f", {files.clients}" if files.clients else "")
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise Misused(Reason.FILE_UNREADABLE, f"TLS files {what}: {said}") from None


def refill(context: ssl.SSLContext, files: TlsFiles) -> None:
    """Use the files as they are now for connections from now on; `Misused` leaves everything as it was."""
    server_context(files)  # a pair that does not match would leave `context` half changed
    fill(context, files)


def _no_password() -> str:
    raise ValueError("the key is encrypted; a service's TLS key is not")
