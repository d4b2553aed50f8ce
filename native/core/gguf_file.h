#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/open_file.h"
#include "ggml-cpp.h"

namespace vcap {

/**
 * A GGUF file: its metadata, read with their types checked, and its tensors, checked to lie within the file. The file
 * stays open for as long as this object lives. After construction every method may be called from any thread.
 *
 * Each find_ method returns nothing (nullopt or nullptr) where the file lacks the key or tensor, and throws
 * model_invalid where a key's value has another type than the one asked for. Each require_ method throws model_invalid
 * where there is none. These messages name the file and the key or tensor.
 */
class GgufFile {
public:
    /**
     * Throws model_not_found where the file does not exist or may not be read, model_invalid where it is no GGUF that
     * this machine's llama.cpp reads, and out_of_memory.
     */
    explicit GgufFile(const std::string & path);
    GgufFile(const GgufFile &) = delete;
    GgufFile & operator=(const GgufFile &) = delete;

    const std::string & path() const { return file_.path(); }
    /** The open file itself: its size, and whether it is still what it was. */
    const OpenFile & file() const { return file_; }

    /** Whether the metadata have this key, whatever its type. */
    bool has(const std::string & key) const;
    /** Throws model_invalid where the key is there and its value has another type. */
    void require_type(const std::string & key, gguf_type type) const;
    /** Throws model_invalid where the key is there and its value is no list of one of these types. */
    void require_list(const std::string & key, const std::vector<gguf_type> & types) const;
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
    /** The type of the elements of an array. */
    std::optional<gguf_type> find_list_type(const std::string & key) const;
    /** The elements of an array of strings, as long as this object lives; up to the first NUL, as llama.cpp has them.
     */
    std::optional<std::vector<std::string_view>> find_strings(const std::string & key) const;
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
    /** Reads the data of one of this file's tensors: ggml_nbytes(tensor) bytes. Throws model_invalid. */
    std::vector<uint8_t> read_tensor(const ggml_tensor * tensor) const;
    /** Maps them instead; the mapping may outlive this object. Throws model_invalid. */
    FileMapping map_tensor(const ggml_tensor * tensor) const;

    /** Throws model_invalid. Its message is the path, a colon and `what`, which ends without a full stop. */
    [[noreturn]] void invalid(const std::string & what) const { file_.invalid(what); }

private:
    void read_header();
    void check_tensor_bounds() const;
    uint64_t tensor_offset(const ggml_tensor * tensor) const;

    OpenFile file_;
    gguf_context_ptr gguf_;
    ggml_context_ptr tensors_;   // shapes and types, without data
};

}   // namespace vcap
