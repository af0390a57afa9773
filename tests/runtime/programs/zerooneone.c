// ROT13 from standard input to standard output.
#include <stdio.h>

int main(void) {
    int c;
    while ((c = getchar()) != EOF) {
        int base = c >= 'a' && c <= 'z' ? 'a' : c >= 'A' && c <= 'Z' ? 'A' : 0;
        putchar(base ? (c - base + 13) % 26 + base : c);
    }
    return 0;
}
