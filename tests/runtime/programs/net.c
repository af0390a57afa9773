// Opens what its arguments name below /net. `con PATH` sends "ping\n" there and prints the answer's line;
// `lis PATH` accepts one connection and answers its line; a path that cannot be opened prints why.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int line(int socket, char *buffer, size_t room) {
    size_t filled = 0;
    while (filled + 1 < room && read(socket, buffer + filled, 1) == 1)
        if (buffer[filled++] == '\n')
            break;
    buffer[filled] = '\0';
    return (int)filled;
}

int main(int argc, char **argv) {
    char buffer[64];
    for (int i = 1; i + 1 < argc; i += 2) {
        int fd = open(argv[i + 1], O_RDWR);
        if (fd < 0) {
            printf("%s\n", strerror(errno));
            continue;
        }
        printf("%s open\n", argv[i]);
        fflush(stdout);
        int socket = strcmp(argv[i], "lis") == 0 ? accept(fd, NULL, NULL) : fd;
        if (strcmp(argv[i], "con") == 0 && write(socket, "ping\n", 5) != 5)
            return 1;
        line(socket, buffer, sizeof buffer);
        printf("%s", buffer);
        if (strcmp(argv[i], "lis") == 0 && write(socket, "pong\n", 5) != 5)
            return 2;
        close(socket);
    }
    return 0;
}
