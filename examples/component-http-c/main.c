// SPDX-License-Identifier: Apache-2.0
// A server as a component: `wasi:http/incoming-handler`, in C without any library.
#include "wasi_http.h"

static const char GREETING[] = "Hello from C in a Keep\n";

static void echo(u32 request, u32 to) {
    Got body, stream;
    Text piece;
    u32 result[4];
    consume_request(request, &body);
    body_input(body.handle, &stream);
    for (;;) {
        read_some(stream.handle, 4096, &piece);
        if (piece.which & 0xff)
            break;
        write_some(to, piece.at, piece.size, result);
    }
    drop_input(stream.handle);
    drop_incoming_body(body.handle);
}

__attribute__((export_name("wasi:http/incoming-handler@0.2.12#handle"))) void handle(u32 request, u32 out) {
    Text path;
    u32 result[4], fields = new_fields();
    add_field(fields, "content-type", "text/plain");
    request_path(request, &path);
    u32 body = answer(out, 200, fields), to = output_of(body);
    if (begins(&path, "/echo"))
        echo(request, to);
    else
        write_some(to, GREETING, sizeof GREETING - 1, result);
    finish(body, to);
    drop_incoming_request(request);
}
