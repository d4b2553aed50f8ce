#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace vcap {

/** The one exception of the core: a stable code for programs, a sentence for people. */
class Error : public std::runtime_error {
public:
    Error(std::string code, const std::string & message) : std::runtime_error(message), code_(std::move(code)) {}

    const std::string & code() const noexcept { return code_; }

private:
    std::string code_;
};

}   // namespace vcap
