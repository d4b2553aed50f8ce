#pragma once

#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "core/error.h"

namespace vcap {

/**
 * A thread that runs `body`. `purpose` completes the sentence "No thread could be started to …". Throws engine_lost
 * where the system allows no more threads.
 */
template <typename Body>
std::thread start_thread(const std::string & purpose, Body && body) {
    try {
        return std::thread(std::forward<Body>(body));
    } catch (const std::system_error & error) {
        throw Error("engine_lost", "No thread could be started to " + purpose + " (" + error.code().message() +
                                       "): end other programs, or allow this user or container more threads");
    }
}

}   // namespace vcap
