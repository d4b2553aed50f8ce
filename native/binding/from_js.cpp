#include "binding/from_js.h"

#include "binding/names.h"
#include "binding/values.h"
#include "core/error.h"
#include "core/vision/pixel_pool.h"

namespace vcap {
namespace {

ggml_type to_kv_type(const std::string & name) {
    if (name == "f32") return GGML_TYPE_F32;
    if (name == "f16") return GGML_TYPE_F16;
    if (name == "q8_0") return GGML_TYPE_Q8_0;
    throw Error("usage", "Expected f32, f16 or q8_0 for kvType");
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

Size to_size(const Napi::Object & object) { return {integer_of(object, "width", 1), integer_of(object, "height", 1)}; }

Question to_question(const Napi::Value & value) {
    const Napi::Object object = value.ToObject();
    Question question;
    question.prompt = text_of(object, "prompt");
    question.max_tokens = integer_of(object, "maxTokens", 1);
    question.temperature = static_cast<float>(number_of(object, "temperature"));
    question.top_p = static_cast<float>(number_of(object, "topP"));
    question.seed = static_cast<uint32_t>(static_cast<int64_t>(number_of(object, "seed")));
    question.ignore_eos = object.Get("ignoreEos").ToBoolean();
    question.stop_loops = object.Get("repetitionStop").ToBoolean();
    if (!object.Get("grammar").IsUndefined()) {
        question.grammar = text_of(object, "grammar");
    }
    question.first_logits = object.Get("firstLogits").ToBoolean();
    return question;
}

}   // namespace

std::atomic<uint64_t> bytes_copied{0};

EngineOptions to_engine_options(const Napi::Object & object) {
    EngineOptions options;
    options.model = text_of(object, "model");
    options.mmproj = text_of(object, "mmproj");
    options.devices = to_strings(object.Get("devices"));
    options.split_tensors = text_of(object, "splitMode") == "tensor";
    options.shares = to_shares(object.Get("tensorSplit"), options.devices.size());
    options.sequences = integer_of(object, "sequences", 1);
    if (options.sequences > static_cast<int>(llama_max_parallel_sequences())) {
        throw Error("usage", "llama.cpp runs at most " + std::to_string(llama_max_parallel_sequences()) +
                                 " captions at once, not " + std::to_string(options.sequences));
    }
    options.context = integer_of(object, "contextPerSequence", 0);
    options.threads = integer_of(object, "threads", 0);
    options.kv_type = to_kv_type(text_of(object, "kvType"));
    options.chat_template = text_of(object, "chatTemplate");
    options.map = object.Get("mmap").ToBoolean();
    return options;
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

Picture to_picture(const Napi::Value & value) {
    if (!value.IsObject()) {
        throw Error("usage", "Expected a picture");
    }
    const Napi::Object object = value.As<Napi::Object>();
    Picture picture;
    picture.size = to_size(object);
    picture.pixels = to_bytes(object.Get("data"));   // copied: JavaScript may change or detach its buffer
    return picture;
}

std::vector<Size> to_sizes(const Napi::Value & value) {
    return to_list<Size>(value, "sizes", [](const Napi::Value & item) { return to_size(item.ToObject()); });
}

Detail to_detail(const std::string & name) {
    if (name == "auto") return Detail::automatic;
    if (name == "full") return Detail::full;
    if (name == "off") return Detail::overview;
    throw Error("usage", "Expected auto, full or off for detail");
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
    pooling.stride = integer_of(object, "stride", 1);
    pooling.if_needed = object.Get("ifNeeded").ToBoolean();
    pooling.mode = to_named<PoolMode>(text_of(object, "mode"), {PoolMode::average, PoolMode::max, PoolMode::bilinear},
                                      "mode of pooling");
    pooling.before_projector = text_of(object, "place") == "before";
    pooling.newline = to_named<NewlinePlace>(
        text_of(object, "newline"), {NewlinePlace::none, NewlinePlace::video, NewlinePlace::frame, NewlinePlace::row},
        "place of a newline");
    return pooling;
}

ImageRequest to_image_request(const Napi::Value & pictures, const Napi::Value & detail, const Napi::Value & pooling) {
    ImageRequest request;
    request.pooling = to_pooling(pooling);
    request.detail = to_detail(detail.ToString());
    request.pictures = to_list<Picture>(pictures, "pictures", to_picture);
    return request;
}

CaptionRequest to_caption_request(const Napi::Object & object) {
    CaptionRequest request;
    request.images = to_image_request(object.Get("pictures"), object.Get("detail"), object.Get("pooling"));
    request.questions = to_list<Question>(object.Get("questions"), "questions", to_question);
    return request;
}

}   // namespace vcap
