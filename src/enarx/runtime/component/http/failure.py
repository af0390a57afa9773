# SPDX-License-Identifier: Apache-2.0
"""`error-code` of `wasi:http/types`, and what a client is told."""

from __future__ import annotations

import json

from enarx.runtime.component.types import STRING, U8, U16, U32, U64, Case, Option, Record, Variant

SIZE = Record(field_name=Option(STRING), field_size=Option(U32))
ERROR_CODE = Variant(
    {
        "DNS-timeout": None,
        "DNS-error": Record(rcode=Option(STRING), info_code=Option(U16)),
        "destination-not-found": None,
        "destination-unavailable": None,
        "destination-IP-prohibited": None,
        "destination-IP-unroutable": None,
        "connection-refused": None,
        "connection-terminated": None,
        "connection-timeout": None,
        "connection-read-timeout": None,
        "connection-write-timeout": None,
        "connection-limit-reached": None,
        "TLS-protocol-error": None,
        "TLS-certificate-error": None,
        "TLS-alert-received": Record(alert_id=Option(U8), alert_message=Option(STRING)),
        "HTTP-request-denied": None,
        "HTTP-request-length-required": None,
        "HTTP-request-body-size": Option(U64),
        "HTTP-request-method-invalid": None,
        "HTTP-request-URI-invalid": None,
        "HTTP-request-URI-too-long": None,
        "HTTP-request-header-section-size": Option(U32),
        "HTTP-request-header-size": Option(SIZE),
        "HTTP-request-trailer-section-size": Option(U32),
        "HTTP-request-trailer-size": SIZE,
        "HTTP-response-incomplete": None,
        "HTTP-response-header-section-size": Option(U32),
        "HTTP-response-header-size": SIZE,
        "HTTP-response-body-size": Option(U64),
        "HTTP-response-trailer-section-size": Option(U32),
        "HTTP-response-trailer-size": SIZE,
        "HTTP-response-transfer-coding": Option(STRING),
        "HTTP-response-content-coding": Option(STRING),
        "HTTP-response-timeout": None,
        "HTTP-upgrade-failed": None,
        "HTTP-protocol-error": None,
        "loop-detected": None,
        "configuration-error": None,
        "internal-error": Option(STRING),
    }
)
"""WASI 0.2, wasi:http/types."""

TITLES = {
    100: "Continue",
    200: "OK",
    201: "Created",
    202: "Accepted",
    204: "No Content",
    301: "Moved Permanently",
    302: "Found",
    303: "See Other",
    304: "Not Modified",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    408: "Request Timeout",
    414: "URI Too Long",
    417: "Expectation Failed",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
"""Reason phrases (RFC 9110 section 15); other statuses are sent without one."""


class HttpFailed(Exception):
    """An exchange failed with an error-code; also the `error` of the streams of its bodies."""

    def __init__(self, code: Case) -> None:
        super().__init__(code.name)
        self.code = code

    def text(self) -> str:
        """Its name."""
        return str(self.code.name)

    def drop(self) -> None:
        """Nothing is held."""


def problem(status: int, detail: str, reason: str = "") -> bytes:
    """A problem document (RFC 9457); `reason` is this system's word for what went wrong."""
    document: dict[str, object] = {"title": TITLES.get(status, "Error"), "status": status, "detail": detail}
    if reason:
        document["reason"] = reason
    return json.dumps(document).encode()
