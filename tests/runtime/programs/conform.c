// WASI preview 1 by its functions, below an open folder: each line names what was expected and did not happen.
// Usage: conform FOLDER, where FOLDER is "." or a name below the first preopened folder.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <wasi/api.h>

#define R(name) __WASI_RIGHTS_##name
#define E(name) __WASI_ERRNO_##name

static int asked, failed;
static const char *about;

static void check(int good, const char *what) {
    asked++;
    if (!good) {
        failed++;
        printf("%s: %s\n", about, what);
    }
}

static void answers(__wasi_errno_t got, const char *what, int count, ...) {
    char line[160];
    va_list wanted;
    int good = 0;
    va_start(wanted, count);
    for (int i = 0; i < count; i++)
        good |= va_arg(wanted, int) == got;
    va_end(wanted);
    snprintf(line, sizeof line, "%s answers %d", what, got);
    check(good, line);
}

#define IS(call, error) answers(call, #call, 1, error)
#define OK(call) IS(call, 0)
#define ONE_OF(call, ...) answers(call, #call, sizeof((int[]){__VA_ARGS__}) / sizeof(int), __VA_ARGS__)

static __wasi_errno_t path_open(int dir, int lookup, const char *path, int how, __wasi_rights_t base,
                                __wasi_rights_t inherit, int flags, __wasi_fd_t *fd) {
    return __wasi_path_open(dir, lookup, path, how, base, inherit, flags, fd);
}

#define CREAT __WASI_OFLAGS_CREAT
#define DIRECTORY __WASI_OFLAGS_DIRECTORY
#define EXCL __WASI_OFLAGS_EXCL
#define TRUNC __WASI_OFLAGS_TRUNC
#define FOLLOW __WASI_LOOKUPFLAGS_SYMLINK_FOLLOW

static void create(int dir, const char *name) {
    __wasi_fd_t fd = 0;
    OK(path_open(dir, 0, name, CREAT, 0, 0, 0, &fd));
    check(fd > 2, "a new file has one of the first three numbers");
    OK(__wasi_fd_close(fd));
}

static __wasi_errno_t put(int fd, const void *raw, size_t size, __wasi_size_t *done) {
    __wasi_ciovec_t vector = {raw, size};
    return __wasi_fd_write(fd, &vector, 1, done);
}

static __wasi_errno_t get(int fd, void *raw, size_t size, __wasi_size_t *done) {
    __wasi_iovec_t vector = {raw, size};
    return __wasi_fd_read(fd, &vector, 1, done);
}

static void preopened(void) {
    __wasi_prestat_t found;
    __wasi_fdstat_t stat;
    __wasi_fd_t fd = 0;
    char name[64];
    about = "preopened";
    OK(__wasi_fd_prestat_get(3, &found));
    check(found.tag == __WASI_PREOPENTYPE_DIR, "descriptor 3 is no folder");
    ONE_OF(__wasi_fd_prestat_dir_name(3, (uint8_t *)name, 0), E(INVAL), E(NAMETOOLONG));
    OK(__wasi_fd_prestat_dir_name(3, (uint8_t *)name, found.u.dir.pr_name_len + 1));
    OK(__wasi_fd_fdstat_get(3, &stat));
    __wasi_rights_t base = R(PATH_CREATE_DIRECTORY) | R(PATH_CREATE_FILE) | R(PATH_LINK_SOURCE) | R(PATH_LINK_TARGET)
        | R(PATH_OPEN) | R(FD_READDIR) | R(PATH_READLINK) | R(PATH_RENAME_SOURCE) | R(PATH_RENAME_TARGET)
        | R(PATH_SYMLINK) | R(PATH_REMOVE_DIRECTORY) | R(PATH_UNLINK_FILE) | R(PATH_FILESTAT_GET)
        | R(PATH_FILESTAT_SET_TIMES) | R(FD_FILESTAT_GET) | R(FD_FILESTAT_SET_TIMES);
    __wasi_rights_t file = R(FD_DATASYNC) | R(FD_READ) | R(FD_SEEK) | R(FD_FDSTAT_SET_FLAGS) | R(FD_SYNC) | R(FD_TELL)
        | R(FD_WRITE) | R(FD_ADVISE) | R(FD_ALLOCATE) | R(FD_FILESTAT_SET_SIZE) | R(POLL_FD_READWRITE);
    check((stat.fs_rights_base & base) == base, "a folder's rights");
    check((stat.fs_rights_inheriting & (base | file)) == (base | file), "a folder's inheriting rights");
    check(!(stat.fs_rights_base & (R(FD_SEEK) | R(FD_FILESTAT_SET_SIZE))), "a folder can be sought in, or has a size");
    OK(path_open(3, 0, ".", 0, stat.fs_rights_base, stat.fs_rights_inheriting, 0, &fd));
    OK(path_open(3, 0, ".", 0, 0, 0, 0, &fd));
    OK(path_open(3, 0, ".", DIRECTORY, 0, 0, 0, &fd));
    OK(path_open(3, 0, ".", DIRECTORY, R(FD_READ), 0, 0, &fd));
    IS(path_open(3, 0, ".", DIRECTORY, R(FD_READ) | R(FD_WRITE), 0, 0, &fd), E(ISDIR));
    OK(path_open(3, 0, ".", 0, 0, 0, __WASI_FDFLAGS_NONBLOCK, &fd));
}

static void folders(int d) {
    __wasi_filestat_t stat;
    __wasi_fdstat_t fdstat;
    __wasi_filesize_t at;
    __wasi_size_t done;
    __wasi_fd_t fd = 0;
    char raw[16];
    __wasi_iovec_t vector = {(uint8_t *)raw, sizeof raw};
    __wasi_ciovec_t outward = {(uint8_t *)raw, sizeof raw};
    about = "folders";
    OK(__wasi_fd_filestat_get(d, &stat));
    check(stat.filetype == __WASI_FILETYPE_DIRECTORY, "a folder's type");
    ONE_OF(get(d, raw, 1, &done), E(ISDIR), E(BADF), E(NOTCAPABLE));
    ONE_OF(put(d, raw, 1, &done), E(ISDIR), E(BADF), E(NOTCAPABLE));
    ONE_OF(__wasi_fd_pread(d, &vector, 1, 0, &done), E(ISDIR), E(BADF), E(NOTCAPABLE));
    ONE_OF(__wasi_fd_pwrite(d, &outward, 1, 0, &done), E(ISDIR), E(BADF), E(NOTCAPABLE));
    for (int whence = 0; whence < 3; whence++)
        ONE_OF(__wasi_fd_seek(d, 0, whence, &at), E(ISDIR), E(BADF), E(NOTCAPABLE));
    ONE_OF(__wasi_fd_tell(d, &at), E(ISDIR), E(BADF), E(NOTCAPABLE));
    ONE_OF(__wasi_fd_allocate(d, 0, 1), E(ISDIR), E(BADF), E(NOTCAPABLE));
    ONE_OF(__wasi_fd_filestat_set_size(d, 0), E(ISDIR), E(INVAL), E(BADF), E(NOTCAPABLE));
    OK(__wasi_path_create_directory(d, "sub"));
    OK(path_open(d, 0, "sub", DIRECTORY, R(FD_SEEK), 0, 0, &fd));
    ONE_OF(__wasi_fd_seek(fd, 0, 1, &at), E(ISDIR), E(BADF), E(NOTCAPABLE));
    OK(__wasi_fd_fdstat_get(fd, &fdstat));
    check(!(fdstat.fs_rights_base & R(FD_SEEK)), "a folder has got the right to seek");
    OK(__wasi_fd_close(fd));
    create(d, "sub/file");
    IS(__wasi_path_remove_directory(d, "sub"), E(NOTEMPTY));
    OK(__wasi_path_unlink_file(d, "sub/file"));
    OK(__wasi_path_remove_directory(d, "sub/"));
    create(d, "file");
    IS(__wasi_path_remove_directory(d, "file"), E(NOTDIR));
    IS(__wasi_path_remove_directory(d, "file/"), E(NOTDIR));
    OK(path_open(d, 0, "file", 0, 0, 0, 0, &fd));
    ONE_OF(path_open(fd, 0, "x", CREAT, 0, 0, 0, &fd), E(NOTDIR), E(NOTCAPABLE));
    OK(__wasi_fd_close(fd));
    IS(path_open(d, 0, "file", CREAT | EXCL, 0, 0, 0, &fd), E(EXIST));
    IS(path_open(d, 0, "none", 0, 0, 0, 0, &fd), E(NOENT));
    IS(path_open(d, 0, "none", DIRECTORY, 0, 0, 0, &fd), E(NOENT));
    OK(__wasi_path_unlink_file(d, "file"));
    OK(__wasi_path_create_directory(d, "dir"));
    IS(__wasi_path_unlink_file(d, "dir"), E(ISDIR));
    IS(__wasi_path_unlink_file(d, "dir/"), E(ISDIR));
    OK(__wasi_path_remove_directory(d, "dir"));
    create(d, "file");
    IS(__wasi_path_unlink_file(d, "file/"), E(NOTDIR));
    OK(__wasi_path_unlink_file(d, "file"));
}

static void paths(int d) {
    __wasi_fd_t fd = 0;
    about = "paths";
    OK(__wasi_path_create_directory(d, "dir"));
    OK(__wasi_path_create_directory(d, "dir/nested"));
    create(d, "dir/nested/file");
    ONE_OF(path_open(d, 0, "/dir/nested/file", 0, 0, 0, 0, &fd), E(PERM), E(NOTCAPABLE));
    OK(path_open(d, 0, "dir/.//nested/../../dir/nested/../nested///./file", 0, 0, 0, 0, &fd));
    OK(__wasi_fd_close(fd));
    ONE_OF(path_open(d, 0, "dir/nested/file/", 0, 0, 0, 0, &fd), E(NOTDIR), E(NOENT));
    ONE_OF(path_open(d, 0, "dir/nested/file///", 0, 0, 0, 0, &fd), E(NOTDIR), E(NOENT));
    OK(path_open(d, 0, "dir/nested///", 0, 0, 0, 0, &fd));
    OK(__wasi_fd_close(fd));
    ONE_OF(path_open(d, 0, "dir/nested/../../../x/dir/nested/file", 0, 0, 0, 0, &fd), E(PERM), E(NOTCAPABLE));
    OK(__wasi_path_unlink_file(d, "dir/nested/file"));
    OK(__wasi_path_remove_directory(d, "dir/nested"));
    OK(__wasi_path_remove_directory(d, "dir"));
}

static void links(int d) {
    __wasi_filestat_t one, two;
    __wasi_size_t used = 0;
    __wasi_fd_t fd = 0;
    char raw[10] = {0};
    about = "links";
    OK(__wasi_path_symlink("target", d, "symlink"));
    ONE_OF(path_open(d, 0, "symlink", DIRECTORY, 0, 0, 0, &fd), E(NOTDIR), E(LOOP));
    IS(path_open(d, 0, "symlink", 0, 0, 0, 0, &fd), E(LOOP));
    OK(__wasi_path_readlink(d, "symlink", (uint8_t *)raw, sizeof raw, &used));
    check(used == 6 && memcmp(raw, "target\0\0\0", 10) == 0, "the link's target");
    OK(__wasi_path_readlink(d, "symlink", (uint8_t *)raw, 4, &used));
    check(used == 4, "a short buffer holds what fits");
    create(d, "target");
    OK(path_open(d, FOLLOW, "symlink", 0, 0, 0, 0, &fd));
    OK(__wasi_fd_close(fd));
    IS(path_open(d, FOLLOW, "symlink", DIRECTORY, 0, 0, 0, &fd), E(NOTDIR));
    OK(__wasi_path_filestat_get(d, 0, "symlink", &one));
    OK(__wasi_path_filestat_get(d, FOLLOW, "symlink", &two));
    check(one.filetype == __WASI_FILETYPE_SYMBOLIC_LINK && two.filetype == __WASI_FILETYPE_REGULAR_FILE, "types");
    OK(__wasi_path_filestat_set_times(d, 0, "symlink", 0, one.mtim - 200, __WASI_FSTFLAGS_MTIM));
    OK(__wasi_path_filestat_get(d, FOLLOW, "symlink", &one));
    check(one.mtim == two.mtim, "the times of what a link points to have changed");
    OK(__wasi_path_filestat_set_times(d, FOLLOW, "symlink", 0, 12345, __WASI_FSTFLAGS_MTIM));
    OK(__wasi_path_filestat_get(d, 0, "target", &one));
    check(one.mtim == 12345, "times set through a link");
    OK(__wasi_path_link(d, 0, "target", d, "hard"));
    OK(__wasi_path_filestat_get(d, 0, "target", &one));
    OK(__wasi_path_filestat_get(d, 0, "hard", &two));
    check(one.ino == two.ino && one.dev == two.dev && two.nlink == 2, "a second name");
    IS(__wasi_path_link(d, 0, "target", d, "hard"), E(EXIST));
    IS(__wasi_path_link(d, 0, "target", d, "target"), E(EXIST));
    IS(__wasi_path_link(d, 0, "target", d, "other/"), E(NOENT));
    IS(__wasi_path_link(d, 0, "target", d, "symlink"), E(EXIST));
    ONE_OF(__wasi_path_link(d, FOLLOW, "symlink", d, "other"), E(INVAL), E(NOENT));
    OK(__wasi_path_link(d, 0, "symlink", d, "other"));
    OK(__wasi_path_unlink_file(d, "other"));
    OK(__wasi_path_create_directory(d, "sub"));
    IS(__wasi_path_link(d, 0, "target", d, "sub"), E(EXIST));
    ONE_OF(__wasi_path_link(d, 0, "sub", d, "other"), E(PERM), E(ACCES));
    IS(__wasi_path_symlink("x", d, "sub"), E(EXIST));
    IS(__wasi_path_symlink("x", d, "sub/"), E(EXIST));
    IS(__wasi_path_symlink("x", d, "new/"), E(NOENT));
    ONE_OF(__wasi_path_symlink("x", d, "target/"), E(NOTDIR), E(EXIST), E(NOENT));
    IS(__wasi_path_symlink("x", d, "target"), E(EXIST));
    check(__wasi_path_symlink("/", d, "absolute") != 0, "a link to an absolute path");
    OK(__wasi_path_unlink_file(d, "symlink"));
    OK(__wasi_path_symlink("symlink", d, "symlink"));
    IS(path_open(d, 0, "symlink", 0, 0, 0, 0, &fd), E(LOOP));
    IS(path_open(d, FOLLOW, "symlink", 0, 0, 0, 0, &fd), E(LOOP));
    OK(__wasi_path_unlink_file(d, "symlink"));
    OK(__wasi_path_symlink("sub", d, "symlink"));
    OK(path_open(d, FOLLOW, "symlink", DIRECTORY, 0, 0, 0, &fd));
    OK(__wasi_fd_close(fd));
    OK(__wasi_path_unlink_file(d, "symlink"));
    OK(__wasi_path_remove_directory(d, "sub"));
    OK(__wasi_path_unlink_file(d, "hard"));
    OK(__wasi_path_unlink_file(d, "target"));
}

static void renames(int d) {
    __wasi_fd_t fd;
    about = "renames";
    OK(__wasi_path_create_directory(d, "a"));
    OK(__wasi_path_rename(d, "a/", d, "b"));
    OK(__wasi_path_rename(d, "b", d, "a/"));
    OK(__wasi_path_rename(d, "a/", d, "b/"));
    IS(path_open(d, 0, "a", DIRECTORY, 0, 0, 0, &fd), E(NOENT));
    OK(__wasi_path_create_directory(d, "a"));
    OK(__wasi_path_rename(d, "a", d, "b"));
    OK(__wasi_path_create_directory(d, "a"));
    create(d, "b/file");
    IS(__wasi_path_rename(d, "a", d, "b"), E(NOTEMPTY));
    IS(__wasi_path_rename(d, "a", d, "b/file"), E(NOTDIR));
    IS(__wasi_path_rename(d, "b/file", d, "a"), E(ISDIR));
    create(d, "c");
    OK(__wasi_path_rename(d, "c", d, "b/file"));
    IS(path_open(d, 0, "c", 0, 0, 0, 0, &fd), E(NOENT));
    OK(__wasi_path_unlink_file(d, "b/file"));
    OK(__wasi_path_remove_directory(d, "a"));
    OK(__wasi_path_remove_directory(d, "b"));
}

static void files(int d) {
    __wasi_filestat_t stat;
    __wasi_fdstat_t fdstat;
    __wasi_filesize_t at;
    __wasi_size_t done;
    __wasi_fd_t fd = 0;
    char raw[100] = {7}, back[100];
    about = "files";
    __wasi_rights_t rights = R(FD_READ) | R(FD_WRITE) | R(FD_SEEK) | R(FD_TELL) | R(FD_FDSTAT_SET_FLAGS) | R(FD_ADVISE)
        | R(FD_ALLOCATE) | R(FD_FILESTAT_GET) | R(FD_FILESTAT_SET_SIZE) | R(FD_FILESTAT_SET_TIMES);
    OK(path_open(d, 0, "file", CREAT, rights, 0, __WASI_FDFLAGS_APPEND | __WASI_FDFLAGS_SYNC, &fd));
    OK(__wasi_fd_fdstat_get(fd, &fdstat));
    check(fdstat.fs_flags == (__WASI_FDFLAGS_APPEND | __WASI_FDFLAGS_SYNC), "flags");
    OK(__wasi_fd_close(fd));
    OK(path_open(d, 0, "file", 0, rights, 0, __WASI_FDFLAGS_APPEND, &fd));
    OK(put(fd, raw, 100, &done));
    OK(__wasi_fd_seek(fd, 0, 0, &at));
    OK(put(fd, raw, 100, &done));
    OK(__wasi_fd_tell(fd, &at));
    check(at == 200, "appending moves to the end");
    OK(__wasi_fd_fdstat_set_flags(fd, 0));
    OK(__wasi_fd_seek(fd, 0, 0, &at));
    OK(put(fd, raw, 50, &done));
    OK(__wasi_fd_seek(fd, -25, 1, &at));
    check(at == 25, "seeking back");
    OK(__wasi_fd_seek(fd, 1000, 1, &at));
    IS(__wasi_fd_seek(fd, -2000, 1, &at), E(INVAL));
    OK(__wasi_fd_filestat_get(fd, &stat));
    check(stat.size == 200, "size");
    OK(__wasi_fd_advise(fd, 10, 50, __WASI_ADVICE_NORMAL));
    OK(__wasi_fd_allocate(fd, 10, 10));
    OK(__wasi_fd_allocate(fd, 190, 20));
    OK(__wasi_fd_filestat_get(fd, &stat));
    check(stat.size == 210, "allocated size");
    OK(__wasi_fd_filestat_set_size(fd, 100));
    OK(__wasi_fd_filestat_get(fd, &stat));
    OK(__wasi_fd_filestat_set_times(fd, 0, stat.mtim - 100, __WASI_FSTFLAGS_MTIM));
    __wasi_timestamp_t wanted = stat.mtim - 100, before = stat.atim;
    OK(__wasi_fd_filestat_get(fd, &stat));
    check(stat.size == 100 && stat.mtim == wanted && stat.atim == before, "times");
    IS(__wasi_fd_filestat_set_times(fd, 1, 2, __WASI_FSTFLAGS_MTIM | __WASI_FSTFLAGS_MTIM_NOW), E(INVAL));
    IS(__wasi_fd_filestat_set_times(fd, 1, 2, __WASI_FSTFLAGS_ATIM | __WASI_FSTFLAGS_ATIM_NOW), E(INVAL));
    IS(__wasi_path_filestat_set_times(d, 0, "file", 0, 0, __WASI_FSTFLAGS_MTIM | __WASI_FSTFLAGS_MTIM_NOW), E(INVAL));
    OK(__wasi_fd_fdstat_get(fd, &fdstat));
    OK(__wasi_fd_fdstat_set_rights(fd, fdstat.fs_rights_base & ~(R(FD_READ) | R(FD_WRITE)), fdstat.fs_rights_inheriting));
    ONE_OF(get(fd, back, 4, &done), E(BADF), E(NOTCAPABLE));
    ONE_OF(put(fd, raw, 4, &done), E(BADF), E(NOTCAPABLE));
    IS(__wasi_fd_fdstat_set_rights(fd, fdstat.fs_rights_base, fdstat.fs_rights_inheriting), E(NOTCAPABLE));
    OK(__wasi_fd_close(fd));
    OK(path_open(d, 0, "file", 0, R(FD_READ), 0, 0, &fd));
    ONE_OF(put(fd, raw, 1, &done), E(BADF), E(NOTCAPABLE), E(ACCES));
    OK(get(fd, back, 100, &done));
    check(done == 100, "read");
    OK(__wasi_fd_close(fd));
    OK(path_open(d, 0, "file", 0, R(FD_WRITE), 0, 0, &fd));
    ONE_OF(get(fd, back, 1, &done), E(BADF), E(NOTCAPABLE), E(ACCES));
    OK(__wasi_fd_close(fd));
    OK(path_open(d, 0, "file", CREAT | TRUNC, R(FD_READ) | R(FD_WRITE), 0, 0, &fd));
    OK(get(fd, back, 100, &done));
    check(done == 0, "truncated");
    OK(__wasi_fd_close(fd));
    OK(__wasi_path_unlink_file(d, "file"));
}

static void numbers(int d) {
    __wasi_fdstat_t one, two;
    __wasi_fd_t from = 0, to = 0;
    about = "numbers";
    OK(path_open(d, 0, "one", CREAT, R(FD_READ) | R(FD_WRITE), 0, 0, &from));
    OK(path_open(d, 0, "two", CREAT, R(FD_READ), 0, 0, &to));
    OK(__wasi_fd_fdstat_get(from, &one));
    OK(__wasi_fd_renumber(from, to));
    IS(__wasi_fd_close(from), E(BADF));
    OK(__wasi_fd_fdstat_get(to, &two));
    check(one.fs_rights_base == two.fs_rights_base && one.fs_filetype == two.fs_filetype, "renumbered");
    IS(__wasi_fd_renumber(to, from), E(BADF));
    OK(__wasi_fd_close(to));
    OK(__wasi_path_unlink_file(d, "one"));
    OK(__wasi_path_unlink_file(d, "two"));
    IS(__wasi_sock_shutdown(1, __WASI_SDFLAGS_RD), E(NOTSOCK));
    IS(__wasi_sock_shutdown(99, __WASI_SDFLAGS_RD), E(BADF));
}

static int listed(int d, __wasi_dircookie_t cookie, __wasi_dircookie_t *next, int *names, char *last) {
    uint8_t raw[256];
    __wasi_size_t used = 0, at = 0;
    OK(__wasi_fd_readdir(d, raw, sizeof raw, cookie, &used));
    *names = 0;
    while (at + 24 <= used) {
        __wasi_dirent_t entry;
        memcpy(&entry, raw + at, 24);
        if (at + 24 + entry.d_namlen > used)
            break;
        memcpy(last, raw + at + 24, entry.d_namlen);
        last[entry.d_namlen] = 0;
        at += 24 + entry.d_namlen;
        *next = entry.d_next;
        ++*names;
    }
    return used < sizeof raw;
}

static void listings(int d) {
    __wasi_dircookie_t next = 0;
    char last[256], name[32];
    int count, total = 0, whole;
    about = "listings";
    check(listed(d, 0, &next, &count, last) && count == 2, "an empty folder has two entries");
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "file.%d", i);
        create(d, name);
    }
    next = 0;
    do {
        whole = listed(d, next, &next, &count, last);
        total += count;
    } while (!whole && count > 0);
    check(total == 302, "every entry is listed once");
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "file.%d", i);
        OK(__wasi_path_unlink_file(d, name));
    }
}

static void rights(int d) {
    __wasi_fdstat_t stat;
    __wasi_fd_t fd;
    about = "rights";
    create(d, "file");
    OK(__wasi_fd_fdstat_get(d, &stat));
    check(stat.fs_flags == 0 && stat.fs_filetype == __WASI_FILETYPE_DIRECTORY, "a folder's fdstat");
    OK(path_open(d, 0, "file", TRUNC, 0, 0, 0, &fd));
    OK(__wasi_fd_close(fd));
    __wasi_rights_t inherit = stat.fs_rights_inheriting & ~R(FD_FILESTAT_SET_SIZE);
    OK(__wasi_fd_fdstat_set_rights(d, stat.fs_rights_base, inherit));
    OK(path_open(d, 0, "file", TRUNC, 0, 0, 0, &fd));
    OK(__wasi_fd_close(fd));
    OK(__wasi_fd_fdstat_set_rights(d, stat.fs_rights_base & ~R(PATH_FILESTAT_SET_SIZE), inherit));
    ONE_OF(path_open(d, 0, "file", TRUNC, 0, 0, 0, &fd), E(PERM), E(NOTCAPABLE));
    OK(__wasi_path_unlink_file(d, "file"));
}

static void polls(void) {
    __wasi_subscription_t wanted[3] = {
        {.userdata = 1, .u = {.tag = __WASI_EVENTTYPE_FD_WRITE, .u.fd_write.file_descriptor = 1}},
        {.userdata = 2, .u = {.tag = __WASI_EVENTTYPE_FD_WRITE, .u.fd_write.file_descriptor = 2}},
        {.userdata = 3, .u = {.tag = __WASI_EVENTTYPE_CLOCK, .u.clock = {__WASI_CLOCKID_MONOTONIC, 200000000, 0, 0}}},
    };
    __wasi_event_t events[3];
    __wasi_size_t count = 0;
    about = "polls";
    OK(__wasi_poll_oneoff(wanted, events, 3, &count));
    check(count == 2, "standard output and error can be written");
    wanted[0].u.tag = __WASI_EVENTTYPE_FD_READ;
    wanted[0].u.u.fd_read.file_descriptor = 0;
    OK(__wasi_poll_oneoff(wanted, events, 1, &count));
    check(count == 1 && events[0].error == 0 && events[0].userdata == 1, "standard input");
    IS(__wasi_poll_oneoff(wanted, events, 0, &count), E(INVAL));
    OK(__wasi_sched_yield());
}

int main(int argc, char **argv) {
    __wasi_fd_t base = 0, d = 0, moved = 0;
    __wasi_fdstat_t stat;
    if (argc != 2)
        return 2;
    preopened();
    about = "main";
    OK(__wasi_fd_fdstat_get(3, &stat));
    OK(path_open(3, 0, argv[1], DIRECTORY, stat.fs_rights_base, stat.fs_rights_inheriting, 0, &base));
    OK(__wasi_path_create_directory(base, "here"));
    OK(path_open(base, 0, "here", DIRECTORY, stat.fs_rights_base, stat.fs_rights_inheriting, 0, &d));
    listings(d);
    folders(d);
    paths(d);
    links(d);
    renames(d);
    files(d);
    numbers(d);
    polls();
    rights(d);
    about = "main";
    OK(__wasi_fd_renumber(d, 3));
    IS(__wasi_fd_fdstat_get(d, &stat), E(BADF));
    OK(__wasi_fd_close(3));
    IS(__wasi_fd_fdstat_get(3, &stat), E(BADF));
    OK(__wasi_path_remove_directory(base, "here"));
    OK(path_open(base, 0, "input", CREAT, 0, 0, 0, &moved));
    OK(__wasi_fd_renumber(0, moved));
    IS(__wasi_fd_fdstat_get(0, &stat), E(BADF));
    OK(__wasi_path_unlink_file(base, "input"));
    printf("%d asked, %d failed\n", asked, failed);
    return failed != 0;
}
