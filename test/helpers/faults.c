/*
 * A library to be preloaded: reading fails in files whose name has a marker. The file that VCAP_FAULTS names says how,
 * and is read anew at each read, so that one process can be put through many faults: "KIND PLACE", and the marker is
 * the text "faulty". Places are byte positions in the file.
 *
 *   eio     reading from PLACE on fails with EIO
 *   once    the first read that comes to PLACE fails with EIO, in whichever process; the others pass
 *   eintr   every second read is interrupted, from PLACE on
 *   short   reads give PLACE bytes at most
 *   kill    the process that comes to PLACE is killed
 *   killonce  the first process that comes to PLACE is killed, the others pass
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include "marked.h"

/* True for the one process that takes what is to happen once: it makes a file beside the orders. */
static int taken(const char * orders) {
    char name[4096];
    snprintf(name, sizeof name, "%s.taken", orders);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, name, O_CREAT | O_EXCL | O_WRONLY, 0600);
    if (fd >= 0) syscall(SYS_close, fd);
    return fd < 0;
}

/* Bytes that may be read of `count` from `position`, or -1 with errno. */
static ssize_t allowed(size_t count, off_t position) {
    static _Thread_local int turn;
    const char * orders = getenv("VCAP_FAULTS");
    char text[128] = {0}, kind[32] = {0};
    long long place = 0;
    if (!orders) return (ssize_t)count;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, orders, O_RDONLY);
    if (fd < 0) return (ssize_t)count;
    ssize_t length = syscall(SYS_read, fd, text, sizeof text - 1);
    syscall(SYS_close, fd);
    if (length <= 0 || sscanf(text, "%31s %lld", kind, &place) != 2) return (ssize_t)count;
    if (!strcmp(kind, "short")) return count < (size_t)place ? (ssize_t)count : (ssize_t)place;
    if (position + (off_t)count <= place) return (ssize_t)count;
    if (!strcmp(kind, "eintr")) {
        if (turn++ % 2) return (ssize_t)count;
        errno = EINTR;
        return -1;
    }
    int passes = (!strcmp(kind, "once") || !strcmp(kind, "killonce")) && access(orders, R_OK) == 0;
    if (position < place) return place - position;
    if (passes && taken(orders)) return (ssize_t)count;
    if (!strncmp(kind, "kill", 4)) kill(getpid(), SIGKILL);
    errno = EIO;
    return -1;
}

ssize_t read(int fd, void * bytes, size_t count) {
    if (marked(fd)) {
        ssize_t some = allowed(count, lseek(fd, 0, SEEK_CUR));
        if (some < 0) return -1;
        count = (size_t)some;
    }
    return syscall(SYS_read, fd, bytes, count);
}

ssize_t pread64(int fd, void * bytes, size_t count, off64_t position) {
    if (marked(fd)) {
        ssize_t some = allowed(count, position);
        if (some < 0) return -1;
        count = (size_t)some;
    }
    return syscall(SYS_pread64, fd, bytes, count, position);
}

ssize_t pread(int fd, void * bytes, size_t count, off_t position) { return pread64(fd, bytes, count, position); }

/* Several buffers are read as the first one alone: a short read, as any read may be. */
ssize_t readv(int fd, const struct iovec * buffers, int count) {
    if (count > 0 && marked(fd)) return read(fd, buffers[0].iov_base, buffers[0].iov_len);
    return syscall(SYS_readv, fd, buffers, count);
}

ssize_t preadv64(int fd, const struct iovec * buffers, int count, off64_t position) {
    if (count > 0 && marked(fd)) return pread64(fd, buffers[0].iov_base, buffers[0].iov_len, position);
    return syscall(SYS_preadv, fd, buffers, count, (long)position, 0L);
}

ssize_t preadv(int fd, const struct iovec * buffers, int count, off_t position) {
    return preadv64(fd, buffers, count, position);
}
