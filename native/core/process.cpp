#include "core/process.h"

#ifdef __linux__
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include <sched.h>
#include <sys/prctl.h>
#endif

namespace vcap {

#ifdef __linux__

void end_with_parent() { prctl(PR_SET_PDEATHSIG, SIGKILL); }

void run_on_cpus(const std::vector<int> & cpus) {
    if (cpus.empty()) {
        return;
    }
    int most = 0;
    for (int cpu : cpus) {
        most = cpu > most ? cpu : most;
    }
    cpu_set_t * set = CPU_ALLOC(most + 1);
    if (set == nullptr) {
        return;
    }
    const size_t bytes = CPU_ALLOC_SIZE(most + 1);
    CPU_ZERO_S(bytes, set);
    for (int cpu : cpus) {
        CPU_SET_S(cpu, bytes, set);
    }
    // Linux has this for each thread: those that Node has started must be told one by one.
    std::error_code ignored;
    for (const auto & task : std::filesystem::directory_iterator("/proc/self/task", ignored)) {
        sched_setaffinity(std::atoi(task.path().filename().c_str()), bytes, set);
    }
    CPU_FREE(set);
}

#else

void end_with_parent() {}

void run_on_cpus(const std::vector<int> &) {}

#endif

}   // namespace vcap
