// What the socket programs share: checks of the environment, and echoing lines.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void require(int held, const char *what) {
    if (!held) {
        fprintf(stderr, "not so: %s\n", what);
        exit(1);
    }
}

static void require_files(const char *count, const char *names) {
    require(strcmp(getenv("FD_COUNT"), count) == 0, "FD_COUNT");
    require(strcmp(getenv("FD_NAMES"), names) == 0, "FD_NAMES");
}

static void set_blocking(int socket, int blocking) {
    require(fcntl(socket, F_SETFL, blocking ? 0 : O_NONBLOCK) == 0, "fcntl");
}

// One line, read byte by byte; a non-blocking socket is waited for with poll.
static void echo_line(int socket) {
    char line[64];
    size_t filled = 0;
    while (filled == 0 || line[filled - 1] != '\n') {
        ssize_t got = read(socket, line + filled, 1);
        if (got < 0 && errno == EAGAIN) {
            struct pollfd wanted = {.fd = socket, .events = POLLIN};
            require(poll(&wanted, 1, -1) == 1, "poll");
            continue;
        }
        require(got == 1, "a line arrives");
        require(++filled < sizeof line, "a short line");
    }
    require(write(socket, line, filled) == (ssize_t)filled, "the line goes back");
}

static void echo_three_lines(int socket) {
    set_blocking(socket, 1);
    echo_line(socket);
    echo_line(socket);
    set_blocking(socket, 0);
    echo_line(socket);
}
