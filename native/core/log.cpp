#include "core/log.h"

#include <cstdio>
#include <cstdlib>
#include <mutex>

#include "llama.h"

namespace vcap {
namespace {

// One for each thread, because several models may be loaded at once: llama.cpp logs the reason of a failure on the
// thread that called it.
thread_local std::string last_error;

/** ggml's log callback. `user_data` points to a bool: whether lines are printed. */
void on_log(ggml_log_level level, const char * text, void * user_data) {
    if (*static_cast<const bool *>(user_data)) {
        std::fputs(text, stderr);
    }
    if (level == GGML_LOG_LEVEL_ERROR) {
        last_error = text;
        while (!last_error.empty() && last_error.back() == '\n') {
            last_error.pop_back();
        }
    }
}

}   // namespace

void install_log() {
    static std::once_flag once;
    std::call_once(once, [] {
        const char * wanted = std::getenv("VCAP_LOG");
        static bool print;   // static, because ggml keeps the pointer
        print = wanted != nullptr && std::string(wanted) == "1";
        llama_log_set(on_log, &print);
        llama_backend_init();
    });
}

std::string take_last_error() {
    std::string line;
    line.swap(last_error);
    return line;
}

}   // namespace vcap
