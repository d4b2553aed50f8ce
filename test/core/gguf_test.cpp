#include "check.h"

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>

#include <unistd.h>

#include "core/vision/vision.h"
#include "demo_model.h"

using namespace vcap;

namespace {

/** A temporary file with these bytes, deleted with the object. One at a time. */
struct TemporaryFile {
    explicit TemporaryFile(const std::string & bytes) { std::ofstream(path, std::ios::binary) << bytes; }
    ~TemporaryFile() { unlink(path.c_str()); }
    std::string path = "/tmp/vcap-core-test-" + std::to_string(getpid()) + ".gguf";
};

std::string mmproj_bytes() {
    std::ifstream file(demo::mmproj, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/** The code of the error that opening and loading a projector throws; empty if it throws none. */
std::string load_error(const std::string & path) {
    return check::error_code([&] {
        const GgufFile file(path);
        const CpuThreads threads(1);
        open_vision_model(file, ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU), threads);
    });
}

}   // namespace

TEST("gguf: what is no model file is told apart") {
    CHECK_EQUAL(load_error("/no/such/file.gguf"), "model_not_found");
    CHECK_EQUAL(load_error("/tmp"), "model_invalid");
    {
        const TemporaryFile empty("");
        CHECK_EQUAL(load_error(empty.path), "model_invalid");
    }
    {
        const TemporaryFile text("this is a text, not a model, whatever its name");
        CHECK_EQUAL(load_error(text.path), "model_invalid");
    }
}

TEST("gguf: a file cut off anywhere is refused") {
    const std::string whole = mmproj_bytes();
    for (const double part : {0.0001, 0.001, 0.01, 0.5, 0.99}) {
        const TemporaryFile cut(whole.substr(0, static_cast<size_t>(part * static_cast<double>(whole.size()))));
        CHECK_EQUAL(load_error(cut.path), "model_invalid");
    }
}

// The environment variable VCAP_FUZZ sets the number of mutated files; the default of 2000 keeps the suite short.
TEST("gguf: mutated projector headers never crash, hang or take memory without bound") {
    const std::string whole = mmproj_bytes();
    const char * wanted = std::getenv("VCAP_FUZZ");
    const int rounds = wanted != nullptr ? std::atoi(wanted) : 2000;
    const size_t header = GgufFile(demo::mmproj).file().size() - GgufFile(demo::mmproj).tensor_bytes();
    const TemporaryFile scratch(whole);
    std::mt19937 random(20261123);
    int refused = 0;
    std::fstream file(scratch.path, std::ios::binary | std::ios::in | std::ios::out);
    for (int round = 0; round < rounds; round++) {
        std::string mutated = whole.substr(0, header);
        const int edits = 1 + static_cast<int>(random() % 4);
        for (int edit = 0; edit < edits; edit++) {
            const size_t at = random() % header;
            switch (random() % 4) {
                case 0: mutated[at] = static_cast<char>(random()); break;
                case 1: mutated[at] = static_cast<char>(mutated[at] ^ (1 << (random() % 8))); break;
                case 2: {   // 8 bytes overwritten by a huge number or by zero
                    const uint64_t value = random() % 2 != 0 ? UINT64_MAX >> (random() % 64) : 0;
                    std::memcpy(&mutated[std::min(at, header - 8)], &value, 8);
                    break;
                }
                default: {   // some bytes overwritten by others of the header
                    const size_t length = std::min<size_t>(1 + random() % 32, header - at);
                    const size_t from = random() % (header - length);
                    std::memmove(&mutated[at], whole.data() + from, length);
                }
            }
        }
        file.seekp(0);
        file.write(mutated.data(), static_cast<std::streamsize>(header));
        file.flush();
        refused += load_error(scratch.path).empty() ? 0 : 1;
    }
    CHECK(refused > rounds / 4);
}
