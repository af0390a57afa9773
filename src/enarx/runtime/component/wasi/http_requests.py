# SPDX-License-Identifier: Apache-2.0
"""`wasi:http`, the part with which a component asks others: requests, their options, the answer to come."""
# ruff: noqa: D102 - the functions are the specification's

from __future__ import annotations

import re

from enarx.runtime.component.http.exchange import OutgoingBody
from enarx.runtime.component.http.failure import ERROR_CODE
from enarx.runtime.component.http.fields import Fields
from enarx.runtime.component.http.outgoing import FutureResponse, OutgoingRequest, RequestOptions, ask
from enarx.runtime.component.http.syntax import NAME
from enarx.runtime.component.interface import Interface, Refused, wit
from enarx.runtime.component.polling import Pollable
from enarx.runtime.component.types import STRING, U64, Borrow, Case, Err, Ok, Option, Own, Result, Variant

METHODS = ("get", "head", "post", "put", "delete", "connect", "options", "trace", "patch")
METHOD = Variant({**dict.fromkeys(METHODS), "other": STRING})
SCHEME = Variant({"HTTP": None, "HTTPS": None, "other": STRING})
PLAIN = Result()
DURATION = Option(U64)
_METHOD = re.compile(NAME)
_PATH = re.compile(r"[/?*][\x21-\x7e]*")
_AUTHORITY = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")
REQUEST = "outgoing-request"
OPTIONS = "request-options"


def method_case(name: str) -> Case:
    """A method as the variant has it."""
    known = name.lower()
    return Case(known) if known in METHODS and name.isupper() else Case("other", name)


class Asking(Interface):
    """Functions of `wasi:http/types`."""

    @wit("[constructor]outgoing-request", Own("fields"), returns=Own(REQUEST))
    def new_request(self, headers: Fields) -> OutgoingRequest:
        return OutgoingRequest(headers.fixed())

    @wit("[method]outgoing-request.body", Borrow(REQUEST), returns=Result(Own("outgoing-body")))
    def request_body(self, request: OutgoingRequest) -> OutgoingBody:
        return request.take_body()

    @wit("[method]outgoing-request.method", Borrow(REQUEST), returns=METHOD)
    def request_method(self, request: OutgoingRequest) -> Case:
        return method_case(request.method)

    @wit("[method]outgoing-request.set-method", Borrow(REQUEST), METHOD, returns=PLAIN)
    def set_method(self, request: OutgoingRequest, method: Case) -> None:
        name = method.payload if method.name == "other" else method.name.upper()
        if not _METHOD.fullmatch(name):
            raise Refused
        request.method = name

    @wit("[method]outgoing-request.path-with-query", Borrow(REQUEST), returns=Option(STRING))
    def request_path(self, request: OutgoingRequest) -> str | None:
        return request.path

    @wit("[method]outgoing-request.set-path-with-query", Borrow(REQUEST), Option(STRING), returns=PLAIN)
    def set_path(self, request: OutgoingRequest, path: str | None) -> None:
        if path and not _PATH.fullmatch(path):
            raise Refused
        request.path = path

    @wit("[method]outgoing-request.scheme", Borrow(REQUEST), returns=Option(SCHEME))
    def request_scheme(self, request: OutgoingRequest) -> Case | None:
        return request.scheme

    @wit("[method]outgoing-request.set-scheme", Borrow(REQUEST), Option(SCHEME), returns=PLAIN)
    def set_scheme(self, request: OutgoingRequest, scheme: Case | None) -> None:
        request.scheme = scheme

    @wit("[method]outgoing-request.authority", Borrow(REQUEST), returns=Option(STRING))
    def request_authority(self, request: OutgoingRequest) -> str | None:
        return request.authority

    @wit("[method]outgoing-request.set-authority", Borrow(REQUEST), Option(STRING), returns=PLAIN)
    def set_authority(self, request: OutgoingRequest, authority: str | None) -> None:
        if authority is not None and not _AUTHORITY.fullmatch(authority):
            raise Refused
        request.authority = authority

    @wit("[method]outgoing-request.headers", Borrow(REQUEST), returns=Own("fields"))
    def request_headers(self, request: OutgoingRequest) -> Fields:
        return request.headers.fixed()

    @wit("[constructor]request-options", returns=Own(OPTIONS))
    def new_options(self) -> RequestOptions:
        return RequestOptions()

    @wit("[method]request-options.connect-timeout", Borrow(OPTIONS), returns=DURATION)
    def connect_timeout(self, options: RequestOptions) -> int | None:
        return options.connect

    @wit("[method]request-options.set-connect-timeout", Borrow(OPTIONS), DURATION, returns=PLAIN)
    def set_connect_timeout(self, options: RequestOptions, duration: int | None) -> None:
        options.connect = duration

    @wit("[method]request-options.first-byte-timeout", Borrow(OPTIONS), returns=DURATION)
    def first_byte_timeout(self, options: RequestOptions) -> int | None:
        return options.first_byte

    @wit("[method]request-options.set-first-byte-timeout", Borrow(OPTIONS), DURATION, returns=PLAIN)
    def set_first_byte_timeout(self, options: RequestOptions, duration: int | None) -> None:
        options.first_byte = duration

    @wit("[method]request-options.between-bytes-timeout", Borrow(OPTIONS), returns=DURATION)
    def between_bytes_timeout(self, options: RequestOptions) -> int | None:
        return options.between_bytes

    @wit("[method]request-options.set-between-bytes-timeout", Borrow(OPTIONS), DURATION, returns=PLAIN)
    def set_between_bytes_timeout(self, options: RequestOptions, duration: int | None) -> None:
        options.between_bytes = duration

    @wit("[method]future-incoming-response.subscribe", Borrow("future-incoming-response"), returns=Own("pollable"))
    def subscribe_response(self, future: FutureResponse) -> Pollable:
        return future.pollable()

    @wit(
        "[method]future-incoming-response.get",
        Borrow("future-incoming-response"),
        returns=Option(Result(Result(Own("incoming-response"), ERROR_CODE))),
    )
    def get_response(self, future: FutureResponse) -> Ok | Err | None:
        return future.get()


class OutgoingHandler(Interface):
    """`wasi:http/outgoing-handler`."""

    name = "wasi:http/outgoing-handler"

    @wit(
        "handle",
        Own(REQUEST),
        Option(Own(OPTIONS)),
        returns=Result(Own("future-incoming-response"), ERROR_CODE),
    )
    def handle(self, request: OutgoingRequest, options: RequestOptions | None) -> FutureResponse:
        return ask(self.launch, request, options or RequestOptions())
