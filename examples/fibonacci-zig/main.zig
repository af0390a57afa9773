// SPDX-License-Identifier: Apache-2.0
// Prints the Fibonacci number of each argument, straight on WASI's own functions.
const std = @import("std");
const wasi = std.os.wasi;

fn fibonacci(n: usize) u64 {
    var now: u64 = 0;
    var next: u64 = 1;
    for (0..n) |_| {
        const sum = now + next;
        now = next;
        next = sum;
    }
    return now;
}

var text: [4096]u8 = undefined;
var pointers: [64][*:0]u8 = undefined;

pub fn main() void {
    var count: usize = 0;
    var size: usize = 0;
    if (wasi.args_sizes_get(&count, &size) != .SUCCESS or count > pointers.len or size > text.len) return;
    if (wasi.args_get(&pointers, &text) != .SUCCESS) return;
    for (pointers[1..count]) |argument| {
        const n = std.fmt.parseInt(usize, std.mem.span(argument), 10) catch continue;
        var line: [32]u8 = undefined;
        const shown = std.fmt.bufPrint(&line, "{d}\n", .{fibonacci(n)}) catch continue;
        const vector = [_]wasi.ciovec_t{.{ .base = shown.ptr, .len = shown.len }};
        var written: usize = 0;
        _ = wasi.fd_write(1, &vector, 1, &written);
    }
}
