#include "core/gguf_file.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "core/error.h"
#include "core/log.h"

namespace vcap {
namespace {

// Bytes of the smallest GGUF file: the magic and the version of 4 bytes each, the counts of tensors and keys of 8.
constexpr uint64_t MIN_FILE_SIZE = 24;
// Versions that ggml reads.
constexpr uint32_t MIN_VERSION = 2;
constexpr uint32_t MAX_VERSION = 3;
// The most keys and tensors of a file. ggml compares the names of each pair of them, so that without a bound a header
// of some megabytes takes hours. The largest models have some 100 keys and 2,000 tensors.
constexpr uint64_t MAX_ENTRIES = 16384;
// ggml's CPU backend aborts on a mapped tensor whose address is no multiple of this number of bytes.
constexpr size_t MIN_ALIGNMENT = 32;

/** Refuses, by a file's first 24 bytes, what ggml would refuse without the remedy, or would be slow to read. */
void check_start(const OpenFile & file) {
    if (file.size() < MIN_FILE_SIZE) {
        file.invalid("it is no GGUF file: it has only " + std::to_string(file.size()) + " bytes");
    }
    uint8_t start[MIN_FILE_SIZE];
    file.read(0, start, sizeof(start));
    if (std::memcmp(start, "GGUF", 4) != 0) {
        file.invalid("it does not begin with GGUF; give a model in llama.cpp's GGUF format");
    }
    uint32_t version;
    std::memcpy(&version, start + 4, sizeof(version));
    if ((version & 0xffff) == 0 && version != 0) {
        file.invalid("it is a big-endian GGUF file, for processors of another kind; get the little-endian one, or "
                     "convert the model again on a machine like this one");
    }
    if (version < MIN_VERSION) {
        file.invalid("it is a GGUF file of version " + std::to_string(version) +
                     ", which llama.cpp no longer reads; convert the model again with a current llama.cpp");
    }
    if (version > MAX_VERSION) {
        file.invalid("it is a GGUF file of version " + std::to_string(version) + ", newer than version " +
                     std::to_string(MAX_VERSION) + ", the last that this release reads; get a newer release, or " +
                     "the model as a file of version " + std::to_string(MAX_VERSION));
    }
    for (const auto & [offset, what] : {std::pair{8, "tensors"}, std::pair{16, "metadata keys"}}) {
        uint64_t count;
        std::memcpy(&count, start + offset, sizeof(count));
        if (count > MAX_ENTRIES) {
            file.invalid("its header cannot be read: it announces " + std::to_string(count) + " " + what +
                         ", more than " + std::to_string(MAX_ENTRIES));
        }
    }
}

/** A type as messages name it, such as "a list of float32". */
std::string type_name(const gguf_context * gguf, int64_t id) {
    const gguf_type type = gguf_get_kv_type(gguf, id);
    return type == GGUF_TYPE_ARRAY ? std::string("a list of ") + gguf_type_name(gguf_get_arr_type(gguf, id))
                                   : gguf_type_name(type);
}

}   // namespace

GgufFile::GgufFile(const std::string & path) : file_(path) {
    install_log();
    check_start(file_);
    try {
        read_header();
    } catch (const std::bad_alloc &) {
        throw Error("out_of_memory", path + ": there is not enough memory for its header");
    }
    const size_t alignment = gguf_get_alignment(gguf_.get());
    if (alignment % MIN_ALIGNMENT != 0) {
        invalid("general.alignment is " + std::to_string(alignment) + "; expected a multiple of " +
                std::to_string(MIN_ALIGNMENT));
    }
    check_tensor_bounds();
}

/** Reads the header through the descriptor that stays open, so that it is the header of the file that is read later. */
void GgufFile::read_header() {
    ggml_context * tensors = nullptr;
    const LogCapture log;
    gguf_.reset(gguf_init_from_file_ptr(file_.stream().get(), {/*no_alloc =*/true, /*ctx =*/&tensors}));
    tensors_.reset(tensors);
    if (gguf_ == nullptr) {
        invalid("its header cannot be read" + log.reason() + "; the file is damaged or cut off, get it again");
    }
}

void GgufFile::check_tensor_bounds() const {
    const uint64_t data = gguf_get_data_offset(gguf_.get());
    for (int64_t i = 0; i < gguf_get_n_tensors(gguf_.get()); i++) {
        const uint64_t offset = gguf_get_tensor_offset(gguf_.get(), i);
        const uint64_t length = gguf_get_tensor_size(gguf_.get(), i);
        if (data > file_.size() || offset > file_.size() - data || length > file_.size() - data - offset) {
            invalid("it is cut off: tensor " + std::string(gguf_get_tensor_name(gguf_.get(), i)) +
                    " ends behind the file's " + std::to_string(file_.size()) + " bytes; download it again");
        }
    }
}

bool GgufFile::has(const std::string & key) const { return gguf_find_key(gguf_.get(), key.c_str()) >= 0; }

void GgufFile::require_type(const std::string & key, gguf_type type) const {
    const int64_t id = gguf_find_key(gguf_.get(), key.c_str());
    if (id >= 0 && gguf_get_kv_type(gguf_.get(), id) != type) {
        invalid(key + " is " + type_name(gguf_.get(), id) + "; expected " + gguf_type_name(type));
    }
}

void GgufFile::require_list(const std::string & key, const std::vector<gguf_type> & types) const {
    const int64_t id = gguf_find_key(gguf_.get(), key.c_str());
    if (id < 0) return;
    const bool list = gguf_get_kv_type(gguf_.get(), id) == GGUF_TYPE_ARRAY;
    if (list && std::find(types.begin(), types.end(), gguf_get_arr_type(gguf_.get(), id)) != types.end()) return;
    std::string expected;
    for (const gguf_type type : types) {
        expected += (expected.empty() ? "a list of " : " or ") + std::string(gguf_type_name(type));
    }
    invalid(key + " is " + type_name(gguf_.get(), id) + "; expected " + expected);
}

std::optional<std::string> GgufFile::find_string(const std::string & key) const {
    const int64_t id = gguf_find_key(gguf_.get(), key.c_str());
    if (id < 0) return std::nullopt;
    if (gguf_get_kv_type(gguf_.get(), id) != GGUF_TYPE_STRING) invalid(key + " is not a string");
    return std::string(gguf_get_val_str(gguf_.get(), id));
}

std::optional<bool> GgufFile::find_bool(const std::string & key) const {
    const int64_t id = gguf_find_key(gguf_.get(), key.c_str());
    if (id < 0) return std::nullopt;
    if (gguf_get_kv_type(gguf_.get(), id) != GGUF_TYPE_BOOL) invalid(key + " is not a boolean");
    return gguf_get_val_bool(gguf_.get(), id);
}

std::optional<double> GgufFile::find_float(const std::string & key) const {
    const int64_t id = gguf_find_key(gguf_.get(), key.c_str());
    if (id < 0) return std::nullopt;
    switch (gguf_get_kv_type(gguf_.get(), id)) {
        case GGUF_TYPE_FLOAT32: return gguf_get_val_f32(gguf_.get(), id);
        case GGUF_TYPE_FLOAT64: return gguf_get_val_f64(gguf_.get(), id);
        default: invalid(key + " is not a number");
    }
}

std::optional<int64_t> GgufFile::find_int(const std::string & key) const {
    const int64_t id = gguf_find_key(gguf_.get(), key.c_str());
    if (id < 0) return std::nullopt;
    const gguf_context * gguf = gguf_.get();
    switch (gguf_get_kv_type(gguf, id)) {
        case GGUF_TYPE_UINT8: return gguf_get_val_u8(gguf, id);
        case GGUF_TYPE_INT8: return gguf_get_val_i8(gguf, id);
        case GGUF_TYPE_UINT16: return gguf_get_val_u16(gguf, id);
        case GGUF_TYPE_INT16: return gguf_get_val_i16(gguf, id);
        case GGUF_TYPE_UINT32: return gguf_get_val_u32(gguf, id);
        case GGUF_TYPE_INT32: return gguf_get_val_i32(gguf, id);
        case GGUF_TYPE_INT64: return gguf_get_val_i64(gguf, id);
        case GGUF_TYPE_UINT64: {
            const uint64_t value = gguf_get_val_u64(gguf, id);
            if (value > INT64_MAX) invalid(key + " is " + std::to_string(value) + ", which is too large");
            return static_cast<int64_t>(value);
        }
        default: invalid(key + " is not an integer");
    }
}

std::optional<size_t> GgufFile::find_array_length(const std::string & key) const {
    const int64_t id = gguf_find_key(gguf_.get(), key.c_str());
    if (id < 0) return std::nullopt;
    if (gguf_get_kv_type(gguf_.get(), id) != GGUF_TYPE_ARRAY) invalid(key + " is not a list");
    return gguf_get_arr_n(gguf_.get(), id);
}

std::optional<gguf_type> GgufFile::find_list_type(const std::string & key) const {
    if (!find_array_length(key)) return std::nullopt;
    return gguf_get_arr_type(gguf_.get(), gguf_find_key(gguf_.get(), key.c_str()));
}

std::optional<std::vector<double>> GgufFile::find_floats(const std::string & key) const {
    const std::optional<size_t> length = find_array_length(key);
    if (!length) return std::nullopt;
    const int64_t id = gguf_find_key(gguf_.get(), key.c_str());
    if (gguf_get_arr_type(gguf_.get(), id) != GGUF_TYPE_FLOAT32) invalid(key + " is not a list of float32");
    const float * data = static_cast<const float *>(gguf_get_arr_data(gguf_.get(), id));
    return std::vector<double>(data, data + *length);
}

std::optional<std::vector<int64_t>> GgufFile::find_ints(const std::string & key) const {
    const std::optional<size_t> length = find_array_length(key);
    if (!length) return std::nullopt;
    const int64_t id = gguf_find_key(gguf_.get(), key.c_str());
    const gguf_type type = gguf_get_arr_type(gguf_.get(), id);
    if (type != GGUF_TYPE_INT32 && type != GGUF_TYPE_UINT32) invalid(key + " is not a list of 32-bit integers");
    const void * data = gguf_get_arr_data(gguf_.get(), id);
    std::vector<int64_t> values(*length);
    for (size_t i = 0; i < *length; i++) {
        values[i] = type == GGUF_TYPE_INT32 ? int64_t{static_cast<const int32_t *>(data)[i]}
                                            : int64_t{static_cast<const uint32_t *>(data)[i]};
    }
    return values;
}

std::optional<std::vector<std::string_view>> GgufFile::find_strings(const std::string & key) const {
    const std::optional<size_t> length = find_array_length(key);
    if (!length) return std::nullopt;
    const int64_t id = gguf_find_key(gguf_.get(), key.c_str());
    if (gguf_get_arr_type(gguf_.get(), id) != GGUF_TYPE_STRING) invalid(key + " is not a list of strings");
    std::vector<std::string_view> strings(*length);
    for (size_t i = 0; i < *length; i++) {
        strings[i] = gguf_get_arr_str(gguf_.get(), id, i);
    }
    return strings;
}

std::optional<int64_t> GgufFile::find_string_index(const std::string & key, const std::string & value) const {
    const std::vector<std::string_view> strings = find_strings(key).value_or(std::vector<std::string_view>());
    const auto found = std::find(strings.begin(), strings.end(), value);
    return found == strings.end() ? std::nullopt : std::optional<int64_t>(found - strings.begin());
}

int64_t GgufFile::require_int(const std::string & key, int64_t low, int64_t high) const {
    const std::optional<int64_t> value = find_int(key);
    if (!value) invalid(key + " is missing");
    if (*value < low || *value > high) {
        invalid(key + " is " + std::to_string(*value) + ", not within " + std::to_string(low) + " to " +
                std::to_string(high));
    }
    return *value;
}

const ggml_tensor * GgufFile::find_tensor(const std::string & name) const {
    return ggml_get_tensor(tensors_.get(), name.c_str());
}

const ggml_tensor * GgufFile::require_tensor(const std::string & name) const {
    const ggml_tensor * tensor = find_tensor(name);
    if (tensor == nullptr) invalid("tensor " + name + " is missing");
    return tensor;
}

std::vector<const ggml_tensor *> GgufFile::tensors() const {
    std::vector<const ggml_tensor *> all;
    for (ggml_tensor * tensor = ggml_get_first_tensor(tensors_.get()); tensor != nullptr;
         tensor = ggml_get_next_tensor(tensors_.get(), tensor)) {
        all.push_back(tensor);
    }
    return all;
}

uint64_t GgufFile::tensor_bytes() const {
    uint64_t bytes = 0;
    for (const ggml_tensor * tensor : tensors()) {
        bytes += ggml_nbytes(tensor);
    }
    return bytes;
}

uint64_t GgufFile::tensor_offset(const ggml_tensor * tensor) const {
    const int64_t id = gguf_find_tensor(gguf_.get(), ggml_get_name(tensor));
    return gguf_get_data_offset(gguf_.get()) + gguf_get_tensor_offset(gguf_.get(), id);
}

std::vector<uint8_t> GgufFile::read_tensor(const ggml_tensor * tensor) const {
    std::vector<uint8_t> data(ggml_nbytes(tensor));
    file_.read(tensor_offset(tensor), data.data(), data.size());
    return data;
}

FileMapping GgufFile::map_tensor(const ggml_tensor * tensor) const {
    return file_.map(tensor_offset(tensor), ggml_nbytes(tensor));
}

}   // namespace vcap
