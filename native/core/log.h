#pragma once

#include <string>

namespace vcap {

/**
 * Takes llama.cpp's and ggml's log over, once a process: nothing reaches the terminal unless
 * the environment says VCAP_LOG=1; errors are kept, so that a failure can say its reason.
 */
void install_log();

/** The last error line of this thread since the last call, without newline; empty if none. */
std::string take_last_error();

}   // namespace vcap
