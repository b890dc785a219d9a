/* A disk that fails, put under a process by LD_PRELOAD: writes and syncs of files whose path contains $FAULT_PATH fail as the file $FAULT_ORDER says
   (`eio-write`, `enospc`, `short`, `eio-sync`; empty or missing: nothing fails). Each failure adds an octet to the file $FAULT_ORDER.done. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static int ordered(int fd, const char *what) {
    const char *wanted = getenv("FAULT_PATH"), *orders = getenv("FAULT_ORDER");
    if (!wanted || !orders) return 0;
    char link[64], path[4096], order[64] = "";
    int saved = errno;
    int in = syscall(SYS_openat, AT_FDCWD, orders, O_RDONLY | O_CLOEXEC, 0);
    if (in < 0) { errno = saved; return 0; }
    ssize_t got = syscall(SYS_read, in, order, sizeof order - 1);
    close(in);
    if (got <= 0 || strncmp(order, what, strlen(what))) { errno = saved; return 0; }
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = saved;
    if (length <= 0) return 0;
    path[length] = 0;
    if (!strstr(path, wanted)) return 0;
    snprintf(path, sizeof path, "%s.done", orders);
    int out = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (out >= 0) { syscall(SYS_write, out, "x", 1); close(out); }
    errno = saved;
    return 1;
}

static ssize_t failing_write(int fd, const void *data, size_t count, off_t at) {
    if (ordered(fd, "eio-write")) { errno = EIO; return -1; }
    if (ordered(fd, "enospc")) { errno = ENOSPC; return -1; }
    if (count > 1 && ordered(fd, "short")) { syscall(SYS_pwrite64, fd, data, count / 2, at); errno = ENOSPC; return -1; }
    return syscall(SYS_pwrite64, fd, data, count, at);
}

ssize_t pwrite64(int fd, const void *data, size_t count, off_t at) { return failing_write(fd, data, count, at); }
ssize_t pwrite(int fd, const void *data, size_t count, off_t at) { return failing_write(fd, data, count, at); }

static int failing_sync(int fd, long number) {
    if (ordered(fd, "eio-sync")) { errno = EIO; return -1; }
    return syscall(number, fd);
}

int fsync(int fd) { return failing_sync(fd, SYS_fsync); }
int fdatasync(int fd) { return failing_sync(fd, SYS_fdatasync); }
