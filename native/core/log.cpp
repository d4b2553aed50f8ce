#include "core/log.h"

#include <cstdio>
#include <cstdlib>
#include <mutex>

#include "llama.h"

namespace vcap {
namespace {

// llama.cpp logs on the thread that it was called on, so what a load complains of is found by that load.
thread_local std::string last_error;

void on_log(ggml_log_level level, const char * text, void * user_data) {
    if (user_data != nullptr) {
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
        const bool print = wanted != nullptr && std::string(wanted) == "1";
        static char marker;
        llama_log_set(on_log, print ? &marker : nullptr);
        llama_backend_init();
    });
}

std::string take_last_error() {
    std::string line;
    line.swap(last_error);
    return line;
}

}   // namespace vcap
