// Does what a guest must not, chosen by its first argument; ends with 42 where it may go on.
#include "wasi02.h"

static u32 out;

static u32 flood(void) {
    u8 result[16];
    for (;;)
        blocking_write(out, heap, 4096, result);
}

static u32 spin(void) {
    for (volatile u32 i = 0;; i++)
        continue;
}

static u32 handles(void) {
    for (;;)
        subscribe_duration(1);
}

static u32 sleeps(void) {
    block(subscribe_duration(-1ull));
    return 0;
}

// An array of more handles than the engine lets through at once.
static u32 many(void) {
    u32 result[2], pollable = subscribe_duration(0), pages = 2048;
    u32 *list = (u32 *)(__builtin_wasm_memory_grow(0, pages) << 16);
    for (u32 i = 0; i < pages << 14; i++)
        list[i] = pollable;
    poll(list, pages << 14, result);
    return 0;
}

static void tried(const char *path, u32 flags, u32 how) {
    u32 list[2], result[2];
    get_directories(list);
    open_at(*(u32 *)list[0], 1, path, length(path), how, flags, result);
    line(path, *(u8 *)result ? *(u8 *)(result + 1) : 99);
}

static u32 paths(void) {
    tried("../../etc/passwd", 1, 0);
    tried("/etc/passwd", 1, 0);
    tried("tmp/../../etc/passwd", 1, 0);
    tried("tmp/../dev/../../x", 1, 0);
    tried("", 1, 0);
    tried("planted", 2, 1);
    tried("dev/null/x", 1, 0);
    return 0;
}

static u32 opened(void) {
    u32 list[2], result[2], count = 0;
    get_directories(list);
    u32 root = *(u32 *)list[0];
    do
        open_at(root, 0, "tmp/x", 5, 1, 3, result);
    while (!*(u8 *)result && ++count < 100000);
    line("opened", count);
    return 0;
}

// More bytes than the file system's quota.
static u32 filled(void) {
    u32 list[2], made[2], count = 0;
    u64 result[2];
    get_directories(list);
    open_at(*(u32 *)list[0], 0, "tmp/x", 5, 1, 3, made);
    do
        file_write(made[1], heap, 60000, 60000 * count, result);
    while (!*(u8 *)result && ++count < 100000);
    line("refused", *(u8 *)(result + 1));
    return 0;
}

static u32 grown(void) {
    u32 pages = 0;
    while ((int)__builtin_wasm_memory_grow(0, 64) != -1)
        pages += 64;
    line("grew", pages > 32768);
    return 0;
}

__attribute__((export_name("wasi:cli/run" V "#run"))) u32 run(void) {
    u32 size, result[8];
    u32 kind = *argument(1, &size);
    out = get_stdout();
    switch (kind) {
    case 'a': poll((u32 *)heap, 0, result); break;
    case 'b': drop_output(out); blocking_write(out, heap, 1, (u8 *)result); break;
    case 'c': drop_output(out); drop_output(out); break;
    case 'd': blocking_write(get_stdin(), heap, 1, (u8 *)result); break;
    case 'e': blocking_write(out, heap, 0xffffffff, (u8 *)result); break;
    case 'f': stream_write(out, heap, 1 << 20, (u8 *)result); break;
    case 'g': blocking_write(out, heap, 4097, (u8 *)result); break;
    case 'h': get_random_bytes(1ull << 40, result); break;
    case 'i': blocking_write(out, heap, 1, (u8 *)0xfffffffe); break;
    case 'j': return many();
    case 'k': return handles();
    case 'l': return spin();
    case 'm': return sleeps();
    case 'n': return flood();
    case 'o': return paths();
    case 'p': return opened();
    case 'q': return filled();
    case 'r': return grown();
    case 's': __builtin_trap();
    case 't': tried("\xff\xfe", 1, 0); break;
    case 'u': tried("a", 1, 255); break;
    case 'v': block(0); break;
    case 'w': create_tcp_socket(7, result); break;
    case 'x': drop_tcp(out); break;
    case 'y': stream_read(get_stdin(), 1ull << 60, result); break;
    }
    exit_with_code(42);
    return 0;
}
