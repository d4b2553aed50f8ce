/*
 * Included before every source where the addon is built for packages (VCAP_SYSROOT): the versions of functions
 * that glibc 2.28 has, instead of those that came with 2.29 and 2.30 and do the same.
 */
#pragma once

#if defined(__x86_64__)
#define VCAP_OLD_VERSION(name) __asm__(".symver " #name ", " #name "@GLIBC_2.2.5")
#elif defined(__aarch64__)
#define VCAP_OLD_VERSION(name) __asm__(".symver " #name ", " #name "@GLIBC_2.17")
#endif

/* The same numbers; errno is set by a wrapper, which costs some nanoseconds. */
VCAP_OLD_VERSION(exp);
VCAP_OLD_VERSION(exp2);
VCAP_OLD_VERSION(log);
VCAP_OLD_VERSION(log2);
VCAP_OLD_VERSION(pow);

#ifdef __cplusplus
/* Waits on the monotonic clock came with 2.30; without them libstdc++ waits on the system's and looks again. */
#include <bits/c++config.h>
#undef _GLIBCXX_USE_PTHREAD_COND_CLOCKWAIT
#undef _GLIBCXX_USE_PTHREAD_MUTEX_CLOCKLOCK
#undef _GLIBCXX_USE_PTHREAD_RWLOCK_CLOCKLOCK
#endif
