#include "binding/convert.h"

#include <cstring>

#include "core/vision/pixel_pool.h"

namespace vcap {
namespace {

Napi::Value field(const Napi::Object & object, const char * name) { return object.Get(name); }

std::string text(const Napi::Object & object, const char * name) {
    const Napi::Value value = field(object, name);
    if (!value.IsString()) {
        throw Error("usage", std::string("Expected a string for ") + name);
    }
    return value.As<Napi::String>();
}

double number(const Napi::Object & object, const char * name) {
    const Napi::Value value = field(object, name);
    if (!value.IsNumber()) {
        throw Error("usage", std::string("Expected a number for ") + name);
    }
    return value.As<Napi::Number>();
}

/** An integer of at least `least`; JavaScript's Infinity and whatever else is too large become INT32_MAX. */
int integer(const Napi::Object & object, const char * name, int least) {
    const double value = number(object, name);
    if (!(value >= least)) {
        throw Error("usage", std::string("Expected an integer of at least ") + std::to_string(least) + " for " + name);
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
    throw Error("usage", "Expected f32, f16 or q8_0 for kvType");
}

const char * name_of(PoolMode mode) {
    switch (mode) {
        case PoolMode::max: return "max";
        case PoolMode::bilinear: return "bilinear";
        default: return "average";
    }
}

const char * name_of(NewlinePlace place) {
    switch (place) {
        case NewlinePlace::video: return "one_token";
        case NewlinePlace::frame: return "frame";
        case NewlinePlace::row: return "grid";
        default: return "no_token";
    }
}

Napi::Object describe_pooling(Napi::Env env, const Pooling & pooling) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("stride", pooling.stride);
    object.Set("mode", name_of(pooling.mode));
    object.Set("place", pooling.before_projector ? "before" : "after");
    object.Set("newline", name_of(pooling.newline));
    return object;
}

Napi::Object describe_vision(Napi::Env env, const VisionFacts & vision) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("tileSize", vision.tile_size);
    object.Set("patchSize", vision.patch_size);
    object.Set("pinpoints", to_array(env, vision.pinpoints, [env](const std::pair<int, int> & pair) {
                   return to_numbers<int>(env, {pair.first, pair.second});
               }));
    object.Set("aspect", vision.aspect);
    object.Set("merge", vision.merge);
    object.Set("featureWidth", vision.feature_width);
    object.Set("tileOperations", vision.tile_operations);
    object.Set("pooling", describe_pooling(env, vision.pooling));
    object.Set("newline", vision.newline);
    return object;
}

/** A list whose items are converted one by one; `what` they are, for the message. */
template <typename T, typename Convert>
std::vector<T> to_list(const Napi::Value & value, const std::string & what, const Convert & convert) {
    if (!value.IsArray()) {
        throw Error("usage", "Expected a list of " + what);
    }
    const Napi::Array array = value.As<Napi::Array>();
    std::vector<T> list;
    for (uint32_t i = 0; i < array.Length(); i++) {
        list.push_back(convert(array.Get(i)));
    }
    return list;
}

/** How much each of so many devices gets, in any unit; empty where nobody says. */
std::vector<float> to_shares(const Napi::Value & value, size_t devices) {
    const std::vector<float> shares = to_list<float>(value, "numbers for tensorSplit", [](const Napi::Value & item) {
        const float share = item.IsNumber() ? item.As<Napi::Number>().FloatValue() : 0;
        if (!(share > 0)) {
            throw Error("usage", "Expected shares above 0 for tensorSplit");
        }
        return share;
    });
    if (!shares.empty() && shares.size() != devices) {
        throw Error("usage", "Expected a share for each of " + std::to_string(devices) + " devices but received " +
                                 std::to_string(shares.size()));
    }
    return shares;
}

}   // namespace

std::atomic<uint64_t> bytes_copied{0};

Napi::Value to_js_error(Napi::Env env, const Error & error) {
    Napi::Object object = Napi::Error::New(env, error.what()).Value();
    object.Set("code", error.code());
    return object;
}

std::vector<uint8_t> to_bytes(const Napi::Value & value) {
    if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
        throw Error("usage", "Expected a Uint8Array for pixels");
    }
    const Napi::Uint8Array bytes = value.As<Napi::Uint8Array>();
    bytes_copied += bytes.ByteLength();
    std::vector<uint8_t> copy = PixelPool::shared().take(bytes.ByteLength());
    copy.assign(bytes.Data(), bytes.Data() + bytes.ByteLength());
    return copy;
}

std::vector<std::string> to_strings(const Napi::Value & value) {
    return to_list<std::string>(value, "strings", [](const Napi::Value & item) { return item.ToString(); });
}

std::vector<int> to_integers(const Napi::Value & value) {
    return to_list<int>(value, "integers", [](const Napi::Value & item) { return item.ToNumber().Int32Value(); });
}

EngineOptions to_engine_options(const Napi::Object & object) {
    EngineOptions options;
    options.model = text(object, "model");
    options.mmproj = text(object, "mmproj");
    options.devices = to_strings(field(object, "devices"));
    options.split_tensors = text(object, "splitMode") == "tensor";
    options.shares = to_shares(field(object, "tensorSplit"), options.devices.size());
    options.sequences = integer(object, "sequences", 1);
    if (options.sequences > static_cast<int>(llama_max_parallel_sequences())) {
        throw Error("usage", "llama.cpp runs at most " + std::to_string(llama_max_parallel_sequences()) +
                                 " captions at once, not " + std::to_string(options.sequences));
    }
    options.context = integer(object, "contextPerSequence", 0);
    options.threads = integer(object, "threads", 0);
    options.kv_type = to_kv_type(text(object, "kvType"));
    options.chat_template = text(object, "chatTemplate");
    options.map = field(object, "mmap").ToBoolean();
    return options;
}

Detail to_detail(const std::string & name) {
    if (name == "auto") return Detail::automatic;
    if (name == "full") return Detail::full;
    if (name == "off") return Detail::overview;
    throw Error("usage", "Expected auto, full or off for detail");
}

/** One of several names; `what` they are for, for the message. */
template <typename T>
T to_named(const std::string & name, const std::vector<T> & values, const std::string & what) {
    for (const T value : values) {
        if (name == name_of(value)) {
            return value;
        }
    }
    throw Error("usage", "'" + name + "' is no " + what);
}

Pooling to_pooling(const Napi::Value & value) {
    if (value.IsUndefined()) {
        return {};
    }
    if (!value.IsObject()) {
        throw Error("usage", "Expected a pooling");
    }
    const Napi::Object object = value.As<Napi::Object>();
    Pooling pooling;
    pooling.stride = integer(object, "stride", 1);
    pooling.if_needed = field(object, "ifNeeded").ToBoolean();
    pooling.mode = to_named<PoolMode>(text(object, "mode"), {PoolMode::average, PoolMode::max, PoolMode::bilinear},
                                      "mode of pooling");
    pooling.before_projector = text(object, "place") == "before";
    pooling.newline = to_named<NewlinePlace>(
        text(object, "newline"), {NewlinePlace::none, NewlinePlace::video, NewlinePlace::frame, NewlinePlace::row},
        "place of a newline");
    return pooling;
}

Picture to_picture(const Napi::Value & value) {
    if (!value.IsObject()) {
        throw Error("usage", "Expected a picture");
    }
    const Napi::Object object = value.As<Napi::Object>();
    Picture picture;
    picture.size = {integer(object, "width", 1), integer(object, "height", 1)};
    picture.pixels = to_bytes(field(object, "data"));   // copied: JavaScript may change or detach its buffer
    return picture;
}

ImageRequest to_image_request(const Napi::Value & pictures, const Napi::Value & detail, const Napi::Value & pooling) {
    ImageRequest request;
    request.pooling = to_pooling(pooling);
    request.detail = to_detail(detail.ToString());
    request.pictures = to_list<Picture>(pictures, "pictures", to_picture);
    return request;
}

std::vector<Size> to_sizes(const Napi::Value & value) {
    return to_list<Size>(value, "sizes", [](const Napi::Value & item) {
        const Napi::Object size = item.ToObject();
        return Size{integer(size, "width", 1), integer(size, "height", 1)};
    });
}

Question to_question(const Napi::Value & value) {
    const Napi::Object object = value.ToObject();
    Question question;
    question.prompt = text(object, "prompt");
    question.max_tokens = integer(object, "maxTokens", 1);
    question.temperature = static_cast<float>(number(object, "temperature"));
    question.top_p = static_cast<float>(number(object, "topP"));
    question.seed = static_cast<uint32_t>(static_cast<int64_t>(number(object, "seed")));
    question.ignore_eos = field(object, "ignoreEos").ToBoolean();
    question.stop_loops = field(object, "repetitionStop").ToBoolean();
    if (!field(object, "grammar").IsUndefined()) {
        question.grammar = text(object, "grammar");
    }
    question.first_logits = field(object, "firstLogits").ToBoolean();
    return question;
}

CaptionRequest to_caption_request(const Napi::Object & object) {
    CaptionRequest request;
    request.images = to_image_request(field(object, "pictures"), field(object, "detail"), field(object, "pooling"));
    request.questions = to_list<Question>(field(object, "questions"), "questions", to_question);
    return request;
}

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

Napi::Object to_js(Napi::Env env, const ImageLayout & layout) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("tiles", layout.tiles);
    object.Set("tokens", layout.tokens);
    if (layout.pooling.pools()) {
        object.Set("framePool", layout.pooling.stride);
    }
    return object;
}

namespace {

const char * name_of(Ending ending) {
    switch (ending) {
        case Ending::length: return "length";
        case Ending::loop: return "loop";
        default: return "stop";
    }
}

}   // namespace

Napi::Object to_js(Napi::Env env, const Caption & caption) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("text", caption.text);
    object.Set("tokens", to_numbers(env, caption.tokens));
    object.Set("finish", name_of(caption.ending));
    object.Set("promptTokens", caption.prompt_tokens);
    object.Set("imageTokens", caption.image_tokens);
    object.Set("tiles", caption.tiles);
    object.Set("framePool", caption.frame_pool);
    if (!caption.first_logits.empty()) {
        object.Set("firstLogits", to_float_array(env, caption.first_logits));
    }
    Napi::Object timings = Napi::Object::New(env);
    timings.Set("preprocess", caption.timings.preprocess);
    timings.Set("queued", caption.timings.queued);
    timings.Set("vision", caption.timings.vision);
    timings.Set("prefill", caption.timings.prefill);
    timings.Set("decode", caption.timings.decode);
    object.Set("timings", timings);
    return object;
}

Napi::Array to_js(Napi::Env env, const Captions & captions) {
    return to_array(env, captions, [env](const Outcome<Caption> & outcome) {
        if (const Caption * caption = std::get_if<Caption>(&outcome)) {
            return to_js(env, *caption);
        }
        const Error & error = std::get<Error>(outcome);
        Napi::Object failure = Napi::Object::New(env);
        failure.Set("code", error.code());
        failure.Set("message", error.what());
        Napi::Object object = Napi::Object::New(env);
        object.Set("error", failure);
        return object;
    });
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
    object.Set("warnings",
               to_array(env, facts.warnings, [env](const std::string & text) { return Napi::String::New(env, text); }));
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

Napi::Object describe(Napi::Env env, const Engine & engine) {
    Napi::Object object = to_js(env, engine.facts());
    object.Set("contextPerSequence", engine.language_model().context());
    object.Set("sequences", engine.language_model().sequences());
    object.Set("leastTokens", engine.least_tokens());
    object.Set("devices", to_array(env, engine.devices(),
                                   [env](const std::string & name) { return Napi::String::New(env, name); }));
    return object;
}

}   // namespace vcap
