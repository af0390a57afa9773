// SPDX-License-Identifier: Apache-2.0
// Ordinary C, which becomes a component of WASI 0.2: counts the lines of its input, signs them with
// a random number and a date, and keeps the count in a file.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    unsigned long lines = 0;
    for (int byte; (byte = getchar()) != EOF;)
        lines += byte == '\n';

    unsigned long mark;
    if (getentropy(&mark, sizeof mark) != 0 || mark == 0)
        return 2;

    FILE *kept = fopen("/tmp/count", "w+");
    if (kept == NULL || fprintf(kept, "%lu", lines) < 0)
        return 3;
    rewind(kept);
    unsigned long again;
    if (fscanf(kept, "%lu", &again) != 1 || again != lines)
        return 4;

    printf("%lu lines for %s, in or after 2024: %s\n", again, argc > 1 ? argv[1] : "nobody",
           time(NULL) > 1704067200 ? "yes" : "no");
    return lines == 0;
}
