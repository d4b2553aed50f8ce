#pragma once

#include <atomic>
#include <string>
#include <vector>

#include <napi.h>

#include "core/cuda_gpus.h"
#include "core/devices.h"
#include "core/engine/engine.h"
#include "core/engine/request.h"
#include "core/error.h"
#include "core/vision/vision.h"

// Between the objects that src/native/addon.ts declares and the core's structs. TypeScript has
// validated them; what is missing or of another type still throws instead of crashing.
namespace vcap {

/** An Error of JavaScript with the core's message and `code`. */
Napi::Value to_js_error(Napi::Env env, const Error & error);

/** Runs `body`; what the core throws becomes a JS exception. */
template <typename Body>
Napi::Value guarded(Napi::Env env, Body && body) {
    try {
        return body();
    } catch (const Error & error) {
        throw Napi::Error(env, to_js_error(env, error));
    } catch (const Napi::Error &) {
        throw;
    } catch (const std::exception & error) {
        throw Napi::Error(env, to_js_error(env, Error("engine_error", error.what())));
    }
}

/**
 * Resolves a promise with what `make` returns, or rejects it with the Error or Napi::Error that it throws. Throws
 * Napi::Error where the environment is ending and neither can be done.
 */
template <typename Make>
void settle_promise(Napi::Env env, const Napi::Promise::Deferred & deferred, Make && make) {
    Napi::Value value;
    try {
        value = make();
    } catch (const Error & error) {
        deferred.Reject(to_js_error(env, error));
        return;
    } catch (const Napi::Error & error) {
        deferred.Reject(error.Value());
        return;
    }
    deferred.Resolve(value);
}

/** Copies the bytes of a Uint8Array, on the JS thread. */
std::vector<uint8_t> to_bytes(const Napi::Value & value);
/** Bytes that to_bytes() has copied since the process began: tests hold the cost of a row against it. */
extern std::atomic<uint64_t> bytes_copied;
std::vector<std::string> to_strings(const Napi::Value & value);
std::vector<int> to_integers(const Napi::Value & value);
EngineOptions to_engine_options(const Napi::Object & options);
Picture to_picture(const Napi::Value & value);
ImageRequest to_image_request(const Napi::Value & pictures, const Napi::Value & detail, const Napi::Value & pooling);
std::vector<Size> to_sizes(const Napi::Value & value);
Detail to_detail(const std::string & name);
/** Undefined: pictures that are no video's frames, which are not pooled. */
Pooling to_pooling(const Napi::Value & value);
CaptionRequest to_caption_request(const Napi::Object & request);

Napi::Object to_js(Napi::Env env, const CudaLibrary & library);
Napi::Object to_js(Napi::Env env, const Device & device);
/** NativeModelFacts. */
Napi::Object to_js(Napi::Env env, const ModelFacts & facts);
Napi::Object to_js(Napi::Env env, const ImageLayout & layout);
Napi::Object to_js(Napi::Env env, const Caption & caption);
/** A list of NativeAnswer. */
Napi::Array to_js(Napi::Env env, const Captions & captions);
Napi::Object to_js(Napi::Env env, const Embedding & embedding);
/** NativePrompt. */
Napi::Object to_js(Napi::Env env, const Tokenizer & tokenizer, const PromptTokens & prompt);
/** NativeModelInfo. */
Napi::Object describe(Napi::Env env, const Engine & engine);

}   // namespace vcap
