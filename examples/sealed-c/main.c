// Keeps files: "put NAME TEXT" writes and syncs one, "get NAME" prints one, in any number, one after the other.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void answer(const char *word, int failed) {
    printf("%s %s\n", word, failed ? strerror(errno) : "ok");
    fflush(stdout);
}

static int put(const char *name, const char *text) {
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    size_t size = strlen(text);
    if (fd < 0 || write(fd, text, size) != (ssize_t)size || fsync(fd) != 0)
        return -1;
    return close(fd);
}

static int get(const char *name) {
    char buffer[256];
    int fd = open(name, O_RDONLY);
    ssize_t got = fd < 0 ? -1 : read(fd, buffer, sizeof buffer);
    if (got < 0)
        return -1;
    printf("%.*s\n", (int)got, buffer);
    return close(fd);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "put") == 0 && i + 2 < argc) {
            answer("put", put(argv[i + 1], argv[i + 2]));
            i += 2;
        } else if (strcmp(argv[i], "get") == 0 && i + 1 < argc) {
            if (get(argv[++i]) != 0)
                answer("get", 1);
        }
    }
    return 0;
}
