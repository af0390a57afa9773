// Reads and writes pages of a file as a database does: argv[1] is the file. No library in between.
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
    static uint8_t page[4096];
    uint32_t random = 1;
    int fd = argc > 1 ? open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0666) : -1;
    if (fd < 0)
        return 1;
    for (int i = 0; i < 1024; i++)
        if (pwrite(fd, page, sizeof page, i * (off_t)sizeof page) != sizeof page)
            return 2;
    for (int i = 0; i < 20000; i++) {
        random = random * 1103515245u + 12345u;
        off_t at = (off_t)((random >> 16) % 1024 * sizeof page);
        if (pread(fd, page, sizeof page, at) != sizeof page)
            return 3;
        page[random % 4096]++;
        if (i % 4 == 0 && pwrite(fd, page, sizeof page, at) != sizeof page)
            return 4;
        if (i % 1000 == 0 && fsync(fd) != 0)
            return 5;
    }
    return close(fd);
}
