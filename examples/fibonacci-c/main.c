// SPDX-License-Identifier: Apache-2.0
// Prints the Fibonacci number of each argument, or of each number on standard input.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void show(unsigned n) {
    uint64_t now = 0, next = 1;
    for (unsigned i = 0; i < n; i++) {
        uint64_t sum = now + next;
        now = next;
        next = sum;
    }
    printf("%" PRIu64 "\n", now);
}

int main(int argc, char **argv) {
    unsigned n;
    for (int i = 1; i < argc; i++)
        show((unsigned)strtoul(argv[i], NULL, 10));
    while (argc < 2 && scanf("%u", &n) == 1)
        show(n);
    return 0;
}
