// SPDX-License-Identifier: Apache-2.0
// An HTTP/1.1 server for a Keep: answers every request on the socket that Enarx.toml names "web".
//
// It speaks no TLS: the Keep ends it. One poll loop serves all connections, and each is kept open
// until its client closes it or asks for that.

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST = 256, ROOM = 8192 };

struct connection {
    size_t filled;
    char request[ROOM];
};

static struct pollfd watched[MOST + 1];
static struct connection *connections[MOST + 1];
static int open_count = 1;

static const char HELLO[] = "Hello from inside a Keep!\n";
static char answer[512];
static size_t answer_size;

// The descriptor of a file of Enarx.toml: its place in FD_NAMES, which colons separate.
static int descriptor(const char *wanted) {
    const char *names = getenv("FD_NAMES");
    for (int number = 0; names != NULL; number++) {
        size_t length = strcspn(names, ":");
        if (length == strlen(wanted) && strncmp(names, wanted, length) == 0)
            return number;
        names = names[length] == ':' ? names + length + 1 : NULL;
    }
    return -1;
}

static void forget(int index) {
    close(watched[index].fd);
    free(connections[index]);
    open_count--;
    watched[index] = watched[open_count];
    connections[index] = connections[open_count];
}

static int send_all(int socket, const char *bytes, size_t size) {
    while (size > 0) {
        ssize_t sent = write(socket, bytes, size);
        if (sent < 0)
            return -1;
        bytes += sent;
        size -= (size_t)sent;
    }
    return 0;
}

// Answer every request that is complete; 0 while the connection lives.
static int serve(int socket, struct connection *connection) {
    ssize_t got = read(socket, connection->request + connection->filled, ROOM - 1 - connection->filled);
    if (got <= 0)
        return -1;
    connection->filled += (size_t)got;
    connection->request[connection->filled] = '\0';
    char *end;
    while ((end = strstr(connection->request, "\r\n\r\n")) != NULL) {
        *end = '\0';
        int last = strstr(connection->request, "onnection: close") != NULL;
        if (send_all(socket, answer, answer_size) < 0 || last)
            return -1;
        size_t used = (size_t)(end + 4 - connection->request);
        connection->filled -= used;
        memmove(connection->request, end + 4, connection->filled + 1);
    }
    return connection->filled < ROOM - 1 ? 0 : -1;
}

static void welcome(int listener) {
    int socket = accept(listener, NULL, NULL);
    if (socket < 0)
        return;
    struct connection *fresh = open_count <= MOST ? calloc(1, sizeof *fresh) : NULL;
    if (fresh == NULL) {
        close(socket);
        return;
    }
    watched[open_count] = (struct pollfd){.fd = socket, .events = POLLIN};
    connections[open_count++] = fresh;
}

int main(void) {
    int listener = descriptor("web");
    if (listener < 0) {
        fputs("http-hello: Enarx.toml lists no file named web\n", stderr);
        return 1;
    }
    answer_size = (size_t)snprintf(answer, sizeof answer,
                                   "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                                   "Content-Length: %zu\r\n\r\n%s",
                                   sizeof HELLO - 1, HELLO);
    watched[0] = (struct pollfd){.fd = listener, .events = POLLIN};
    while (poll(watched, (nfds_t)open_count, -1) >= 0) {
        for (int index = open_count - 1; index > 0; index--)
            if (watched[index].revents && serve(watched[index].fd, connections[index]) < 0)
                forget(index);
        if (watched[0].revents)
            welcome(listener);
    }
    perror("http-hello: poll");
    return 1;
}
