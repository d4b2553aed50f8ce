#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* True where the path of an open file has "faulty" in it: faults are for those files alone. */
static int marked(int fd) {
    char link[64], name[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, name, sizeof name - 1);
    if (length <= 0) return 0;
    name[length] = 0;
    return strstr(name, "faulty") != NULL;
}
