#pragma once

#include <napi.h>

namespace vcap {

/**
 * loadModel(options, onProgress) of src/native/addon.ts. Starts a load on a thread of its own and returns its
 * NativeJob, whose promise rejects with whatever the core threw. Throws usage for malformed arguments.
 */
Napi::Value load_model(const Napi::CallbackInfo & info);

}   // namespace vcap
