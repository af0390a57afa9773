// `listen PORT`: answers one connection in capitals. `connect HOST PORT`: says hello, prints the answer.
// Prints the step and the number of the error-code when something is refused.
#include "wasi02.h"

static u32 refused(const char *step, u32 code) {
    line(step, code);
    return 1;
}

static u32 echoed(u32 in, u32 out) {
    u8 done[16];
    u32 got[4];
    for (;;) {
        blocking_read(in, 1000, got);
        if (*(u8 *)got)
            break;
        u8 *text = (u8 *)got[1];
        for (u32 i = 0; i < got[2]; i++)
            text[i] -= text[i] >= 'a' && text[i] <= 'z' ? 32 : 0;
        blocking_write(out, text, got[2], done);
        if (done[0])
            return refused("write", done[4]);
    }
    return *(u8 *)(got + 1) == 1 ? 0 : refused("read", *(u8 *)(got + 1));
}

static u32 listening(u32 network, u32 socket) {
    u8 done[4];
    u32 accepted[4];
    start_bind(socket, network, IPV4(numbered(2), 0, 0, 0, 0), done);
    if (done[0])
        return refused("start-bind", done[1]);
    finish_bind(socket, done);
    if (done[0])
        return refused("bind", done[1]);
    start_listen(socket, done);
    finish_listen(socket, done);
    if (done[0])
        return refused("listen", done[1]);
    tcp_accept(socket, accepted);
    if (!*(u8 *)accepted || *(u8 *)(accepted + 1) != 8)
        return refused("accept does not wait", 0);
    say("listening\n", 10);
    rest(subscribe_tcp(socket));
    tcp_accept(socket, accepted);
    if (*(u8 *)accepted)
        return refused("accept", *(u8 *)(accepted + 1));
    u32 failed = echoed(accepted[2], accepted[3]);
    drop_input(accepted[2]);
    drop_output(accepted[3]);
    drop_tcp(accepted[1]);
    drop_tcp(socket);
    return failed;
}

static u32 connecting(u32 network, u32 socket) {
    u8 done[16];
    u32 found[2], streams[4], got[4], size;
    const char *host = argument(2, &size);
    resolve_addresses(network, host, size, found);
    if (*(u8 *)found)
        return refused("resolve", *(u8 *)(found + 1));
    u8 address[32];
    next_address(found[1], address);
    if (address[0] || !address[2] || address[4])
        return refused("address", address[4]);
    start_connect(socket, network, IPV4(numbered(3), address[6], address[7], address[8], address[9]), done);
    if (done[0])
        return refused("start-connect", done[1]);
    rest(subscribe_tcp(socket));
    finish_connect(socket, streams);
    if (*(u8 *)streams)
        return refused("connect", *(u8 *)(streams + 1));
    blocking_write(streams[2], "hello\n", 6, done);
    if (done[0])
        return refused("write", done[4]);
    tcp_shutdown(socket, 1, done);
    for (;;) {
        blocking_read(streams[1], 1000, got);
        if (*(u8 *)got)
            break;
        say((const char *)got[1], got[2]);
    }
    drop_input(streams[1]);
    drop_output(streams[2]);
    drop_tcp(socket);
    return 0;
}

__attribute__((export_name("wasi:cli/run" V "#run"))) u32 run(void) {
    u32 size, made[2], network = instance_network();
    const char *mode = argument(1, &size);
    if (*mode == 'u') {
        create_udp_socket(0, made);
        return refused("udp", *(u8 *)(made + 1));
    }
    create_tcp_socket(0, made);
    if (*(u8 *)made)
        return refused("create", *(u8 *)(made + 1));
    return *mode == 'l' ? listening(network, made[1]) : connecting(network, made[1]);
}
