/*
 * Preloaded by tests of what happens where the system allows no more threads: while the environment names a number in
 * VCAP_TEST_THREADS_LEFT, no more than so many run that were started since, and others fail with EAGAIN, as they do at
 * RLIMIT_NPROC.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

typedef int (*Create)(pthread_t *, const pthread_attr_t *, void * (*)(void *), void *);

struct Body {
    void * (*start)(void *);
    void * argument;
};

static atomic_int running;

static void * counted(void * body) {
    const struct Body copy = *(struct Body *)body;
    free(body);
    void * result = copy.start(copy.argument);
    atomic_fetch_sub(&running, 1);
    return result;
}

int pthread_create(pthread_t * thread, const pthread_attr_t * attributes, void * (*start)(void *), void * argument) {
    const Create create = (Create)dlsym(RTLD_NEXT, "pthread_create");
    const char * left = getenv("VCAP_TEST_THREADS_LEFT");
    if (left == NULL) return create(thread, attributes, start, argument);
    if (atomic_fetch_add(&running, 1) >= atoi(left)) {
        atomic_fetch_sub(&running, 1);
        return EAGAIN;
    }
    struct Body * body = malloc(sizeof(*body));
    *body = (struct Body){start, argument};
    return create(thread, attributes, counted, body);
}
