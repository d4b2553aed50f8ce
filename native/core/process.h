#pragma once

#include <vector>

namespace vcap {

/**
 * Has the kernel end this process when the thread that started it ends, whatever this process is doing then (Linux; no
 * more than what the parent's pipes tell elsewhere).
 */
void end_with_parent();

/**
 * Lets every thread of this process, and those that they start, run on these processors alone (Linux; without effect
 * elsewhere, as on a system that refuses). Memory that they touch first then lies near these processors.
 */
void run_on_cpus(const std::vector<int> & cpus);

}   // namespace vcap
