#pragma once

#include <napi.h>

namespace vcap {

/** resample(pixels, width, height, newWidth, newHeight): on libuv's pool, milliseconds; resolves to the new pixels. */
Napi::Value resample(const Napi::CallbackInfo & info);

}   // namespace vcap
