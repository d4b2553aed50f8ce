#include "check.h"
#include "core/vision/resample.h"

#include <algorithm>
#include <random>

using vcap::resample_bicubic;

namespace {

std::vector<uint8_t> noise(int width, int height) {
    std::mt19937 random(3);
    std::vector<uint8_t> pixels(3 * static_cast<size_t>(width) * height);
    std::generate(pixels.begin(), pixels.end(), [&] { return static_cast<uint8_t>(random()); });
    return pixels;
}

}   // namespace

TEST("resample: the same size is the same picture, a plain one stays plain") {
    const std::vector<uint8_t> pixels = noise(17, 9);
    CHECK(resample_bicubic(pixels.data(), 17, 9, 17, 9) == pixels);
    const std::vector<uint8_t> gray(3 * 50 * 40, 119);
    for (const auto & [width, height] : {std::pair{7, 3}, {112, 112}, {1, 1}, {50, 200}}) {
        const std::vector<uint8_t> scaled = resample_bicubic(gray.data(), 50, 40, width, height);
        CHECK_EQUAL(scaled.size(), size_t(3) * width * height);
        CHECK(std::all_of(scaled.begin(), scaled.end(), [](uint8_t byte) { return byte == 119; }));
    }
}

TEST("resample: mirrored in, mirrored out") {
    const int width = 31, height = 5, wide = 112;
    const auto mirror = [](const std::vector<uint8_t> & pixels, int columns) {
        std::vector<uint8_t> mirrored(pixels.size());
        for (size_t i = 0; i < pixels.size(); i += 3) {
            const size_t row = i / (3 * columns), column = i / 3 % columns;
            std::copy_n(&pixels[i], 3, &mirrored[3 * (row * columns + columns - 1 - column)]);
        }
        return mirrored;
    };
    const std::vector<uint8_t> pixels = noise(width, height);
    const std::vector<uint8_t> scaled = resample_bicubic(pixels.data(), width, height, wide, 9);
    CHECK(mirror(scaled, wide) == resample_bicubic(mirror(pixels, width).data(), width, height, wide, 9));
}

TEST("resample: slivers and strong reductions stay within their bounds") {
    for (const auto & [width, height] : {std::pair{1, 1}, {1, 3000}, {3000, 1}, {4096, 64}}) {
        const std::vector<uint8_t> pixels = noise(width, height);
        CHECK_EQUAL(resample_bicubic(pixels.data(), width, height, 112, 3).size(), size_t(3 * 112 * 3));
    }
}
