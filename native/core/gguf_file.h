#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ggml-cpp.h"

namespace vcap {

/**
 * A GGUF file: its metadata, read with their types checked, and its tensors, checked to lie within the file. The file
 * stays mapped into memory for as long as this object lives. After construction every method may be called from any
 * thread.
 *
 * Each find_ method returns nothing (nullopt or nullptr) where the file lacks the key or tensor, and throws
 * model_invalid where a key's value has another type than the one asked for. Each require_ method throws model_invalid
 * where there is none. These messages name the file and the key or tensor.
 */
class GgufFile {
public:
    /** Throws model_not_found where the file does not exist or may not be read, model_invalid where it is no GGUF. */
    explicit GgufFile(const std::string & path);
    ~GgufFile();
    GgufFile(const GgufFile &) = delete;
    GgufFile & operator=(const GgufFile &) = delete;

    const std::string & path() const { return path_; }
    /** Bytes of the whole file. */
    uint64_t file_size() const { return size_; }

    /** Whether the metadata have this key, whatever its type. */
    bool has(const std::string & key) const;
    std::optional<std::string> find_string(const std::string & key) const;
    std::optional<bool> find_bool(const std::string & key) const;
    /** The value of a float32 or float64. */
    std::optional<double> find_float(const std::string & key) const;
    /** The value of an integer of any width, signed or not. */
    std::optional<int64_t> find_int(const std::string & key) const;
    /** The values of an array of float32. */
    std::optional<std::vector<double>> find_floats(const std::string & key) const;
    /** The values of an array of int32 or uint32. */
    std::optional<std::vector<int64_t>> find_ints(const std::string & key) const;
    /** The number of elements of an array of any type. */
    std::optional<size_t> find_array_length(const std::string & key) const;
    /** One element of an array of strings; nullopt also where the array has no such index. */
    std::optional<std::string> find_array_string(const std::string & key, size_t index) const;
    /** The index of the first element of an array of strings that equals `value`; nullopt also where none does. */
    std::optional<int64_t> find_string_index(const std::string & key, const std::string & value) const;

    /** The value of an integer. Throws model_invalid where it is missing or not within [low, high]. */
    int64_t require_int(const std::string & key, int64_t low, int64_t high) const;

    /** A tensor's shape and type, without its data; owned by this object. */
    const ggml_tensor * find_tensor(const std::string & name) const;
    const ggml_tensor * require_tensor(const std::string & name) const;
    /** All tensors, as find_tensor() gives them, in the file's order. */
    std::vector<const ggml_tensor *> tensors() const;
    /** Bytes of all tensors' data together. */
    uint64_t tensor_bytes() const;
    /** The data of one of this file's tensors, in the mapping: ggml_nbytes(tensor) bytes. */
    const void * tensor_data(const ggml_tensor * tensor) const;

    /** Throws model_invalid. Its message is the path, a colon and `what`, which ends without a full stop. */
    [[noreturn]] void invalid(const std::string & what) const;

private:
    std::string path_;
    uint64_t size_ = 0;   // bytes
    gguf_context_ptr gguf_;
    ggml_context_ptr tensors_;          // shapes and types, without data
    const uint8_t * bytes_ = nullptr;   // the whole file, mapped read-only
};

}   // namespace vcap
