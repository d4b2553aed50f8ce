#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include <napi.h>

#include "core/engine/engine.h"
#include "core/engine/request.h"
#include "core/vision/picture.h"

// Objects that src/native/addon.ts declares, read into the core's structs. TypeScript has validated them; what is
// missing or of another type still throws usage instead of crashing.
namespace vcap {

/** NativeLoadOptions. */
EngineOptions to_engine_options(const Napi::Object & object);

/** Copies the bytes of a Uint8Array, on the JS thread. */
std::vector<uint8_t> to_bytes(const Napi::Value & value);
/** Bytes that to_bytes() has copied since the process began: tests hold the cost of a row against it. */
extern std::atomic<uint64_t> bytes_copied;

Picture to_picture(const Napi::Value & value);
std::vector<Size> to_sizes(const Napi::Value & value);
Detail to_detail(const std::string & name);
/** Undefined: pictures that are no video's frames, which are not pooled. */
Pooling to_pooling(const Napi::Value & value);
ImageRequest to_image_request(const Napi::Value & pictures, const Napi::Value & detail, const Napi::Value & pooling);
CaptionRequest to_caption_request(const Napi::Object & object);

}   // namespace vcap
