#include "binding/resampling.h"

#include <cstring>
#include <vector>

#include "binding/errors.h"
#include "binding/from_js.h"
#include "core/vision/pixel_pool.h"
#include "core/vision/resample.h"

namespace vcap {
namespace {

// A side above this is no picture; products of two stay within 64 bits by far.
constexpr double MAX_SIDE = 1 << 20;

class Resampling : public Napi::AsyncWorker {
public:
    Resampling(Napi::Env env, std::vector<uint8_t> pixels, int width, int height, int new_width, int new_height)
        : Napi::AsyncWorker(env), deferred_(env), pixels_(std::move(pixels)), width_(width), height_(height),
          new_width_(new_width), new_height_(new_height) {}

    Napi::Promise promise() const { return deferred_.Promise(); }

private:
    void Execute() override {
        std::vector<uint8_t> scaled = resample_bicubic(pixels_.data(), width_, height_, new_width_, new_height_);
        PixelPool::shared().give_back(std::move(pixels_));
        pixels_ = std::move(scaled);
    }
    void OnOK() override {
        settle_promise(Env(), deferred_, [this] {
            Napi::Uint8Array array = Napi::Uint8Array::New(Env(), pixels_.size());
            std::memcpy(array.Data(), pixels_.data(), pixels_.size());
            return array;
        });
    }
    void OnError(const Napi::Error & error) override {
        deferred_.Reject(to_js_error(Env(), Error("out_of_memory", error.Message())));
    }

    Napi::Promise::Deferred deferred_;
    std::vector<uint8_t> pixels_;
    int width_, height_, new_width_, new_height_;
};

int side(const Napi::Value & value) {
    const double length = value.ToNumber();
    if (!(length >= 1 && length <= MAX_SIDE)) {
        throw Error("usage", "Expected a length in pixels from 1 to " + std::to_string(static_cast<int>(MAX_SIDE)));
    }
    return static_cast<int>(length);
}

}   // namespace

Napi::Value resample(const Napi::CallbackInfo & info) {
    const Napi::Env env = info.Env();
    return guarded(env, [&]() -> Napi::Value {
        const int width = side(info[1]);
        const int height = side(info[2]);
        std::vector<uint8_t> pixels = to_bytes(info[0]);   // copied: JavaScript may change or detach its buffer
        if (pixels.size() != 3ull * width * height) {
            throw Error("usage", "Expected " + std::to_string(3ull * width * height) + " bytes of RGB, not " +
                                     std::to_string(pixels.size()));
        }
        auto * work = new Resampling(env, std::move(pixels), width, height, side(info[3]), side(info[4]));
        work->Queue();
        return work->promise();
    });
}

}   // namespace vcap
