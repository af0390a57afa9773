// Sends a line on descriptor 3, ends its direction, and expects the line and "bye" back.
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void) {
    static const char expected[] = "line\nbye";
    char buffer[64];
    size_t filled = 0;
    ssize_t got;
    if (write(3, "line\n", 5) != 5 || shutdown(3, SHUT_WR) != 0)
        return 1;
    while (filled < sizeof buffer && (got = read(3, buffer + filled, sizeof buffer - filled)) > 0)
        filled += (size_t)got;
    return filled == 8 && memcmp(buffer, expected, 8) == 0 ? 0 : 2;
}
