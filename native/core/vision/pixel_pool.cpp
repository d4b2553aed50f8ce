#include "core/vision/pixel_pool.h"

#include <algorithm>

namespace vcap {
namespace {

// Some rows of three 720p frames of 2.8 MB each.
constexpr size_t MAX_KEPT_BYTES = 64 << 20;

}   // namespace

std::vector<uint8_t> PixelPool::take(size_t bytes) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto fitting = std::find_if(kept_.begin(), kept_.end(), [&](const std::vector<uint8_t> & pixels) {
        return pixels.capacity() >= bytes && pixels.capacity() / 4 <= bytes;   // a thumbnail takes no giant's memory
    });
    if (fitting == kept_.end()) {
        return {};
    }
    std::vector<uint8_t> pixels = std::move(*fitting);
    kept_.erase(fitting);
    kept_bytes_ -= pixels.capacity();
    pixels.clear();
    return pixels;
}

void PixelPool::give_back(std::vector<uint8_t> pixels) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (pixels.capacity() > MAX_KEPT_BYTES) {
        return;
    }
    kept_bytes_ += pixels.capacity();
    kept_.push_back(std::move(pixels));
    while (kept_bytes_ > MAX_KEPT_BYTES) {
        kept_bytes_ -= kept_.front().capacity();
        kept_.erase(kept_.begin());   // the oldest
    }
}

PixelPool & PixelPool::shared() {
    static PixelPool & pool = *new PixelPool;   // never destroyed: a thread may still use it when the process ends
    return pool;
}

}   // namespace vcap
