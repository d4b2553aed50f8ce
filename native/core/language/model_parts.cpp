#include "core/language/model_parts.h"

#include "llama.h"

namespace vcap {
namespace {

// Parts of a split model that are opened at most, so that a damaged header cannot ask for millions of files.
constexpr int64_t MAX_PARTS = 1000;

using Parts = std::vector<std::shared_ptr<const GgufFile>>;

/** llama.cpp takes these keys in these types and nothing else, and aborts where a part's number is of another. */
void check_types(const GgufFile & file) {
    file.require_type("split.count", GGUF_TYPE_UINT16);
    file.require_type("split.no", GGUF_TYPE_UINT16);
    file.require_type("split.tensors.count", GGUF_TYPE_INT32);
}

/** The names of all parts, out of that of the first. */
std::vector<std::string> part_paths(const GgufFile & first, int32_t parts) {
    const std::string & path = first.path();
    std::string prefix(path.size() + 1, '\0');
    if (llama_split_prefix(prefix.data(), prefix.size(), path.c_str(), 0, parts) == 0) {
        first.invalid("it has " + std::to_string(parts) +
                      " parts; give the first one, whose name ends in -00001-of-NNNNN.gguf");
    }
    std::vector<std::string> paths;
    for (int32_t part = 0; part < parts; part++) {
        std::string name(path.size() + 64, '\0');
        const int32_t length = llama_split_path(name.data(), name.size(), prefix.c_str(), part, parts);
        paths.push_back(name.substr(0, length));
    }
    return paths;
}

/** Refuses a part whose `key` is another than the first part's, or than `expected`. */
void check_same(const Parts & parts, size_t part, const std::string & key, int64_t expected) {
    const int64_t value = parts[part]->find_int(key).value_or(-1);
    if (value != expected) {
        parts[part]->invalid(key + (value < 0 ? " is missing" : " is " + std::to_string(value)) + "; expected " +
                             std::to_string(expected) + ", as part " + std::to_string(part + 1) + " of " +
                             parts.front()->path() + ": these are parts of two models, or one was renamed");
    }
}

/** The later parts' metadata that only one and the same model's parts share; converters may leave them out. */
void check_identity(const GgufFile & first, const GgufFile & part) {
    for (const char * key : {"general.architecture", "general.name"}) {
        const std::string expected = first.find_string(key).value_or("");
        const std::string value = part.find_string(key).value_or(expected);
        if (value != expected) {
            part.invalid(std::string(key) + " is '" + value + "', but '" + expected + "' in " + first.path() +
                         ": these are parts of two models");
        }
    }
}

}   // namespace

Parts open_model_files(const std::string & path) {
    Parts parts{std::make_shared<const GgufFile>(path)};
    const GgufFile & first = *parts.front();
    check_types(first);
    const int64_t count = first.find_int("split.count").value_or(1);
    if (count <= 1) {
        return parts;
    }
    if (count > MAX_PARTS) {
        first.invalid("split.count is " + std::to_string(count) + ", more than " + std::to_string(MAX_PARTS));
    }
    if (first.find_int("split.no").value_or(0) != 0) {
        first.invalid("it is part " + std::to_string(*first.find_int("split.no") + 1) + " of " + std::to_string(count) +
                      "; give the first one, whose name ends in -00001-of-NNNNN.gguf");
    }
    const std::vector<std::string> paths = part_paths(first, static_cast<int32_t>(count));
    int64_t tensors = static_cast<int64_t>(first.tensors().size());
    for (size_t part = 1; part < paths.size(); part++) {
        parts.push_back(std::make_shared<const GgufFile>(paths[part]));
        check_types(*parts[part]);
        check_same(parts, part, "split.no", static_cast<int64_t>(part));
        check_same(parts, part, "split.count", count);
        check_same(parts, part, "split.tensors.count", first.find_int("split.tensors.count").value_or(-1));
        check_identity(first, *parts[part]);
        tensors += static_cast<int64_t>(parts[part]->tensors().size());
    }
    const int64_t announced = first.find_int("split.tensors.count").value_or(-1);
    if (announced != tensors) {
        first.invalid("split.tensors.count is " + std::to_string(announced) + ", but its " + std::to_string(count) +
                      " parts have " + std::to_string(tensors) +
                      " tensors together: one of them is of another model, or damaged");
    }
    return parts;
}

}   // namespace vcap
