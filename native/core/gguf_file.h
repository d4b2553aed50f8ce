#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ggml-cpp.h"

namespace vcap {

/**
 * A GGUF file's header, read with its types and bounds checked, and its tensors' bytes.
 * Throws model_not_found where there is no such file and model_invalid, naming file and
 * field, where it is not what it should be.
 */
class GgufFile {
public:
    explicit GgufFile(const std::string & path);
    ~GgufFile();
    GgufFile(const GgufFile &) = delete;
    GgufFile & operator=(const GgufFile &) = delete;

    const std::string & path() const { return path_; }
    uint64_t file_size() const { return size_; }

    bool has(const std::string & key) const;
    std::optional<std::string> find_string(const std::string & key) const;
    std::optional<bool> find_bool(const std::string & key) const;
    std::optional<double> find_float(const std::string & key) const;
    std::optional<int64_t> find_int(const std::string & key) const;
    std::optional<std::vector<double>> find_floats(const std::string & key) const;
    std::optional<std::vector<int64_t>> find_ints(const std::string & key) const;
    /** An array as a whole, one of its strings, and where a string stands in it. */
    std::optional<size_t> find_array_length(const std::string & key) const;
    std::optional<std::string> find_array_string(const std::string & key, size_t index) const;
    std::optional<int64_t> find_string_index(const std::string & key, const std::string & value) const;

    /** The integer of a key within [low, high]. Throws model_invalid if it is missing or outside. */
    int64_t require_int(const std::string & key, int64_t low, int64_t high) const;

    /** A tensor's shape and type, without data; nullptr where there is none. */
    const ggml_tensor * find_tensor(const std::string & name) const;
    const ggml_tensor * require_tensor(const std::string & name) const;
    std::vector<const ggml_tensor *> tensors() const;
    uint64_t tensor_bytes() const;
    /** The tensor's bytes, mapped from the file for as long as this object lives. */
    const void * tensor_data(const ggml_tensor * tensor) const;

    [[noreturn]] void invalid(const std::string & what) const;

private:
    std::string path_;
    uint64_t size_ = 0;
    gguf_context_ptr gguf_;
    ggml_context_ptr tensors_;
    const uint8_t * bytes_ = nullptr;   // the whole file, mapped read-only
};

}   // namespace vcap
