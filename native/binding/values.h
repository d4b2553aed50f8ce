#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <napi.h>

#include "core/error.h"

// Texts, numbers and lists: what the objects of from_js and to_js are made of. What is read is checked: TypeScript has
// validated it, and what is missing or of another type still throws usage instead of crashing.
namespace vcap {

std::string text_of(const Napi::Object & object, const char * field);
double number_of(const Napi::Object & object, const char * field);
/** An integer of at least `least`; JavaScript's Infinity and whatever else is too large become INT32_MAX. */
int integer_of(const Napi::Object & object, const char * field, int least);

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

std::vector<std::string> to_strings(const Napi::Value & value);
std::vector<int> to_integers(const Napi::Value & value);

/** The other way: an array of what `convert` makes of each value. */
template <typename T, typename Convert>
Napi::Array to_array(Napi::Env env, const std::vector<T> & values, Convert && convert) {
    Napi::Array array = Napi::Array::New(env, values.size());
    for (uint32_t i = 0; i < values.size(); i++) {
        array[i] = convert(values[i]);
    }
    return array;
}

Napi::Array to_array(Napi::Env env, const std::vector<std::string> & texts);
Napi::Array to_array(Napi::Env env, const std::vector<int32_t> & numbers);
Napi::Float32Array to_float_array(Napi::Env env, const std::vector<float> & values);

}   // namespace vcap
