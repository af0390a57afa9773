// What SQLite's unix VFS asks of a POSIX system and wasi-libc does not declare. Included before SQLite's own,
// unchanged source (`-include`). One process has the files to itself, so locking always succeeds.
#ifndef WASI_PORT_H
#define WASI_PORT_H

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define F_RDLCK 0
#define F_WRLCK 1
#define F_UNLCK 2
#define F_GETLK 5
#define F_SETLK 6
#define F_SETLKW 7

static inline int wasi_port_fcntl(int fd, int command, ...) {
    (void)fd;
    (void)command;
    return 0;
}

static inline int fchown(int fd, uid_t owner, gid_t group) {
    (void)fd;
    (void)owner;
    (void)group;
    return 0;
}

static inline int wasi_port_fchmod(int fd, mode_t mode) {
    (void)fd;
    (void)mode;
    return 0;
}

static inline uid_t geteuid(void) { return 0; }

#define fcntl wasi_port_fcntl
#define fchmod wasi_port_fchmod

#endif
