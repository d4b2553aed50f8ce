#include "core/log.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <mutex>

#include "llama.h"

namespace vcap {
namespace {

// Warnings that one LogCapture keeps at most: a damaged vocabulary gives one for every token.
constexpr size_t MAX_WARNINGS = 64;

// The youngest LogCapture of the thread.
thread_local LogCapture * capture = nullptr;

/** ggml's log callback. `user_data` points to a bool: whether lines are printed. */
void on_log(ggml_log_level level, const char * text, void * user_data) {
    if (*static_cast<const bool *>(user_data)) {
        std::fputs(text, stderr);
    }
    if (capture == nullptr) {
        return;
    }
    if (level == GGML_LOG_LEVEL_ERROR) {
        capture->add_error(text);
    } else if (level == GGML_LOG_LEVEL_WARN) {
        capture->add_warning(text);
    }
}

/** Length of a function's name and the colon and space after it at the start of a line; 0 where there is none. */
size_t function_prefix(const std::string & line) {
    size_t end = 0;
    while (end < line.size() && (std::isalnum(static_cast<unsigned char>(line[end])) || line[end] == '_')) {
        end++;
    }
    return line.compare(end, 2, ": ") == 0 ? end + 2 : 0;
}

/** Length of llama.cpp's "error loading model: " or "error loading model vocabulary: "; 0 where there is none. */
size_t phrase_prefix(const std::string & line) {
    const std::string start = "error loading model";
    if (line.compare(0, start.size(), start) != 0) {
        return 0;
    }
    const size_t colon = line.find(": ", start.size());
    return colon == std::string::npos ? 0 : colon + 2;
}

/** A line of the log as a person reads it: one line, without the names of functions before it. */
std::string cleaned(std::string line) {
    for (size_t prefix = 1; prefix > 0;) {
        prefix = std::max(function_prefix(line), phrase_prefix(line));
        line.erase(0, prefix);
    }
    std::replace_if(line.begin(), line.end(), [](unsigned char c) { return std::iscntrl(c) != 0; }, ' ');
    const size_t last = line.find_last_not_of(" .");
    line.erase(last == std::string::npos ? 0 : last + 1);
    line.erase(0, line.find_first_not_of(' '));
    return line;
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

LogCapture::LogCapture() : outer_(capture) { capture = this; }

LogCapture::~LogCapture() { capture = outer_; }

void LogCapture::add_error(const char * text) {
    if (cause_.empty()) {
        cause_ = cleaned(text);
    }
}

void LogCapture::add_warning(const char * text) {
    std::string line = cleaned(text);
    if (line.empty() || warnings_.size() >= MAX_WARNINGS ||
        std::find(warnings_.begin(), warnings_.end(), line) != warnings_.end()) {
        return;
    }
    warnings_.push_back(std::move(line));
}

}   // namespace vcap
