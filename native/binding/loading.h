#pragma once

#include <napi.h>

namespace vcap {

/** loadModel(options, onProgress): loads on a thread of its own; returns the NativeJob. */
Napi::Value load_model(const Napi::CallbackInfo & info);

}   // namespace vcap
