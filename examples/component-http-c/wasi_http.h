// What a server in C uses of WASI 0.2, lowered as the canonical ABI says: no library in between.
#pragma once
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define FROM(interface, function) __attribute__((import_module(interface "@0.2.12"), import_name(function)))
#define HTTP(function) FROM("wasi:http/types", function)
#define STREAMS(function) FROM("wasi:io/streams", function)

// A handle or nothing, in the memory where a `result` is returned: a byte that says which, then the handle.
typedef struct {
    u32 failed, handle;
} Got;
// An `option<string>`, or a `result<list<u8>, …>` in which 0 is the good side.
typedef struct {
    u32 which;
    const char *at;
    u32 size;
} Text;
// Room for a `result<_, error-code>`.
typedef struct {
    u64 of[5];
} Outcome;

HTTP("[constructor]fields") u32 new_fields(void);
HTTP("[method]fields.append")
void append_field(u32 self, const char *name, u32 size, const char *value, u32 length, u8 *result);
HTTP("[method]incoming-request.path-with-query") void request_path(u32 self, Text *result);
HTTP("[method]incoming-request.consume") void consume_request(u32 self, Got *result);
HTTP("[method]incoming-body.stream") void body_input(u32 self, Got *result);
HTTP("[resource-drop]incoming-body") void drop_incoming_body(u32 self);
HTTP("[resource-drop]incoming-request") void drop_incoming_request(u32 self);
HTTP("[constructor]outgoing-response") u32 new_response(u32 headers);
HTTP("[method]outgoing-response.set-status-code") u32 set_status(u32 self, u32 status);
HTTP("[method]outgoing-response.body") void response_body(u32 self, Got *result);
HTTP("[method]outgoing-body.write") void body_output(u32 self, Got *result);
HTTP("[static]outgoing-body.finish") void finish_body(u32 self, u32 with, u32 trailers, Outcome *result);
HTTP("[static]response-outparam.set")
void set_response(u32 out, u32 failed, u32 response_or_error, u32 a, u64 b, u32 c, u32 d, u32 e, u32 f);
STREAMS("[method]input-stream.blocking-read") void read_some(u32 self, u64 most, Text *result);
STREAMS("[method]output-stream.blocking-write-and-flush")
void write_some(u32 self, const void *at, u32 size, u32 *result);
STREAMS("[resource-drop]input-stream") void drop_input(u32 self);
STREAMS("[resource-drop]output-stream") void drop_output(u32 self);

// Memory for what the host returns; nothing is ever given back, only begun anew when it is full.
__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, u32 old_size, u32 align, u32 size) {
    static u8 heap[1 << 18] __attribute__((aligned(16)));
    static u32 used;
    (void)old, (void)old_size;
    used = (used + align - 1) & -align;
    if (used + size > sizeof heap)
        used = 0;
    void *at = heap + used;
    used += size;
    return at;
}

static u32 length(const char *text) {
    u32 size = 0;
    while (text[size])
        size++;
    return size;
}

static int begins(const Text *text, const char *with) {
    for (u32 i = 0; with[i]; i++)
        if (i >= text->size || text->at[i] != with[i])
            return 0;
    return 1;
}

static void add_field(u32 fields, const char *name, const char *value) {
    u8 result[8];
    append_field(fields, name, length(name), value, length(value), result);
}

// Answer with these fields; what is returned takes the body.
static u32 answer(u32 out, u32 status, u32 fields) {
    Got body;
    u32 response = new_response(fields);
    set_status(response, status);
    response_body(response, &body);
    set_response(out, 0, response, 0, 0, 0, 0, 0, 0);
    return body.handle;
}

static u32 output_of(u32 body) {
    Got stream;
    body_output(body, &stream);
    return stream.handle;
}

static void finish(u32 body, u32 stream) {
    Outcome outcome;
    drop_output(stream);
    finish_body(body, 0, 0, &outcome);
}
