#include "binding/values.h"

#include <cstring>

namespace vcap {

std::string text_of(const Napi::Object & object, const char * field) {
    const Napi::Value value = object.Get(field);
    if (!value.IsString()) {
        throw Error("usage", std::string("Expected a string for ") + field);
    }
    return value.As<Napi::String>();
}

double number_of(const Napi::Object & object, const char * field) {
    const Napi::Value value = object.Get(field);
    if (!value.IsNumber()) {
        throw Error("usage", std::string("Expected a number for ") + field);
    }
    return value.As<Napi::Number>();
}

int integer_of(const Napi::Object & object, const char * field, int least) {
    const double value = number_of(object, field);
    if (!(value >= least)) {
        throw Error("usage", std::string("Expected an integer of at least ") + std::to_string(least) + " for " + field);
    }
    return value >= INT32_MAX ? INT32_MAX : static_cast<int>(value);
}

std::vector<std::string> to_strings(const Napi::Value & value) {
    return to_list<std::string>(value, "strings", [](const Napi::Value & item) { return item.ToString(); });
}

std::vector<int> to_integers(const Napi::Value & value) {
    return to_list<int>(value, "integers", [](const Napi::Value & item) { return item.ToNumber().Int32Value(); });
}

Napi::Array to_array(Napi::Env env, const std::vector<std::string> & texts) {
    return to_array(env, texts, [env](const std::string & text) { return Napi::String::New(env, text); });
}

Napi::Array to_array(Napi::Env env, const std::vector<int32_t> & numbers) {
    return to_array(env, numbers, [env](int32_t number) { return Napi::Number::New(env, number); });
}

Napi::Float32Array to_float_array(Napi::Env env, const std::vector<float> & values) {
    Napi::Float32Array array = Napi::Float32Array::New(env, values.size());
    if (!values.empty()) {
        std::memcpy(array.Data(), values.data(), values.size() * sizeof(float));
    }
    return array;
}

}   // namespace vcap
