// Prints what every file function answers in many situations, one line each: a name and an errno.
// The first preopened folder whose name is argv[1] is where everything happens; it must be empty.
#pragma clang diagnostic ignored "-Wunused-result"
#include <stdio.h>
#include <string.h>
#include <wasi/api.h>

static __wasi_fd_t root;
static __wasi_rights_t base_rights, inheriting_rights;

static void say(const char *what, __wasi_errno_t got) { printf("%s %d\n", what, got); }

static __wasi_errno_t open_at(__wasi_fd_t folder, const char *path, int lookup, int how, __wasi_rights_t rights,
                              int flags, __wasi_fd_t *result) {
    *result = 0xffffff;
    return __wasi_path_open(folder, lookup, path, how, rights & inheriting_rights, inheriting_rights, flags, result);
}

static const __wasi_rights_t READ = __WASI_RIGHTS_FD_READ | __WASI_RIGHTS_FD_SEEK | __WASI_RIGHTS_FD_TELL |
                                    __WASI_RIGHTS_FD_FILESTAT_GET | __WASI_RIGHTS_FD_FDSTAT_SET_FLAGS;
static const __wasi_rights_t WRITE = __WASI_RIGHTS_FD_WRITE | __WASI_RIGHTS_FD_FILESTAT_SET_SIZE |
                                     __WASI_RIGHTS_FD_ALLOCATE | __WASI_RIGHTS_FD_FILESTAT_SET_TIMES;

static void opened(const char *what, const char *path, int lookup, int how, __wasi_rights_t rights) {
    __wasi_fd_t fd;
    __wasi_errno_t got = open_at(root, path, lookup, how, rights, 0, &fd);
    say(what, got);
    if (got == 0)
        __wasi_fd_close(fd);
}

static __wasi_errno_t put(__wasi_fd_t fd, const char *text, size_t *done) {
    __wasi_ciovec_t vector = {(const uint8_t *)text, strlen(text)};
    return __wasi_fd_write(fd, &vector, 1, done);
}

static void make(const char *path) {
    __wasi_fd_t fd;
    open_at(root, path, 0, __WASI_OFLAGS_CREAT, READ | WRITE, 0, &fd);
    size_t done;
    put(fd, "0123456789", &done);
    __wasi_fd_close(fd);
}

static void opening(void) {
    enum { C = __WASI_OFLAGS_CREAT, D = __WASI_OFLAGS_DIRECTORY, X = __WASI_OFLAGS_EXCL, T = __WASI_OFLAGS_TRUNC };
    opened("open missing", "f", 0, 0, READ);
    opened("open missing in missing", "a/f", 0, C, READ);
    opened("create", "f", 0, C, READ | WRITE);
    opened("create again", "f", 0, C, READ | WRITE);
    opened("create exclusively", "f", 0, C | X, READ | WRITE);
    opened("truncate", "f", 0, T, READ | WRITE);
    opened("file as folder", "f", 0, D, READ);
    opened("file with slash", "f/", 0, 0, READ);
    opened("below a file", "f/g", 0, 0, READ);
    say("mkdir", __wasi_path_create_directory(root, "d"));
    say("mkdir again", __wasi_path_create_directory(root, "d"));
    say("mkdir over file", __wasi_path_create_directory(root, "f"));
    say("mkdir with slash", __wasi_path_create_directory(root, "e/"));
    say("mkdir in missing", __wasi_path_create_directory(root, "m/e"));
    say("mkdir root", __wasi_path_create_directory(root, "."));
    opened("open folder", "d", 0, D, READ);
    opened("open folder plainly", "d", 0, 0, READ);
    opened("open folder to write", "d", 0, 0, READ | WRITE);
    opened("open folder with slash", "d/", 0, D, 0);
    opened("create folder by open", "n", 0, C | D, 0);
    opened("open dot", ".", 0, D, 0);
    opened("inside and back", "d/../f", 0, 0, READ);
    opened("inside and back twice", "d/../d/.././f", 0, 0, READ);
    opened("out", "..", 0, D, 0);
    opened("out and in", "../x/f", 0, 0, READ);
    opened("out by a folder", "d/../../f", 0, 0, READ);
    opened("absolute", "/f", 0, 0, READ);
    opened("doubled slashes", "d//..//f", 0, 0, READ);
    opened("empty", "", 0, 0, READ);
    opened("create with slash", "new/", 0, C, READ | WRITE);
}

static void links(void) {
    enum { F = __WASI_LOOKUPFLAGS_SYMLINK_FOLLOW };
    uint8_t buffer[16];
    size_t used;
    say("symlink", __wasi_path_symlink("f", root, "l"));
    say("symlink over itself", __wasi_path_symlink("f", root, "l"));
    say("symlink over folder", __wasi_path_symlink("f", root, "d"));
    say("symlink to nothing", __wasi_path_symlink("nothing", root, "dangling"));
    say("symlink to itself", __wasi_path_symlink("loop", root, "loop"));
    say("symlink to folder", __wasi_path_symlink("d", root, "ld"));
    say("symlink out", __wasi_path_symlink("../..", root, "out"));
    say("symlink absolute", __wasi_path_symlink("/etc", root, "abs"));
    opened("follow", "l", F, 0, READ);
    opened("not follow", "l", 0, 0, READ);
    opened("follow dangling", "dangling", F, 0, READ);
    opened("not follow dangling", "dangling", 0, 0, READ);
    opened("follow loop", "loop", F, 0, READ);
    opened("through folder link", "ld/../f", 0, 0, READ);
    opened("folder link", "ld", F, __WASI_OFLAGS_DIRECTORY, 0);
    opened("folder link not followed", "ld", 0, __WASI_OFLAGS_DIRECTORY, 0);
    opened("follow out", "out", F, 0, READ);
    opened("through out", "out/x", 0, 0, READ);
    say("readlink", __wasi_path_readlink(root, "l", buffer, sizeof buffer, &used));
    say("readlink length", (__wasi_errno_t)used);
    say("readlink cut", __wasi_path_readlink(root, "dangling", buffer, 3, &used));
    say("readlink cut length", (__wasi_errno_t)used);
    say("readlink of file", __wasi_path_readlink(root, "f", buffer, sizeof buffer, &used));
    say("readlink of missing", __wasi_path_readlink(root, "missing", buffer, sizeof buffer, &used));
    __wasi_filestat_t stat;
    say("stat link", __wasi_path_filestat_get(root, 0, "l", &stat));
    say("stat link type", stat.filetype);
    say("stat link size", (__wasi_errno_t)stat.size);
    say("stat followed", __wasi_path_filestat_get(root, F, "l", &stat));
    say("stat followed type", stat.filetype);
    say("stat dangling followed", __wasi_path_filestat_get(root, F, "dangling", &stat));
    say("stat loop followed", __wasi_path_filestat_get(root, F, "loop", &stat));
    say("stat file with slash", __wasi_path_filestat_get(root, 0, "f/", &stat));
    say("stat root", __wasi_path_filestat_get(root, 0, ".", &stat));
    say("stat root type", stat.filetype);
    say("link", __wasi_path_link(root, 0, "f", root, "h"));
    say("link again", __wasi_path_link(root, 0, "f", root, "h"));
    say("link count", __wasi_path_filestat_get(root, 0, "f", &stat) || (__wasi_errno_t)stat.nlink != 2);
    say("link missing", __wasi_path_link(root, 0, "missing", root, "h2"));
    say("link folder", __wasi_path_link(root, 0, "d", root, "h3"));
    say("link into missing", __wasi_path_link(root, 0, "f", root, "m/h"));
    say("link followed", __wasi_path_link(root, F, "f", root, "h4"));
    say("unlink hard link", __wasi_path_unlink_file(root, "h"));
    const char *names[] = {"l", "dangling", "loop", "ld", "out"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        say("unlink link", __wasi_path_unlink_file(root, names[i]));
}

static void removing(void) {
    make("r1");
    make("r2");
    say("unlink missing", __wasi_path_unlink_file(root, "missing"));
    say("unlink folder", __wasi_path_unlink_file(root, "d"));
    say("unlink folder with slash", __wasi_path_unlink_file(root, "d/"));
    say("unlink file with slash", __wasi_path_unlink_file(root, "r1/"));
    say("rmdir missing", __wasi_path_remove_directory(root, "missing"));
    say("rmdir file", __wasi_path_remove_directory(root, "r1"));
    say("rmdir file with slash", __wasi_path_remove_directory(root, "r1/"));
    make("d/inner");
    say("rmdir full", __wasi_path_remove_directory(root, "d"));
    say("rename file", __wasi_path_rename(root, "r1", root, "r3"));
    say("rename missing", __wasi_path_rename(root, "r1", root, "r4"));
    say("rename over file", __wasi_path_rename(root, "r3", root, "r2"));
    say("rename to itself", __wasi_path_rename(root, "r2", root, "r2"));
    say("rename file over folder", __wasi_path_rename(root, "r2", root, "e"));
    say("rename folder over file", __wasi_path_rename(root, "e", root, "r2"));
    say("rename folder over full", __wasi_path_rename(root, "e", root, "d"));
    say("rename folder over empty", __wasi_path_rename(root, "d", root, "e"));
    say("rename folder into itself", __wasi_path_rename(root, "e", root, "e/sub"));
    say("rename file with slash", __wasi_path_rename(root, "r2/", root, "r5"));
    say("rename file to slash", __wasi_path_rename(root, "r2", root, "r5/"));
    say("rename folder with slash", __wasi_path_rename(root, "e/", root, "d/"));
    say("rename out", __wasi_path_rename(root, "r2", root, "../r2"));
    say("unlink inner", __wasi_path_unlink_file(root, "d/inner"));
    say("rmdir with slash", __wasi_path_remove_directory(root, "d/"));
    say("unlink last", __wasi_path_unlink_file(root, "r2"));
    say("unlink f", __wasi_path_unlink_file(root, "f"));
}

static void reading(void) {
    __wasi_fd_t fd;
    __wasi_filesize_t at;
    __wasi_filestat_t stat;
    size_t done;
    uint8_t buffer[32] = {0};
    __wasi_iovec_t two[1] = {{buffer, 4}};
    make("t");
    open_at(root, "t", 0, 0, READ | WRITE, 0, &fd);
    say("read two", __wasi_fd_read(fd, two, 1, &done));
    say("read two count", (__wasi_errno_t)done);
    __wasi_fd_read(fd, &(__wasi_iovec_t){buffer, 32}, 1, &done);
    say("read at end", __wasi_fd_read(fd, two, 1, &done) || done);
    say("pread", __wasi_fd_pread(fd, two, 1, 8, &done));
    say("pread count", (__wasi_errno_t)done);
    say("pread beyond", __wasi_fd_pread(fd, two, 1, 100, &done) || done);
    say("seek back", __wasi_fd_seek(fd, -4, __WASI_WHENCE_CUR, &at));
    say("seek back place", (__wasi_errno_t)at);
    say("seek before start", __wasi_fd_seek(fd, -40, __WASI_WHENCE_CUR, &at));
    say("seek from end", __wasi_fd_seek(fd, 2, __WASI_WHENCE_END, &at));
    say("tell", __wasi_fd_tell(fd, &at) || at != 12);
    say("write beyond", put(fd, "xy", &done));
    say("size grew", __wasi_fd_filestat_get(fd, &stat) || stat.size != 14);
    say("hole reads zero", __wasi_fd_pread(fd, two, 1, 10, &done) || buffer[0] || buffer[1] || buffer[2] != 'x');
    say("set size", __wasi_fd_filestat_set_size(fd, 5));
    say("set size back", __wasi_fd_filestat_set_size(fd, 7));
    say("cut reads zero", __wasi_fd_pread(fd, two, 1, 4, &done) || done != 3 || buffer[0] != '4' || buffer[1]);
    say("pwrite", __wasi_fd_pwrite(fd, &(__wasi_ciovec_t){(uint8_t *)"Z", 1}, 1, 0, &done));
    say("tell unmoved", __wasi_fd_tell(fd, &at) || at != 14);
    say("append flag", __wasi_fd_fdstat_set_flags(fd, __WASI_FDFLAGS_APPEND));
    __wasi_fd_seek(fd, 0, __WASI_WHENCE_SET, &at);
    say("append", put(fd, "!", &done));
    say("append at end", __wasi_fd_filestat_get(fd, &stat) || stat.size != 8);
    say("advise", __wasi_fd_advise(fd, 0, 4, __WASI_ADVICE_WILLNEED));
    say("sync", __wasi_fd_sync(fd));
    say("datasync", __wasi_fd_datasync(fd));
    say("times", __wasi_fd_filestat_set_times(fd, 1000000000, 2000000000, __WASI_FSTFLAGS_ATIM | __WASI_FSTFLAGS_MTIM));
    say("times kept", __wasi_fd_filestat_get(fd, &stat) || stat.mtim != 2000000000 || stat.atim != 1000000000);
    say("times both ways", __wasi_fd_filestat_set_times(fd, 1, 1, __WASI_FSTFLAGS_ATIM | __WASI_FSTFLAGS_ATIM_NOW));
    say("path times", __wasi_path_filestat_set_times(root, 0, "t", 0, 3000000000, __WASI_FSTFLAGS_MTIM));
    say("path times kept", __wasi_path_filestat_get(root, 0, "t", &stat) || stat.mtim != 3000000000);
    say("close", __wasi_fd_close(fd));
    say("close again", __wasi_fd_close(fd));
    say("read closed", __wasi_fd_read(fd, two, 1, &done));
    open_at(root, "t", 0, 0, READ, 0, &fd);
    say("write to read-only", put(fd, "x", &done));
    __wasi_fd_close(fd);
    open_at(root, "t", 0, 0, WRITE, 0, &fd);
    say("read from write-only", __wasi_fd_read(fd, two, 1, &done));
    __wasi_fd_close(fd);
    __wasi_path_unlink_file(root, "t");
}

static void folders(void) {
    __wasi_fd_t fd;
    size_t done;
    uint8_t buffer[64];
    __wasi_iovec_t vector = {buffer, sizeof buffer};
    __wasi_path_create_directory(root, "z");
    open_at(root, "z", 0, __WASI_OFLAGS_DIRECTORY, base_rights, 0, &fd);
    say("list", __wasi_fd_readdir(fd, buffer, sizeof buffer, 0, &done));
    say("list bytes", done != 2 * sizeof(__wasi_dirent_t) + 3);
    say("list short", __wasi_fd_readdir(fd, buffer, 10, 0, &done) || done != 10);
    say("list from the end", __wasi_fd_readdir(fd, buffer, sizeof buffer, 2, &done) || done);
    say("read folder", __wasi_fd_read(fd, &vector, 1, &done));
    say("write folder", put(fd, "x", &done));
    say("size of folder", __wasi_fd_filestat_set_size(fd, 1));
    __wasi_filesize_t at;
    say("seek folder", __wasi_fd_seek(fd, 0, 0, &at));
    say("stat folder by fd", __wasi_fd_filestat_get(fd, &(__wasi_filestat_t){0}));
    say("path below opened", __wasi_path_create_directory(fd, "y"));
    say("up from opened", __wasi_path_create_directory(fd, "../y"));
    say("remove below opened", __wasi_path_remove_directory(fd, "y"));
    __wasi_fd_t other;
    open_at(root, "f2", 0, __WASI_OFLAGS_CREAT, READ | WRITE, 0, &other);
    say("path at file", open_at(other, "x", 0, 0, READ, 0, &(__wasi_fd_t){0}));
    say("list file", __wasi_fd_readdir(other, buffer, sizeof buffer, 0, &done));
    say("renumber", __wasi_fd_renumber(other, fd));
    say("renumber closed the source", put(other, "x", &done));
    say("renumber moved", put(fd, "x", &done));
    say("renumber missing", __wasi_fd_renumber(77, fd));
    __wasi_fd_close(fd);
    __wasi_path_unlink_file(root, "f2");
    __wasi_path_remove_directory(root, "z");
}

int main(int argc, char **argv) {
    if (argc < 2)
        return 2;
    for (root = 3;; root++) {
        __wasi_prestat_t stat;
        char name[256] = {0};
        if (__wasi_fd_prestat_get(root, &stat) != 0)
            return 3;
        if (stat.tag != 0 || stat.u.dir.pr_name_len >= sizeof name)
            continue;
        __wasi_fd_prestat_dir_name(root, (uint8_t *)name, stat.u.dir.pr_name_len);
        if (strcmp(name, argv[1]) == 0)
            break;
    }
    __wasi_fdstat_t stat;
    __wasi_fd_fdstat_get(root, &stat);
    base_rights = stat.fs_rights_base;
    inheriting_rights = stat.fs_rights_inheriting;
    if (argc > 2) {
        __wasi_fd_t below;
        if (open_at(root, argv[2], 0, __WASI_OFLAGS_DIRECTORY, base_rights, 0, &below) != 0)
            return 4;
        root = below;
    }
    opening();
    links();
    removing();
    reading();
    folders();
    return 0;
}
