#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "ggml.h"
#include "gguf.h"

// A GGUF file as parts that can be put together wrongly: what no writer would write.
namespace gguf_bytes {

template <typename T>
std::string raw(T value) {
    std::string bytes(sizeof(T), '\0');
    std::memcpy(bytes.data(), &value, sizeof(T));
    return bytes;
}

/** A string as GGUF has it: its length, then its bytes. */
inline std::string text(const std::string & value) { return raw<uint64_t>(value.size()) + value; }

struct Key {
    std::string name;
    uint32_t type;       // a gguf_type, or a number that is none
    std::string value;   // as it stands in the file; of a list without its type and length
    bool list = false;
    uint64_t count = 0;   // of a list's elements, as the file announces it
};

inline Key u16(const std::string & name, uint16_t value) { return {name, GGUF_TYPE_UINT16, raw(value)}; }
inline Key u32(const std::string & name, uint32_t value) { return {name, GGUF_TYPE_UINT32, raw(value)}; }
inline Key i32(const std::string & name, int32_t value) { return {name, GGUF_TYPE_INT32, raw(value)}; }
inline Key f32(const std::string & name, float value) { return {name, GGUF_TYPE_FLOAT32, raw(value)}; }
inline Key boolean(const std::string & name, bool value) { return {name, GGUF_TYPE_BOOL, raw<uint8_t>(value)}; }
inline Key string(const std::string & name, const std::string & value) { return {name, GGUF_TYPE_STRING, text(value)}; }

inline Key strings(const std::string & name, const std::vector<std::string> & values) {
    Key key{name, GGUF_TYPE_STRING, "", true, values.size()};
    for (const std::string & value : values) {
        key.value += text(value);
    }
    return key;
}

template <typename T>
Key list(const std::string & name, gguf_type type, const std::vector<T> & values) {
    return {name, static_cast<uint32_t>(type),
            std::string(reinterpret_cast<const char *>(values.data()), values.size() * sizeof(T)), true, values.size()};
}

struct Tensor {
    std::string name;
    std::vector<uint64_t> shape;
    uint32_t type;
    std::string data;
    int64_t offset_error = 0;   // added to the offset that the file states
};

struct File {
    uint32_t version = 3;
    std::vector<Key> keys;
    std::vector<Tensor> tensors;

    std::string header() const {
        std::string out = "GGUF" + raw(version) + raw<uint64_t>(tensors.size()) + raw<uint64_t>(keys.size());
        for (const Key & key : keys) {
            out += text(key.name);
            out += key.list ? raw<uint32_t>(GGUF_TYPE_ARRAY) + raw(key.type) + raw(key.count) : raw(key.type);
            out += key.value;
        }
        uint64_t offset = 0;
        for (const Tensor & tensor : tensors) {
            out += text(tensor.name) + raw<uint32_t>(static_cast<uint32_t>(tensor.shape.size()));
            for (const uint64_t length : tensor.shape) {
                out += raw(length);
            }
            out += raw(tensor.type) + raw<uint64_t>(offset + static_cast<uint64_t>(tensor.offset_error));
            offset += padded(tensor.data.size());
        }
        out.resize(padded(out.size()), '\0');
        return out;
    }

    std::string data() const {
        std::string out;
        for (const Tensor & tensor : tensors) {
            out += tensor.data;
            out.resize(padded(out.size()), '\0');
        }
        return out;
    }

    std::string bytes() const { return header() + data(); }

    Key * find(const std::string & name) {
        for (Key & key : keys) {
            if (key.name == name) return &key;
        }
        return nullptr;
    }

    static uint64_t padded(uint64_t size) { return (size + 31) / 32 * 32; }
};

}   // namespace gguf_bytes
