#pragma once

#include <string>

namespace vcap {

/**
 * Keeps a mapped file that is cut off from ending the process. The system answers a read of a page that the file no
 * longer has with the signal SIGBUS. While guards live, this class's handler of that signal maps zeros over what is
 * lost of the file, so that the reader goes on, with wrong values, and notes it: whoever computes with the mapping asks
 * lost() afterwards. A SIGBUS for another reason goes to the handler that was there before, or ends the process as
 * ever. On Linux alone; elsewhere a guard does nothing.
 */
class MappingGuard {
public:
    /** Guards all mappings of the file at `path`, those that llama.cpp makes as well. Beyond 64 guards at once: none.
     */
    explicit MappingGuard(const std::string & path);
    ~MappingGuard();
    MappingGuard(const MappingGuard &) = delete;
    MappingGuard & operator=(const MappingGuard &) = delete;

    /** Whether a page was lost since this guard was made. From any thread. */
    bool lost() const;

private:
    int slot_ = -1;   // in the handler's table; -1: none
};

}   // namespace vcap
