// Accepts three connections, blocking, blocking, non-blocking, and echoes three lines on each.
#include "stream.h"

int main(void) {
    require_files("5", "stdin:stdout:stderr:ingest:ping");
    require(write(4, "ping\n", 5) == 5, "the ping goes out");
    for (int round = 0; round < 3; round++) {
        set_blocking(3, round < 2);
        int socket;
        while ((socket = accept(3, NULL, NULL)) < 0) {
            require(round == 2 && errno == EAGAIN, "accept waits or says EAGAIN");
            struct pollfd wanted = {.fd = 3, .events = POLLIN};
            require(poll(&wanted, 1, -1) == 1, "poll");
        }
        echo_three_lines(socket);
        close(socket);
    }
    return 0;
}
