# SPDX-License-Identifier: Apache-2.0
"""`wasi:http`: messages and their parts; the interface through which a component asks others is `outgoing`."""
# ruff: noqa: D102 - the functions are the specification's

from __future__ import annotations

from enarx.runtime.component.http.exchange import OutgoingBody, OutgoingResponse, ResponseOutparam
from enarx.runtime.component.http.failure import ERROR_CODE
from enarx.runtime.component.http.fields import Fields
from enarx.runtime.component.http.incoming import (
    BodyInput,
    FutureTrailers,
    IncomingBody,
    IncomingRequest,
    IncomingResponse,
)
from enarx.runtime.component.http.sink import BodyOutput
from enarx.runtime.component.interface import Refused, wit
from enarx.runtime.component.polling import Pollable
from enarx.runtime.component.types import (
    BOOL,
    BYTES,
    STRING,
    U16,
    Borrow,
    Case,
    Err,
    List,
    Ok,
    Option,
    Own,
    Result,
    Tuple,
    Variant,
)
from enarx.runtime.component.wasi.http_requests import METHOD, PLAIN, SCHEME, Asking, OutgoingHandler, method_case

HEADER_ERROR = Variant({"invalid-syntax": None, "forbidden": None, "immutable": None})
CHANGED = Result(None, HEADER_ERROR)
ENTRIES = List(Tuple(STRING, BYTES))


class Types(Asking):
    """`wasi:http/types`."""

    name = "wasi:http/types"
    resources = (
        *("fields", "incoming-request", "outgoing-request", "request-options", "response-outparam"),
        *("incoming-response", "incoming-body", "future-trailers", "outgoing-response", "outgoing-body"),
        "future-incoming-response",
    )

    @wit("http-error-code", Borrow("error"), returns=Option(ERROR_CODE))
    def http_error_code(self, error: object) -> Case | None:
        return getattr(error, "code", None)

    @wit("[constructor]fields", returns=Own("fields"))
    def new_fields(self) -> Fields:
        return Fields()

    @wit("[static]fields.from-list", ENTRIES, returns=Result(Own("fields"), HEADER_ERROR))
    def from_list(self, entries: list[tuple[str, bytes]]) -> Fields:
        return Fields.listed(entries)

    @wit("[method]fields.get", Borrow("fields"), STRING, returns=List(BYTES))
    def get(self, fields: Fields, name: str) -> list[bytes]:
        return fields.get(name)

    @wit("[method]fields.has", Borrow("fields"), STRING, returns=BOOL)
    def has(self, fields: Fields, name: str) -> bool:
        return bool(fields.get(name))

    @wit("[method]fields.set", Borrow("fields"), STRING, List(BYTES), returns=CHANGED)
    def set(self, fields: Fields, name: str, values: list[bytes]) -> None:
        fields.set(name, values)

    @wit("[method]fields.delete", Borrow("fields"), STRING, returns=CHANGED)
    def delete(self, fields: Fields, name: str) -> None:
        fields.delete(name)

    @wit("[method]fields.append", Borrow("fields"), STRING, BYTES, returns=CHANGED)
    def append(self, fields: Fields, name: str, value: bytes) -> None:
        fields.append(name, value)

    @wit("[method]fields.entries", Borrow("fields"), returns=ENTRIES)
    def entries(self, fields: Fields) -> list[tuple[str, bytes]]:
        return fields.entries

    @wit("[method]fields.clone", Borrow("fields"), returns=Own("fields"))
    def clone(self, fields: Fields) -> Fields:
        return fields.clone()

    @wit("[method]incoming-request.method", Borrow("incoming-request"), returns=METHOD)
    def method(self, request: IncomingRequest) -> Case:
        return method_case(request.head.method)

    @wit("[method]incoming-request.path-with-query", Borrow("incoming-request"), returns=Option(STRING))
    def path_with_query(self, request: IncomingRequest) -> str | None:
        return request.head.target

    @wit("[method]incoming-request.scheme", Borrow("incoming-request"), returns=Option(SCHEME))
    def scheme(self, request: IncomingRequest) -> Case | None:
        return Case("HTTPS" if request.source.wire.secure else "HTTP")

    @wit("[method]incoming-request.authority", Borrow("incoming-request"), returns=Option(STRING))
    def authority(self, request: IncomingRequest) -> str | None:
        return request.head.authority or None

    @wit("[method]incoming-request.headers", Borrow("incoming-request"), returns=Own("fields"))
    def headers(self, request: IncomingRequest) -> Fields:
        return request.headers.fixed()

    @wit("[method]incoming-request.consume", Borrow("incoming-request"), returns=Result(Own("incoming-body")))
    def consume(self, request: IncomingRequest) -> IncomingBody:
        return request.consume()

    @wit("[method]incoming-response.status", Borrow("incoming-response"), returns=U16)
    def status(self, response: IncomingResponse) -> int:
        return response.status

    @wit("[method]incoming-response.headers", Borrow("incoming-response"), returns=Own("fields"))
    def response_headers(self, response: IncomingResponse) -> Fields:
        return response.headers.fixed()

    @wit("[method]incoming-response.consume", Borrow("incoming-response"), returns=Result(Own("incoming-body")))
    def consume_response(self, response: IncomingResponse) -> IncomingBody:
        return response.consume()

    @wit("[method]incoming-body.stream", Borrow("incoming-body"), returns=Result(Own("input-stream")))
    def stream(self, body: IncomingBody) -> BodyInput:
        return body.stream()

    @wit("[static]incoming-body.finish", Own("incoming-body"), returns=Own("future-trailers"))
    def finish_incoming(self, body: IncomingBody) -> FutureTrailers:
        return body.finish()

    @wit("[method]future-trailers.subscribe", Borrow("future-trailers"), returns=Own("pollable"))
    def subscribe_trailers(self, trailers: FutureTrailers) -> Pollable:
        return trailers.pollable()

    @wit(
        "[method]future-trailers.get",
        Borrow("future-trailers"),
        returns=Option(Result(Result(Option(Own("fields")), ERROR_CODE))),
    )
    def get_trailers(self, trailers: FutureTrailers) -> Ok | Err | None:
        return trailers.get()

    @wit("[constructor]outgoing-response", Own("fields"), returns=Own("outgoing-response"))
    def new_response(self, headers: Fields) -> OutgoingResponse:
        return OutgoingResponse(headers.fixed())

    @wit("[method]outgoing-response.status-code", Borrow("outgoing-response"), returns=U16)
    def status_code(self, response: OutgoingResponse) -> int:
        return response.status

    @wit("[method]outgoing-response.set-status-code", Borrow("outgoing-response"), U16, returns=PLAIN)
    def set_status_code(self, response: OutgoingResponse, status: int) -> None:
        if not 200 <= status <= 999:
            raise Refused
        response.status = status

    @wit("[method]outgoing-response.headers", Borrow("outgoing-response"), returns=Own("fields"))
    def outgoing_headers(self, response: OutgoingResponse) -> Fields:
        return response.headers.fixed()

    @wit("[method]outgoing-response.body", Borrow("outgoing-response"), returns=Result(Own("outgoing-body")))
    def body(self, response: OutgoingResponse) -> OutgoingBody:
        return response.take_body()

    @wit("[method]outgoing-body.write", Borrow("outgoing-body"), returns=Result(Own("output-stream")))
    def write(self, body: OutgoingBody) -> BodyOutput:
        return body.write()

    @wit("[static]outgoing-body.finish", Own("outgoing-body"), Option(Own("fields")), returns=Result(None, ERROR_CODE))
    def finish_outgoing(self, body: OutgoingBody, trailers: Fields | None) -> None:
        body.finish(trailers)

    @wit(
        "[method]response-outparam.send-informational",
        *(Borrow("response-outparam"), U16, Own("fields")),
        returns=Result(None, ERROR_CODE),
    )
    def send_informational(self, out: ResponseOutparam, status: int, headers: Fields) -> None:
        out.exchange.inform(status, headers)

    @wit(
        "[static]response-outparam.set",
        Own("response-outparam"),
        Result(Own("outgoing-response"), ERROR_CODE),
    )
    def set_response(self, out: ResponseOutparam, response: Ok | Err) -> None:
        out.exchange.set(response)


__all__ = ["OutgoingHandler", "Types"]
