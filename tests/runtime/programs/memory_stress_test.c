// Allocates and frees blocks of many sizes, and checks that each keeps what was written.
#include <stdlib.h>
#include <string.h>

int main(void) {
    char *blocks[64] = {0};
    unsigned random = 1;
    for (int round = 0; round < 20000; round++) {
        random = random * 1103515245u + 12345u;
        unsigned slot = (random >> 16) % 64, size = 16 + (random >> 8) % 20000;
        if (blocks[slot] != NULL && (unsigned char)blocks[slot][0] != slot)
            return 1;
        free(blocks[slot]);
        if ((blocks[slot] = malloc(size)) == NULL)
            return 2;
        memset(blocks[slot], (int)slot, size);
    }
    return 0;
}
