/*
 * A library to be preloaded: of the calls that change files whose path has "faulty" in it, the one whose number is in
 * VCAP_WRITE_FAULTS ("KIND NUMBER", from 0) fails, and with it those after it: `enospc`, `eio`; or the process is
 * `kill`ed there. At the end of the process VCAP_WRITE_COUNT names a file that is given their number.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "marked.h"

static int calls;

/* True where this call fails; `frees` where it needs no space, and a full disk lets it pass. */
static int fails(int is_marked, int frees) {
    const char * orders = getenv("VCAP_WRITE_FAULTS");
    char kind[16];
    int place;
    if (!is_marked) return 0;
    int number = __sync_fetch_and_add(&calls, 1);
    if (!orders || sscanf(orders, "%15s %d", kind, &place) != 2 || number < place) return 0;
    if (!strcmp(kind, "kill")) kill(getpid(), SIGKILL);
    if (!strcmp(kind, "enospc") && frees) return 0;
    errno = strcmp(kind, "eio") ? ENOSPC : EIO;
    return 1;
}

__attribute__((destructor)) static void tell(void) {
    const char * name = getenv("VCAP_WRITE_COUNT");
    FILE * file = name ? fopen(name, "w") : NULL;
    if (!file) return;
    fprintf(file, "%d\n", calls);
    fclose(file);
}

ssize_t write(int fd, const void * bytes, size_t count) {
    return fails(marked(fd), 0) ? -1 : syscall(SYS_write, fd, bytes, count);
}

ssize_t pwrite64(int fd, const void * bytes, size_t count, off64_t position) {
    return fails(marked(fd), 0) ? -1 : syscall(SYS_pwrite64, fd, bytes, count, position);
}

ssize_t pwrite(int fd, const void * bytes, size_t count, off_t position) {
    return pwrite64(fd, bytes, count, position);
}

int fsync(int fd) { return fails(marked(fd), 0) ? -1 : (int)syscall(SYS_fsync, fd); }

int fdatasync(int fd) { return fails(marked(fd), 0) ? -1 : (int)syscall(SYS_fdatasync, fd); }

int rename(const char * from, const char * to) {
    return fails(strstr(to, "faulty") != NULL, 0) ? -1 : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlink(const char * name) {
    return fails(strstr(name, "faulty") != NULL, 1) ? -1 : (int)syscall(SYS_unlinkat, AT_FDCWD, name, 0);
}
