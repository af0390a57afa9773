// A server that does what its path says, well or badly.
#include "../../../examples/component-http-c/wasi_http.h"

HTTP("[constructor]outgoing-request") u32 new_request(u32 headers);
HTTP("[method]outgoing-request.set-scheme") u32 set_scheme(u32 self, u32 some, u32 which, const char *at, u32 size);
HTTP("[method]outgoing-request.set-authority") u32 set_authority(u32 self, u32 some, const char *at, u32 size);
HTTP("[method]future-incoming-response.subscribe") u32 subscribe_response(u32 self);
HTTP("[method]future-incoming-response.get") void get_response(u32 self, u64 *result);
HTTP("[method]incoming-response.status") u32 response_status(u32 self);
HTTP("[method]incoming-response.consume") void consume_response(u32 self, Got *result);
HTTP("[method]incoming-request.headers") u32 request_headers(u32 self);
HTTP("[method]fields.get") void get_field(u32 self, const char *name, u32 size, u32 *result);
HTTP("[static]incoming-body.finish") u32 finish_incoming(u32 self);
HTTP("[method]future-trailers.subscribe") u32 subscribe_trailers(u32 self);
HTTP("[method]future-trailers.get") void get_trailers(u32 self, u64 *result);
FROM("wasi:http/outgoing-handler", "handle") void ask(u32 request, u32 with, u32 options, u64 *result);
FROM("wasi:io/poll", "[method]pollable.block") void block(u32 self);
FROM("wasi:clocks/monotonic-clock", "subscribe-duration") u32 subscribe_duration(u64 duration);

static u32 counter;
static char big[4096];

static void say(u32 to, const char *text) {
    u32 result[4];
    write_some(to, text, length(text), result);
}

static void say_number(u32 to, u32 number) {
    char digits[12], *at = digits + sizeof digits;
    *--at = 0;
    do
        *--at = '0' + number % 10;
    while (number /= 10);
    say(to, at);
}

static void copy(u32 from, u32 to) {
    Got stream;
    Text piece;
    u32 result[4];
    body_input(from, &stream);
    for (;;) {
        read_some(stream.handle, 65536, &piece);
        if (piece.which & 0xff)
            break;
        for (u32 done = 0; done < piece.size; done += 4096)
            write_some(to, piece.at + done, piece.size - done < 4096 ? piece.size - done : 4096, result);
    }
    drop_input(stream.handle);
}

// Ask AUTHORITY, which stands behind the last '/' of the path; the scheme is HTTP or, with 's', HTTPS.
static void forward(const Text *path, u32 secure, u32 out) {
    u64 result[8];
    u32 at = path->size, request = new_request(new_fields());
    while (path->at[at - 1] != '/')
        at--;
    set_scheme(request, 1, secure, 0, 0);
    set_authority(request, 1, path->at + at, path->size - at);
    ask(request, 0, 0, result);
    if (result[0] & 0xff) {
        // Hand the error-code on; the numbers of its case and of the simple payloads are enough here.
        set_response(out, 1, result[1] & 0xff, 0, 0, 0, 0, 0, 0);
        return;
    }
    u32 future = (u32)result[1];
    block(subscribe_response(future));
    get_response(future, result);
    // option, result, result, then either the response or the error-code, all aligned to eight bytes.
    if (result[2] & 0xff) {
        set_response(out, 1, result[3] & 0xff, 0, 0, 0, 0, 0, 0);
        return;
    }
    u32 response = (u32)result[3];
    Got from;
    consume_response(response, &from);
    u32 body = answer(out, response_status(response), new_fields()), to = output_of(body);
    copy(from.handle, to);
    finish(body, to);
}

static void fields_of(u32 request, u32 to) {
    u32 list[2], fields = request_headers(request);
    static const char *names[] = {"x-test", "connection", "host", "transfer-encoding"};
    for (u32 i = 0; i < 4; i++) {
        get_field(fields, names[i], length(names[i]), list);
        say_number(to, list[1]);
    }
    u8 result[8];
    append_field(fields, "x", 1, "y", 1, result);
    say(to, result[0] && result[1] == 2 ? " immutable" : " mutable");
    append_field(new_fields(), "Connection", 10, "y", 1, result);
    say(to, result[0] && result[1] == 1 ? " forbidden" : " allowed");
    append_field(new_fields(), "a b", 3, "y", 1, result);
    say(to, result[0] && result[1] == 0 ? " invalid" : " valid");
}

static void trailers_of(u32 request, u32 to) {
    Got body;
    u64 result[8];
    u32 list[2];
    consume_request(request, &body);
    copy(body.handle, to);
    u32 future = finish_incoming(body.handle);
    block(subscribe_trailers(future));
    get_trailers(future, result);
    // option, result, result, option, handle: error-code makes the inner ones eight bytes wide.
    if (!(result[2] & 0xff) && (result[3] & 0xff)) {
        get_field((u32)(result[3] >> 32), "x-sum", 5, list);
        say(to, list[1] ? " trailed" : " other");
    }
}

__attribute__((export_name("wasi:http/incoming-handler@0.2.12#handle"))) void handle(u32 request, u32 out) {
    Text path;
    Got from;
    request_path(request, &path);
    if (begins(&path, "/trap"))
        __builtin_trap();
    if (begins(&path, "/spin"))
        for (;;)
            *(volatile u32 *)&counter = counter;
    if (begins(&path, "/sleep"))
        block(subscribe_duration(600ull * 1000000000));
    if (begins(&path, "/silent"))
        return;
    if (begins(&path, "/memory"))
        for (;;)
            if (__builtin_wasm_memory_grow(0, 1024) == (unsigned long)-1)
                __builtin_trap();
    if (begins(&path, "/http/") || begins(&path, "/https/")) {
        forward(&path, begins(&path, "/https/"), out);
        return;
    }
    u32 fields = new_fields();
    if (begins(&path, "/short") || begins(&path, "/long"))
        add_field(fields, "content-length", "10");
    u32 body = answer(out, begins(&path, "/nothing") ? 204 : 200, fields), to = output_of(body);
    if (begins(&path, "/echo") || begins(&path, "/unread")) {
        if (begins(&path, "/unread"))
            say(to, "unread");
        else {
            consume_request(request, &from);
            copy(from.handle, to);
        }
    } else if (begins(&path, "/count"))
        say_number(to, ++counter);
    else if (begins(&path, "/fields"))
        fields_of(request, to);
    else if (begins(&path, "/trailers"))
        trailers_of(request, to);
    else if (begins(&path, "/short"))
        say(to, "short");
    else if (begins(&path, "/long"))
        say(to, "longer than that");
    else if (begins(&path, "/cut")) {
        say(to, "some");
        __builtin_trap();
    } else if (begins(&path, "/big")) {
        u32 result[4];
        for (u32 i = 0; i < 2048; i++)
            write_some(to, big, sizeof big, result);
    } else
        say(to, "path=");
    finish(body, to);
}
