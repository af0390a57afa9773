// Makes a key of the algorithm that its first argument names, signs, verifies, and has another key that is trusted.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wasi/api.h>

static char path[128];

static int in(const char *uuid, const char *file, int how) {
    snprintf(path, sizeof path, "/key/%.36s/%s", uuid, file);
    return open(path, how);
}

static const char *said(long result) { return result < 0 ? strerror(errno) : "ok"; }

static long signature_at_end(int fd, void *buffer, size_t size) {
    __wasi_iovec_t vector = {buffer, size};
    __wasi_size_t got;
    errno = __wasi_fd_pread(fd, &vector, 1, UINT64_MAX, &got);
    return errno ? -1 : (long)got;
}

static long verified(int fd, const void *buffer, size_t size) {
    __wasi_ciovec_t vector = {buffer, size};
    __wasi_size_t got;
    errno = __wasi_fd_pwrite(fd, &vector, 1, UINT64_MAX, &got);
    return errno ? -1 : (long)got;
}

static void hex(const char *name, const unsigned char *raw, long size) {
    printf("%s ", name);
    for (long i = 0; i < size; i++)
        printf("%02x", raw[i]);
    puts("");
}

int main(int argc, char **argv) {
    unsigned char algorithm[4] = {0, 0, 0, (unsigned char)(argc > 1 ? atoi(argv[1]) : 7)};
    unsigned char uuid[64], other[64], signature[1024], shared[2048];
    int maker = open("/key/generate", O_RDWR);
    printf("read before %s\n", said(read(maker, uuid, 36)));
    printf("bad algorithm %s\n", said(write(maker, "\0\0\1\0", 4)));
    printf("generate %s\n", said(write(maker, algorithm, 4)));
    printf("short %s\n", said(read(maker, uuid, 35)));
    printf("uuid %s\n", said(read(maker, uuid, 36)));

    int sharing = in((char *)uuid, "share", O_RDONLY);
    long size = read(sharing, shared, sizeof shared);
    hex("shared", shared, size);
    int signing = in((char *)uuid, "sign", O_RDWR);
    write(signing, "mess", 4);
    write(signing, "age", 3);
    printf("elsewhere %s\n", said(pread(signing, signature, sizeof signature, 0)));
    long length = signature_at_end(signing, signature, sizeof signature);
    hex("signature", signature, length);
    printf("truncated %s\n", said(signature_at_end(signing, other, 10)));

    int trusting = open("/key/trust", O_RDWR);
    printf("trust %s\n", said(write(trusting, shared, size)));
    read(trusting, other, 36);
    int verifying = in((char *)other, "verify", O_WRONLY);
    write(verifying, "message", 7);
    printf("verify %s\n", said(verified(verifying, signature, length)));
    write(verifying, "!", 1);
    printf("verify another %s\n", said(verified(verifying, signature, length)));
    printf("sign as another %s\n", said(in((char *)other, "sign", O_RDWR)));
    printf("sign read-only %s\n", said(in((char *)uuid, "sign", O_RDONLY)));
    printf("remove %s\n", said(unlink(path)));
    return 0;
}
