#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

namespace vcap {

/**
 * Memory of pictures that have been cut, kept for the next ones. Fresh memory is mapped page by page where it is first
 * written, which costs the JS thread more than the copy of a picture itself. Any thread.
 */
class PixelPool {
public:
    /** An empty vector with room for `bytes` where one is kept, else without. */
    std::vector<uint8_t> take(size_t bytes);
    /** Keeps the memory of a vector that nobody needs any more, within a bound. */
    void give_back(std::vector<uint8_t> pixels);

    /** The one of this process. */
    static PixelPool & shared();

private:
    std::mutex mutex_;
    std::vector<std::vector<uint8_t>> kept_;
    size_t kept_bytes_ = 0;
};

}   // namespace vcap
