// Takes as much as it gets of everything, prints how each attempt ended, and still ends well.
#pragma clang diagnostic ignored "-Wunused-result"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wasi/api.h>

static void say(const char *what, int number) { printf("%s: %s\n", what, strerror(number)); }

int main(void) {
    static char block[1 << 16];
    char name[64];
    int fd, last = -1;

    while ((fd = open("/tmp/same", O_RDWR | O_CREAT, 0666)) >= 0)
        last = fd;
    say("descriptors", errno);
    for (int each = 5; each <= last; each++)
        close(each);

    fd = open("/tmp/big", O_RDWR | O_CREAT, 0666);
    while (write(fd, block, sizeof block) > 0)
        continue;
    say("bytes", errno);
    say("hole", pwrite(fd, "x", 1, (off_t)1 << 40) < 0 ? errno : 0);
    say("truncate", ftruncate(fd, (off_t)1 << 50) < 0 ? errno : 0);
    close(fd);
    unlink("/tmp/big");

    for (int i = 0;; i++) {
        snprintf(name, sizeof name, "/tmp/d%d", i);
        if (mkdir(name, 0777) < 0)
            break;
    }
    say("folders", errno);

    __wasi_ciovec_t vectors[2] = {{(const uint8_t *)block, 0xffffffff}, {(const uint8_t *)0xfffffff0, 64}};
    size_t done;
    printf("long buffer: %d\n", __wasi_fd_write(1, vectors, 1, &done));
    printf("buffer over the edge: %d\n", __wasi_fd_write(1, vectors + 1, 1, &done));
    printf("a billion buffers: %d\n", __wasi_fd_write(1, vectors, 1000000000, &done));
    printf("result over the edge: %d\n", __wasi_fd_write(1, vectors, 0, (size_t *)0xfffffffe));
    printf("random over the edge: %d\n", __wasi_random_get((uint8_t *)16, 0xffffffff));

    size_t taken = 0;
    for (volatile char *more; (more = malloc(1 << 20)) != NULL; taken++)
        *more = 1;
    printf("memory: %s\n", taken < 64 ? "bounded" : "too much");
    return 0;
}
