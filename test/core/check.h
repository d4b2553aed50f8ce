#pragma once

#include <cstdio>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"

// The core's tests run as one plain program, so that sanitizers see all of it.
namespace check {

struct Test {
    const char * name;
    std::function<void()> body;
};

inline std::vector<Test> & tests() {
    static std::vector<Test> all;
    return all;
}

struct Register {
    Register(const char * name, std::function<void()> body) { tests().push_back({name, std::move(body)}); }
};

[[noreturn]] inline void fail(const char * file, int line, const std::string & what) {
    throw std::runtime_error(std::string(file) + ":" + std::to_string(line) + ": " + what);
}

/** The code of the vcap::Error that `body` throws; empty if it throws none. */
inline std::string error_code(const std::function<void()> & body) {
    try {
        body();
    } catch (const vcap::Error & error) {
        return error.code();
    }
    return "";
}

}   // namespace check

#define TEST_JOIN2(a, b) a##b
#define TEST_JOIN(a, b) TEST_JOIN2(a, b)
#define TEST(name)                                                                                                     \
    static void TEST_JOIN(test_, __LINE__)();                                                                          \
    static const check::Register TEST_JOIN(register_, __LINE__)(name, TEST_JOIN(test_, __LINE__));                     \
    static void TEST_JOIN(test_, __LINE__)()
#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) check::fail(__FILE__, __LINE__, #condition);                                                 \
    } while (false)
#define CHECK_EQUAL(actual, expected)                                                                                  \
    do {                                                                                                               \
        const auto a_ = (actual);                                                                                      \
        const auto e_ = (expected);                                                                                    \
        if (!(a_ == e_))                                                                                               \
            check::fail(__FILE__, __LINE__,                                                                            \
                        std::string(#actual) + " is " + check::show(a_) + ", expected " + check::show(e_));            \
    } while (false)

namespace check {
inline std::string show(const std::string & text) { return "'" + text + "'"; }
inline std::string show(const char * text) { return std::string("'") + text + "'"; }
template <typename T>
std::string show(const T & value) {
    return std::to_string(value);
}
}   // namespace check
