# SPDX-License-Identifier: Apache-2.0
"""A server as a component: `wasi:http/incoming-handler`, written in Python."""

from collections.abc import Iterator

from componentize_py_types import Err, Ok
from wit_world import exports
from wit_world.imports.types import Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam

MOST_AT_ONCE = 4096


class IncomingHandler(exports.IncomingHandler):
    """Answers every request; its world is WASI's `proxy`."""

    def handle(self, request: IncomingRequest, response_out: ResponseOutparam) -> None:
        """Greet, or send back what came where the path is /echo."""
        echo = (request.path_with_query() or "").startswith("/echo")
        response = OutgoingResponse(Fields.from_list([("content-type", b"text/plain")]))
        body = response.body()
        ResponseOutparam.set(response_out, Ok(response))
        with body.write() as stream:
            for piece in received(request) if echo else [b"Hello from Python in a Keep\n"]:
                stream.blocking_write_and_flush(piece)
        OutgoingBody.finish(body, None)


def received(request: IncomingRequest) -> Iterator[bytes]:
    """The pieces of a request's body."""
    body = request.consume()
    with body.stream() as stream:
        while True:
            try:
                piece = stream.blocking_read(MOST_AT_ONCE)
            except Err:
                # The stream has ended.
                return
            yield piece
