#include "check.h"

#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>

#include "core/devices.h"
#include "core/vision/llava/config.h"
#include "core/vision/llava/tower.h"
#include "core/vision/vision.h"
#include "demo_model.h"

using namespace vcap;

namespace {

std::vector<char> read_file(const std::string & path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error(path + " is missing");
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

struct Tower {
    GgufFile file{demo::mmproj};
    llava::Config config = llava::read_config(file);
    CpuThreads threads{1};
    ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    std::unique_ptr<VisionModel> tower = open_vision_model(file, cpu, threads);

    /** As on a device of another kind. */
    explicit Tower(const llava::Arithmetic & arithmetic)
        : tower(std::make_unique<llava::Tower>(file, config, cpu, arithmetic, threads)) {}
    Tower() = default;
};

}   // namespace

/** Holds every token's features against those that transformers has for the same tiles. */
static void check_against_transformers(Tower & t) {
    const std::vector<char> pixels = read_file("test/fixtures/demo-tower/tiles.bin");
    const std::vector<char> bytes = read_file("test/fixtures/demo-tower/features.bin");
    const size_t tile_bytes = 3ull * t.config.geometry.tile_size * t.config.geometry.tile_size;
    const size_t count = pixels.size() / tile_bytes;
    const size_t tokens = count * t.config.patches();
    CHECK(count >= 2);
    CHECK_EQUAL(bytes.size(), tokens * t.config.feature_width * sizeof(float));
    std::vector<float> expected(tokens * t.config.feature_width);
    std::memcpy(expected.data(), bytes.data(), bytes.size());

    std::vector<float> features(expected.size());
    std::vector<TowerInput> tiles;
    for (size_t i = 0; i < count; i++) {
        tiles.push_back({reinterpret_cast<const uint8_t *>(pixels.data()) + i * tile_bytes,
                         features.data() + i * t.config.patches() * t.config.feature_width});
    }
    t.tower->encode(tiles);
    for (size_t token = 0; token < tokens; token++) {
        double dot = 0, ours = 0, theirs = 0;
        for (int i = 0; i < t.config.feature_width; i++) {
            const double a = features[token * t.config.feature_width + i];
            const double b = expected[token * t.config.feature_width + i];
            dot += a * b;
            ours += a * a;
            theirs += b * b;
        }
        CHECK(dot / std::sqrt(ours * theirs) >= 0.99999);
    }
}

TEST("vision: every token agrees with transformers on the trained weights") {
    Tower t;
    check_against_transformers(t);
}

TEST("vision: so it does with each arithmetic that other devices get") {
    for (const llava::Arithmetic & arithmetic :
         {llava::Arithmetic{true, true, 1200 << 20}, {false, true, 1200 << 20}}) {
        Tower t(arithmetic);
        check_against_transformers(t);
    }
    CHECK(llava::choose_arithmetic(Tower().config, Tower().cpu).flash_attention);
}

TEST("vision: a tile's features do not depend on its company") {
    Tower t;
    const size_t tile_floats = static_cast<size_t>(t.config.patches()) * t.config.feature_width;
    std::mt19937 random(7);
    std::vector<Picture> images;
    for (int i = 0; i < 70; i++) {   // more than one graph takes
        images.push_back(demo::disc(0.3 + 0.005 * i, 0.5, 0.2, static_cast<uint8_t>(random()),
                                    static_cast<uint8_t>(random()), static_cast<uint8_t>(random())));
    }
    std::vector<float> together(images.size() * tile_floats);
    std::vector<TowerInput> tiles;
    for (size_t i = 0; i < images.size(); i++)
        tiles.push_back({images[i].pixels.data(), together.data() + i * tile_floats});
    t.tower->encode(tiles);
    std::vector<float> alone(tile_floats);
    for (size_t i = 0; i < images.size(); i += 11) {
        t.tower->encode({{images[i].pixels.data(), alone.data()}});
        for (size_t k = 0; k < tile_floats; k++) {
            CHECK(std::abs(alone[k] - together[i * tile_floats + k]) <= 1e-5f * (1 + std::abs(alone[k])));
        }
    }
}

TEST("vision: pooled features are means of those that are not, whatever shares their call") {
    Tower t;
    const int side = t.config.geometry.patches_per_side();
    const int width = t.config.feature_width;
    const int half = side / 2;
    const Picture picture = demo::disc(0.3, 0.6, 0.3, 200, 40, 90);
    std::vector<float> whole(static_cast<size_t>(side) * side * width);
    std::vector<float> again(whole.size());
    std::vector<float> pooled(static_cast<size_t>(half) * half * width);
    std::vector<float> before(pooled.size());
    const uint8_t * pixels = picture.pixels.data();
    t.tower->encode({{pixels, whole.data()},
                     {pixels, pooled.data(), {2}},
                     {pixels, before.data(), {2, false, PoolMode::average, true}},
                     {pixels, again.data()}});
    CHECK(whole == again);
    double differs = 0;
    for (int row = 0; row < half; row++) {
        for (int col = 0; col < half; col++) {
            for (int i = 0; i < width; i++) {
                const auto at = [&](int y, int x) { return whole[((2 * row + y) * side + 2 * col + x) * width + i]; };
                const float mean = (at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1)) / 4;
                const size_t index = (row * half + col) * width + i;
                CHECK(std::abs(pooled[index] - mean) <= 1e-5f * (1 + std::abs(mean)));
                differs = std::max(differs, static_cast<double>(std::abs(before[index] - mean)));
            }
        }
    }
    CHECK(differs > 1e-3);   // the projector is no linear map
}

TEST("vision: a language model is no projector, and says so") {
    const GgufFile file(demo::model);
    CHECK_EQUAL(check::error_code([&] { open_image_processor(file); }), "model_invalid");
}

TEST("vision: an unknown device is named with those that are there") {
    CHECK_EQUAL(check::error_code([] { find_devices({"CUDA7"}); }), "device_unavailable");
    CHECK_EQUAL(find_devices({"CPU"}).size(), size_t(1));
}
