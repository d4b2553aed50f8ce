#pragma once

#include <string>

namespace vcap {

/**
 * Redirects the log of llama.cpp and ggml, once for the process; later calls do nothing. Log lines are printed to
 * stderr only where the environment variable VCAP_LOG is 1. Error lines are kept for take_last_error(). May be called
 * from any thread, and must be called before anything else of llama.cpp, which it initialises.
 */
void install_log();

/**
 * Returns and clears the last error line that llama.cpp or ggml logged on the calling thread, without its newline;
 * empty where there is none. Call it once before an operation, to clear what is old, and once after it has failed, for
 * the reason.
 */
std::string take_last_error();

}   // namespace vcap
