#pragma once

#include <string>
#include <vector>

namespace vcap {

/**
 * Redirects the log of llama.cpp and ggml, once for the process; later calls do nothing. Log lines are printed to
 * stderr only where the environment variable VCAP_LOG is 1; a LogCapture keeps warnings and errors. May be called from
 * any thread, and must be called before anything else of llama.cpp, which it initialises.
 */
void install_log();

/**
 * Keeps what llama.cpp and ggml log on the thread that made it, for as long as it lives; where several live, the
 * youngest keeps the lines. Several models may be loaded at once, each on a thread of its own.
 */
class LogCapture {
public:
    LogCapture();
    ~LogCapture();
    LogCapture(const LogCapture &) = delete;
    LogCapture & operator=(const LogCapture &) = delete;

    /**
     * The first error logged, which is the cause where others follow: without its newline and the names of
     * llama.cpp's functions before it; empty where there is none.
     */
    const std::string & cause() const { return cause_; }
    /** cause() in brackets behind a space, for the end of a message; empty where there is none. */
    std::string reason() const { return cause_.empty() ? "" : " (" + cause_ + ")"; }
    /** All warnings in their order, each once and cleaned as cause() is. */
    const std::vector<std::string> & warnings() const { return warnings_; }

    /** Takes a line of the log in; for the log's callback. */
    void add_error(const char * text);
    void add_warning(const char * text);

private:
    LogCapture * outer_;   // the next older one of this thread
    std::string cause_;
    std::vector<std::string> warnings_;
};

}   // namespace vcap
