// What the test components use of WASI 0.2, lowered as the canonical ABI says: no library in between.
#define V "@0.2.12"
#define FROM(interface, function) __attribute__((import_module(interface V), import_name(function)))
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

FROM("wasi:cli/environment", "get-arguments") void get_arguments(u32 *result);
FROM("wasi:cli/exit", "exit-with-code") void exit_with_code(u32 code);
FROM("wasi:cli/stdin", "get-stdin") u32 get_stdin(void);
FROM("wasi:cli/stdout", "get-stdout") u32 get_stdout(void);
FROM("wasi:io/streams", "[method]output-stream.check-write") void check_write(u32 self, u64 *result);
FROM("wasi:io/streams", "[method]output-stream.write") void stream_write(u32 self, const void *at, u32 size, u8 *result);
FROM("wasi:io/streams", "[method]output-stream.blocking-write-and-flush")
void blocking_write(u32 self, const void *at, u32 size, u8 *result);
FROM("wasi:io/streams", "[method]input-stream.read") void stream_read(u32 self, u64 size, u32 *result);
FROM("wasi:io/streams", "[method]input-stream.blocking-read") void blocking_read(u32 self, u64 size, u32 *result);
FROM("wasi:io/streams", "[method]input-stream.subscribe") u32 subscribe_input(u32 self);
FROM("wasi:io/streams", "[method]output-stream.subscribe") u32 subscribe_output(u32 self);
FROM("wasi:io/streams", "[resource-drop]output-stream") void drop_output(u32 self);
FROM("wasi:io/streams", "[resource-drop]input-stream") void drop_input(u32 self);
FROM("wasi:io/poll", "[method]pollable.block") void block(u32 self);
FROM("wasi:io/poll", "[resource-drop]pollable") void drop_pollable(u32 self);
FROM("wasi:io/poll", "poll") void poll(const u32 *pollables, u32 count, u32 *result);
FROM("wasi:clocks/monotonic-clock", "subscribe-duration") u32 subscribe_duration(u64 duration);
FROM("wasi:random/random", "get-random-bytes") void get_random_bytes(u64 size, u32 *result);
FROM("wasi:sockets/instance-network", "instance-network") u32 instance_network(void);
FROM("wasi:sockets/tcp-create-socket", "create-tcp-socket") void create_tcp_socket(u32 family, u32 *result);
FROM("wasi:sockets/udp-create-socket", "create-udp-socket") void create_udp_socket(u32 family, u32 *result);
#define ADDRESS u32 kind, u32 port, u32 a, u32 b, u32 c, u32 d, u32 e, u32 f, u32 g, u32 h, u32 i, u32 j
#define IPV4(port, a, b, c, d) 0, port, a, b, c, d, 0, 0, 0, 0, 0, 0
FROM("wasi:sockets/tcp", "[method]tcp-socket.start-bind") void start_bind(u32 self, u32 network, ADDRESS, u8 *result);
FROM("wasi:sockets/tcp", "[method]tcp-socket.finish-bind") void finish_bind(u32 self, u8 *result);
FROM("wasi:sockets/tcp", "[method]tcp-socket.start-listen") void start_listen(u32 self, u8 *result);
FROM("wasi:sockets/tcp", "[method]tcp-socket.finish-listen") void finish_listen(u32 self, u8 *result);
FROM("wasi:sockets/tcp", "[method]tcp-socket.accept") void tcp_accept(u32 self, u32 *result);
FROM("wasi:sockets/tcp", "[method]tcp-socket.start-connect")
void start_connect(u32 self, u32 network, ADDRESS, u8 *result);
FROM("wasi:sockets/tcp", "[method]tcp-socket.finish-connect") void finish_connect(u32 self, u32 *result);
FROM("wasi:sockets/tcp", "[method]tcp-socket.subscribe") u32 subscribe_tcp(u32 self);
FROM("wasi:sockets/tcp", "[method]tcp-socket.shutdown") void tcp_shutdown(u32 self, u32 how, u8 *result);
FROM("wasi:sockets/tcp", "[resource-drop]tcp-socket") void drop_tcp(u32 self);
FROM("wasi:sockets/ip-name-lookup", "resolve-addresses")
void resolve_addresses(u32 network, const void *name, u32 size, u32 *result);
FROM("wasi:sockets/ip-name-lookup", "[method]resolve-address-stream.resolve-next-address")
void next_address(u32 self, u8 *result);
FROM("wasi:filesystem/preopens", "get-directories") void get_directories(u32 *result);
FROM("wasi:filesystem/types", "[method]descriptor.open-at")
void open_at(u32 self, u32 path_flags, const void *path, u32 size, u32 how, u32 flags, u32 *result);
FROM("wasi:filesystem/types", "[method]descriptor.write") void file_write(u32 self, const void *at, u32 size, u64 offset, u64 *result);
FROM("wasi:filesystem/types", "[method]descriptor.read-via-stream")
void read_via_stream(u32 self, u64 offset, u32 *result);
FROM("wasi:filesystem/types", "[resource-drop]descriptor") void drop_descriptor(u32 self);

static u8 heap[1 << 20] __attribute__((aligned(16)));
static u32 used;

// Memory for what the host returns; nothing is ever given back, only begun anew when it is full.
__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, u32 old_size, u32 align, u32 size) {
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

static void say(const char *text, u32 size) {
    static u32 out;
    u8 result[16];
    if (!out)
        out = get_stdout();
    blocking_write(out, text, size, result);
}

static void line(const char *what, u32 number) {
    char digits[12], *at = digits + sizeof digits;
    *--at = '\n';
    do
        *--at = '0' + number % 10;
    while (number /= 10);
    *--at = ' ';
    say(what, length(what));
    say(at, digits + sizeof digits - at);
}

// The argument of a number; empty when it was not given.
static const char *argument(u32 number, u32 *size) {
    u32 list[2];
    get_arguments(list);
    *size = number < list[1] ? ((u32 *)list[0])[2 * number + 1] : 0;
    return number < list[1] ? (const char *)((u32 *)list[0])[2 * number] : "";
}

static u32 numbered(u32 place) {
    u32 size, value = 0;
    const char *text = argument(place, &size);
    for (u32 i = 0; i < size; i++)
        value = 10 * value + (text[i] - '0');
    return value;
}

static void rest(u32 pollable) {
    block(pollable);
    drop_pollable(pollable);
}
