#pragma once

#include <napi.h>

#include "core/cuda_gpus.h"
#include "core/devices.h"
#include "core/engine/engine.h"
#include "core/engine/request.h"
#include "core/language/tokenizer.h"
#include "core/model_facts.h"
#include "core/vision/vision.h"

// The core's structs as the objects that src/native/addon.ts declares.
namespace vcap {

/** NativeLibrary. */
Napi::Object to_js(Napi::Env env, const CudaLibrary & library);
/** NativeDevice. */
Napi::Object to_js(Napi::Env env, const Device & device);
/** NativeModelFacts. */
Napi::Object to_js(Napi::Env env, const ModelFacts & facts);
/** NativeModelInfo. */
Napi::Object to_js(Napi::Env env, const Engine & engine);
/** NativeImageLayout. */
Napi::Object to_js(Napi::Env env, const ImageLayout & layout);
/** NativePrompt. */
Napi::Object to_js(Napi::Env env, const Tokenizer & tokenizer, const PromptTokens & prompt);
/** A list of NativeAnswer. */
Napi::Array to_js(Napi::Env env, const Captions & captions);
/** NativeEmbedding. */
Napi::Object to_js(Napi::Env env, const Embedding & embedding);
/** NativeEngineTime. */
Napi::Object to_js(Napi::Env env, const EngineTime & time);

}   // namespace vcap
