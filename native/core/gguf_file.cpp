#include "core/gguf_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/error.h"
#include "core/log.h"

namespace vcap {
namespace {

// Bytes of the smallest GGUF file: the magic and the version of 4 bytes each, the counts of tensors and keys of 8.
constexpr uint64_t MIN_FILE_SIZE = 24;

/**
 * Maps a whole file read-only and sets `size` to its bytes; the caller unmaps it. What is no regular file is refused
 * before it is opened, because opening a FIFO would block. Throws model_not_found and model_invalid.
 */
const uint8_t * map_file(const std::string & path, uint64_t & size) {
    struct stat status;
    if (stat(path.c_str(), &status) != 0) {
        throw Error("model_not_found", "There is no model file " + path + " (" + std::strerror(errno) + ")");
    }
    if (!S_ISREG(status.st_mode)) {
        throw Error("model_invalid", path + " is not a file");
    }
    const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        throw Error("model_not_found", "The model file " + path + " cannot be read (" + std::strerror(errno) + ")");
    }
    size = static_cast<uint64_t>(status.st_size);
    void * bytes = size > 0 ? mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0) : MAP_FAILED;
    const int error = errno;
    close(descriptor);
    if (size < MIN_FILE_SIZE) {
        if (size > 0 && bytes != MAP_FAILED) {
            munmap(bytes, size);
        }
        throw Error("model_invalid", path + " is no GGUF file: it has only " + std::to_string(size) + " bytes");
    }
    if (bytes == MAP_FAILED) {
        throw Error("model_invalid", path + " cannot be mapped into memory (" + std::strerror(error) + ")");
    }
    return static_cast<const uint8_t *>(bytes);
}

}   // namespace

GgufFile::GgufFile(const std::string & path) : path_(path) {
    install_log();
    bytes_ = map_file(path, size_);
    try {
        if (std::memcmp(bytes_, "GGUF", 4) != 0) {
            invalid("it does not begin with GGUF; give a model in llama.cpp's GGUF format");
        }
        ggml_context * tensors = nullptr;
        take_last_error();
        gguf_.reset(gguf_init_from_file(path.c_str(), {/*no_alloc =*/true, /*ctx =*/&tensors}));
        tensors_.reset(tensors);
        if (gguf_ == nullptr) {
            const std::string reason = take_last_error();
            invalid("its header cannot be read" + (reason.empty() ? "" : " (" + reason + ")"));
        }
        const uint64_t data = gguf_get_data_offset(gguf_.get());
        for (int64_t i = 0; i < gguf_get_n_tensors(gguf_.get()); i++) {
            const uint64_t offset = gguf_get_tensor_offset(gguf_.get(), i);
            const uint64_t length = gguf_get_tensor_size(gguf_.get(), i);
            if (data > size_ || offset > size_ - data || length > size_ - data - offset) {
                invalid("it is cut off: tensor " + std::string(gguf_get_tensor_name(gguf_.get(), i)) +
                        " ends behind the file's " + std::to_string(size_) + " bytes; download it again");
            }
        }
    } catch (...) {
        munmap(const_cast<uint8_t *>(bytes_), size_);
        throw;
    }
}

GgufFile::~GgufFile() { munmap(const_cast<uint8_t *>(bytes_), size_); }

void GgufFile::invalid(const std::string & what) const { throw Error("model_invalid", path_ + ": " + what); }

bool GgufFile::has(const std::string & key) const { return gguf_find_key(gguf_.get(), key.c_str()) >= 0; }

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

std::optional<std::string> GgufFile::find_array_string(const std::string & key, size_t index) const {
    const std::optional<size_t> length = find_array_length(key);
    if (!length || index >= *length) return std::nullopt;
    const int64_t id = gguf_find_key(gguf_.get(), key.c_str());
    if (gguf_get_arr_type(gguf_.get(), id) != GGUF_TYPE_STRING) invalid(key + " is not a list of strings");
    return std::string(gguf_get_arr_str(gguf_.get(), id, index));
}

std::optional<int64_t> GgufFile::find_string_index(const std::string & key, const std::string & value) const {
    const size_t length = find_array_length(key).value_or(0);
    for (size_t i = 0; i < length; i++) {
        if (find_array_string(key, i) == value) {
            return static_cast<int64_t>(i);
        }
    }
    return std::nullopt;
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

const void * GgufFile::tensor_data(const ggml_tensor * tensor) const {
    const int64_t id = gguf_find_tensor(gguf_.get(), ggml_get_name(tensor));
    return bytes_ + gguf_get_data_offset(gguf_.get()) + gguf_get_tensor_offset(gguf_.get(), id);
}

}   // namespace vcap
