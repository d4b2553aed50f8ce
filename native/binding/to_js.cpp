#include "binding/to_js.h"

#include <variant>

#include "binding/names.h"
#include "binding/values.h"
#include "core/error.h"

namespace vcap {
namespace {

/** NativePooling. */
Napi::Object to_js(Napi::Env env, const Pooling & pooling) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("stride", pooling.stride);
    object.Set("mode", name_of(pooling.mode));
    object.Set("place", pooling.before_projector ? "before" : "after");
    object.Set("newline", name_of(pooling.newline));
    return object;
}

/** NativeVision. */
Napi::Object to_js(Napi::Env env, const VisionFacts & vision) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("tileSize", vision.tile_size);
    object.Set("patchSize", vision.patch_size);
    object.Set("pinpoints", to_array(env, vision.pinpoints, [env](const std::pair<int, int> & pair) {
                   return to_array(env, std::vector<int32_t>{pair.first, pair.second});
               }));
    object.Set("aspect", vision.aspect);
    object.Set("merge", vision.merge);
    object.Set("featureWidth", vision.feature_width);
    object.Set("tileOperations", vision.tile_operations);
    object.Set("pooling", to_js(env, vision.pooling));
    object.Set("newline", vision.newline);
    return object;
}

/** The timings of a NativeCaption. */
Napi::Object to_js(Napi::Env env, const Timings & timings) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("preprocess", timings.preprocess);
    object.Set("queued", timings.queued);
    object.Set("vision", timings.vision);
    object.Set("prefill", timings.prefill);
    object.Set("decode", timings.decode);
    return object;
}

/** NativeCaption. */
Napi::Object to_js(Napi::Env env, const Caption & caption) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("text", caption.text);
    object.Set("tokens", to_array(env, caption.tokens));
    object.Set("finish", name_of(caption.ending));
    object.Set("promptTokens", caption.prompt_tokens);
    object.Set("imageTokens", caption.image_tokens);
    object.Set("tiles", caption.tiles);
    object.Set("framePool", caption.frame_pool);
    if (!caption.first_logits.empty()) {
        object.Set("firstLogits", to_float_array(env, caption.first_logits));
    }
    object.Set("timings", to_js(env, caption.timings));
    return object;
}

/** The NativeAnswer of a question that has no caption. */
Napi::Object to_js(Napi::Env env, const Error & error) {
    Napi::Object failure = Napi::Object::New(env);
    failure.Set("code", error.code());
    failure.Set("message", error.what());
    Napi::Object object = Napi::Object::New(env);
    object.Set("error", failure);
    return object;
}

}   // namespace

Napi::Object to_js(Napi::Env env, const CudaLibrary & library) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("name", library.name);
    object.Set("version", library.version);
    object.Set("path", library.path);
    if (!library.problem.empty()) {
        object.Set("problem", library.problem);
    }
    return object;
}

Napi::Object to_js(Napi::Env env, const Device & device) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("name", device.name);
    object.Set("description", device.description);
    object.Set("type", device.type);
    object.Set("memoryFree", static_cast<double>(device.memory_free));
    object.Set("memoryTotal", static_cast<double>(device.memory_total));
    if (!device.problem.empty()) {
        object.Set("problem", device.problem);
    }
    return object;
}

Napi::Object to_js(Napi::Env env, const ModelFacts & facts) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("name", facts.name);
    object.Set("architecture", facts.architecture);
    object.Set("parameters", static_cast<double>(facts.parameters));
    object.Set("modelBytes", static_cast<double>(facts.model_bytes));
    object.Set("mmprojBytes", static_cast<double>(facts.mmproj_bytes));
    object.Set("layers", facts.layers);
    object.Set("embeddingWidth", facts.width);
    object.Set("vocabulary", facts.vocabulary);
    object.Set("contextTrained", facts.context_trained);
    object.Set("kvBytesPerPosition", static_cast<double>(facts.kv_bytes_per_position));
    object.Set("chatTemplate", facts.chat_template.name);
    object.Set("chatTemplateReason", facts.chat_template.reason);
    object.Set("vision", to_js(env, facts.vision));
    object.Set("warnings", to_array(env, facts.warnings));
    return object;
}

Napi::Object to_js(Napi::Env env, const Engine & engine) {
    Napi::Object object = to_js(env, engine.facts());
    object.Set("contextPerSequence", engine.language_model().context());
    object.Set("sequences", engine.language_model().sequences());
    object.Set("leastTokens", engine.least_tokens());
    object.Set("devices", to_array(env, engine.devices()));
    return object;
}

Napi::Object to_js(Napi::Env env, const ImageLayout & layout) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("tiles", layout.tiles);
    object.Set("tokens", layout.tokens);
    if (layout.pooling.pools()) {
        object.Set("framePool", layout.pooling.stride);
    }
    return object;
}

Napi::Object to_js(Napi::Env env, const Tokenizer & tokenizer, const PromptTokens & prompt) {
    const auto tokens = [&](const std::vector<llama_token> & part) {
        return to_array(env, part, [&](llama_token token) {
            Napi::Object object = Napi::Object::New(env);
            object.Set("id", token);
            object.Set("text", tokenizer.spelling(token));
            return object;
        });
    };
    Napi::Object object = Napi::Object::New(env);
    object.Set("before", tokens(prompt.before));
    object.Set("after", tokens(prompt.after));
    return object;
}

Napi::Array to_js(Napi::Env env, const Captions & captions) {
    return to_array(env, captions, [env](const Outcome<Caption> & outcome) {
        return std::visit([env](const auto & answer) { return to_js(env, answer); }, outcome);
    });
}

Napi::Object to_js(Napi::Env env, const Embedding & embedding) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("data", to_float_array(env, embedding.data));
    object.Set("tokens", static_cast<double>(embedding.width > 0 ? embedding.data.size() / embedding.width : 0));
    object.Set("width", embedding.width);
    object.Set("counts", to_array(env, embedding.counts));
    return object;
}

Napi::Object to_js(Napi::Env env, const EngineTime & time) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("busy", time.busy);
    object.Set("filled", time.filled);
    return object;
}

}   // namespace vcap
