#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace vcap {

/**
 * The only type of exception that the core throws itself.
 *
 * `code` is for programs: one of ErrorCode in src/errors.ts. The message is for people: sentences without a full stop
 * at the very end, as TypeScript's. It names no option of the command line, because users of the library read it, too.
 */
class Error : public std::runtime_error {
public:
    Error(std::string code, const std::string & message) : std::runtime_error(message), code_(std::move(code)) {}

    const std::string & code() const noexcept { return code_; }

private:
    std::string code_;
};

}   // namespace vcap
