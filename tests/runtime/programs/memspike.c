// Reserves sixteen million bytes at once and touches every page of them.
#include <stdlib.h>

int main(void) {
    size_t size = 16 * 1000 * 1000;
    volatile char *spike = malloc(size);
    if (spike == NULL)
        return 1;
    for (size_t at = 0; at < size; at += 4096)
        spike[at] = (char)at;
    return 0;
}
