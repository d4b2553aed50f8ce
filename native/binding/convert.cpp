#include "binding/convert.h"

#include <cstring>

namespace vcap {
namespace {

Napi::Value field(const Napi::Object & object, const char * name) { return object.Get(name); }

std::string text(const Napi::Object & object, const char * name) {
    const Napi::Value value = field(object, name);
    if (!value.IsString()) {
        throw Error("usage", std::string("Expected a string for ") + name + ".");
    }
    return value.As<Napi::String>();
}

double number(const Napi::Object & object, const char * name) {
    const Napi::Value value = field(object, name);
    if (!value.IsNumber()) {
        throw Error("usage", std::string("Expected a number for ") + name + ".");
    }
    return value.As<Napi::Number>();
}

/** An integer of at least `least`; JavaScript's Infinity and whatever else is too large become INT32_MAX. */
int integer(const Napi::Object & object, const char * name, int least) {
    const double value = number(object, name);
    if (!(value >= least)) {
        throw Error("usage",
                    std::string("Expected an integer of at least ") + std::to_string(least) + " for " + name + ".");
    }
    return value >= INT32_MAX ? INT32_MAX : static_cast<int>(value);
}

Napi::Float32Array to_float_array(Napi::Env env, const std::vector<float> & values) {
    Napi::Float32Array array = Napi::Float32Array::New(env, values.size());
    if (!values.empty()) {
        std::memcpy(array.Data(), values.data(), values.size() * sizeof(float));
    }
    return array;
}

template <typename T, typename Convert>
Napi::Array to_array(Napi::Env env, const std::vector<T> & values, Convert && convert) {
    Napi::Array array = Napi::Array::New(env, values.size());
    for (uint32_t i = 0; i < values.size(); i++) {
        array[i] = convert(values[i]);
    }
    return array;
}

template <typename T>
Napi::Array to_numbers(Napi::Env env, const std::vector<T> & values) {
    return to_array(env, values, [env](T value) { return Napi::Number::New(env, value); });
}

ggml_type to_kv_type(const std::string & name) {
    if (name == "f32") return GGML_TYPE_F32;
    if (name == "f16") return GGML_TYPE_F16;
    if (name == "q8_0") return GGML_TYPE_Q8_0;
    throw Error("usage", "Expected f32, f16 or q8_0 for kvType.");
}

ImageTiles to_image(const Napi::Object & object) {
    ImageTiles image;
    image.pixels = to_bytes(field(object, "pixels"));   // copied: JavaScript may change or detach its buffer
    image.width = integer(object, "width", 1);
    image.height = integer(object, "height", 1);
    image.cols = integer(object, "cols", 0);
    image.rows = integer(object, "rows", 0);
    return image;
}

Napi::Object describe_vision(Napi::Env env, const VisionConfig & vision) {
    const TileGeometry & geometry = vision.geometry;
    Napi::Object object = Napi::Object::New(env);
    object.Set("tileSize", geometry.tile_size);
    object.Set("patchSize", geometry.patch_size);
    object.Set("pinpoints", to_array(env, geometry.pinpoints, [env](const std::pair<int, int> & pair) {
                   return to_numbers<int>(env, {pair.first, pair.second});
               }));
    object.Set("aspect", geometry.aspect);
    object.Set("merge", geometry.merge);
    object.Set("width", vision.width);
    return object;
}

}   // namespace

Napi::Value to_js_error(Napi::Env env, const Error & error) {
    Napi::Object object = Napi::Error::New(env, error.what()).Value();
    object.Set("code", error.code());
    return object;
}

std::vector<uint8_t> to_bytes(const Napi::Value & value) {
    if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
        throw Error("usage", "Expected a Uint8Array for pixels.");
    }
    const Napi::Uint8Array bytes = value.As<Napi::Uint8Array>();
    return {bytes.Data(), bytes.Data() + bytes.ByteLength()};
}

std::vector<std::string> to_strings(const Napi::Value & value) {
    if (!value.IsArray()) {
        throw Error("usage", "Expected a list of strings.");
    }
    const Napi::Array array = value.As<Napi::Array>();
    std::vector<std::string> strings;
    for (uint32_t i = 0; i < array.Length(); i++) {
        strings.push_back(array.Get(i).ToString());
    }
    return strings;
}

EngineOptions to_engine_options(const Napi::Object & object) {
    EngineOptions options;
    options.model = text(object, "model");
    options.mmproj = text(object, "mmproj");
    options.devices = to_strings(field(object, "devices"));
    options.split_tensors = text(object, "splitMode") == "tensor";
    options.sequences = integer(object, "sequences", 1);
    if (options.sequences > static_cast<int>(llama_max_parallel_sequences())) {
        throw Error("usage", "llama.cpp runs at most " + std::to_string(llama_max_parallel_sequences()) +
                                 " captions at once, not " + std::to_string(options.sequences) + ".");
    }
    options.context = integer(object, "contextPerSequence", 0);
    options.threads = integer(object, "threads", 0);
    options.kv_type = to_kv_type(text(object, "kvType"));
    options.chat_template = text(object, "chatTemplate");
    return options;
}

TileGeometry to_geometry(const Napi::Object & vision) {
    TileGeometry geometry;
    geometry.tile_size = integer(vision, "tileSize", 1);
    geometry.patch_size = integer(vision, "patchSize", 1);
    geometry.aspect = text(vision, "aspect");
    geometry.merge = text(vision, "merge");
    const Napi::Value pinpoints = field(vision, "pinpoints");
    if (!pinpoints.IsArray()) {
        throw Error("usage", "Expected a list of [width, height] for pinpoints.");
    }
    const Napi::Array pairs = pinpoints.As<Napi::Array>();
    for (uint32_t i = 0; i < pairs.Length(); i++) {
        const Napi::Value pair = pairs.Get(i);
        if (!pair.IsArray()) {
            throw Error("usage", "Expected a list of [width, height] for pinpoints.");
        }
        geometry.pinpoints.emplace_back(pair.As<Napi::Object>().Get(0u).ToNumber().Int32Value(),
                                        pair.As<Napi::Object>().Get(1u).ToNumber().Int32Value());
    }
    return geometry;
}

std::vector<ImageTiles> to_images(const Napi::Value & value) {
    if (!value.IsArray()) {
        throw Error("usage", "Expected a list of images.");
    }
    const Napi::Array array = value.As<Napi::Array>();
    std::vector<ImageTiles> images;
    for (uint32_t i = 0; i < array.Length(); i++) {
        const Napi::Value image = array.Get(i);
        if (!image.IsObject()) {
            throw Error("usage", "Expected a list of images.");
        }
        images.push_back(to_image(image.As<Napi::Object>()));
    }
    return images;
}

CaptionRequest to_caption_request(const Napi::Object & object) {
    CaptionRequest request;
    request.images = to_images(field(object, "images"));
    request.prompt = text(object, "prompt");
    request.max_tokens = integer(object, "maxTokens", 1);
    request.temperature = static_cast<float>(number(object, "temperature"));
    request.top_p = static_cast<float>(number(object, "topP"));
    request.seed = static_cast<uint32_t>(static_cast<int64_t>(number(object, "seed")));
    request.ignore_eos = field(object, "ignoreEos").ToBoolean();
    request.first_logits = field(object, "firstLogits").ToBoolean();
    return request;
}

Napi::Object to_js(Napi::Env env, const Device & device) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("name", device.name);
    object.Set("description", device.description);
    object.Set("type", device.type);
    object.Set("memoryFree", static_cast<double>(device.memory_free));
    object.Set("memoryTotal", static_cast<double>(device.memory_total));
    return object;
}

Napi::Object to_js(Napi::Env env, const TileLayout & layout) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("cols", layout.cols);
    object.Set("rows", layout.rows);
    object.Set("resizedWidth", layout.resized_width);
    object.Set("resizedHeight", layout.resized_height);
    object.Set("padLeft", layout.pad_left);
    object.Set("padTop", layout.pad_top);
    object.Set("keptCols", layout.kept_cols);
    object.Set("keptRows", layout.kept_rows);
    object.Set("tiles", layout.tiles());
    object.Set("tokens", layout.tokens);
    return object;
}

Napi::Object to_js(Napi::Env env, const Caption & caption) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("text", caption.text);
    object.Set("tokens", to_numbers(env, caption.tokens));
    object.Set("finish", caption.cut ? "length" : "stop");
    object.Set("promptTokens", caption.prompt_tokens);
    object.Set("imageTokens", caption.image_tokens);
    if (!caption.first_logits.empty()) {
        object.Set("firstLogits", to_float_array(env, caption.first_logits));
    }
    Napi::Object timings = Napi::Object::New(env);
    timings.Set("queued", caption.timings.queued);
    timings.Set("vision", caption.timings.vision);
    timings.Set("prefill", caption.timings.prefill);
    timings.Set("decode", caption.timings.decode);
    object.Set("timings", timings);
    return object;
}

Napi::Object to_js(Napi::Env env, const Embedding & embedding) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("data", to_float_array(env, embedding.data));
    object.Set("tokens", static_cast<double>(embedding.width > 0 ? embedding.data.size() / embedding.width : 0));
    object.Set("width", embedding.width);
    object.Set("counts", to_numbers(env, embedding.counts));
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
    object.Set("vision", describe_vision(env, facts.vision));
    return object;
}

Napi::Object describe(Napi::Env env, const Engine & engine) {
    Napi::Object object = to_js(env, engine.facts());
    object.Set("contextPerSequence", engine.language_model().context());
    object.Set("sequences", engine.language_model().sequences());
    object.Set("devices", to_array(env, engine.devices(),
                                   [env](const std::string & name) { return Napi::String::New(env, name); }));
    return object;
}

}   // namespace vcap
