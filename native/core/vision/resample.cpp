#include "core/vision/resample.h"

#include <algorithm>
#include <cmath>

namespace vcap {
namespace {

constexpr int CHANNELS = 3;
constexpr int FRACTION_BITS = 22;   // 8 bits of pixel, 2 of headroom, in 32
constexpr int32_t HALF = 1 << (FRACTION_BITS - 1);

double cubic(double x) {
    constexpr double a = -0.5;
    x = std::abs(x);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
    return 0;
}

uint8_t to_byte(int32_t value) { return static_cast<uint8_t>(std::clamp(value >> FRACTION_BITS, 0, 255)); }

/** For each output position, where its source pixels begin and how much each counts. */
struct Kernel {
    struct Window {
        int first;
        int count;
    };
    int taps;   // room for each position's coefficients
    std::vector<Window> windows;
    std::vector<int32_t> coefficients;   // [positions, taps]

    Kernel(int length, int new_length) {
        const double scale = static_cast<double>(length) / new_length;
        const double stretch = std::max(scale, 1.0);
        const double support = 2.0 * stretch;
        taps = static_cast<int>(std::ceil(support)) * 2 + 1;
        windows.reserve(new_length);
        coefficients.resize(static_cast<size_t>(new_length) * taps);
        std::vector<double> weights(taps);
        for (int i = 0; i < new_length; i++) {
            const double center = (i + 0.5) * scale;
            const int first = std::max(static_cast<int>(center - support + 0.5), 0);
            const int count = std::min(static_cast<int>(center + support + 0.5), length) - first;
            double sum = 0;
            for (int k = 0; k < count; k++) {
                weights[k] = cubic((k + first - center + 0.5) / stretch);
                sum += weights[k];
            }
            for (int k = 0; k < count; k++) {
                const double weight = (sum != 0 ? weights[k] / sum : weights[k]) * (1 << FRACTION_BITS);
                coefficients[static_cast<size_t>(i) * taps + k] =
                    static_cast<int32_t>(weight < 0 ? weight - 0.5 : weight + 0.5);
            }
            windows.push_back({first, count});
        }
    }
};

std::vector<uint8_t> resample_rows(const uint8_t * pixels, int width, int height, int new_width) {
    const Kernel kernel(width, new_width);
    std::vector<uint8_t> out(static_cast<size_t>(new_width) * height * CHANNELS);
    uint8_t * to = out.data();
    for (int y = 0; y < height; y++) {
        const uint8_t * row = pixels + static_cast<size_t>(y) * width * CHANNELS;
        for (int x = 0; x < new_width; x++, to += CHANNELS) {
            const uint8_t * from = row + kernel.windows[x].first * CHANNELS;
            const int32_t * weights = kernel.coefficients.data() + static_cast<size_t>(x) * kernel.taps;
            int32_t red = HALF, green = HALF, blue = HALF;
            for (int k = 0; k < kernel.windows[x].count; k++, from += CHANNELS) {
                red += from[0] * weights[k];
                green += from[1] * weights[k];
                blue += from[2] * weights[k];
            }
            to[0] = to_byte(red);
            to[1] = to_byte(green);
            to[2] = to_byte(blue);
        }
    }
    return out;
}

std::vector<uint8_t> resample_columns(const uint8_t * pixels, int width, int height, int new_height) {
    const Kernel kernel(height, new_height);
    const size_t row_bytes = static_cast<size_t>(width) * CHANNELS;
    std::vector<uint8_t> out(row_bytes * new_height);
    std::vector<int32_t> sums(row_bytes);
    for (int y = 0; y < new_height; y++) {
        std::fill(sums.begin(), sums.end(), HALF);
        for (int k = 0; k < kernel.windows[y].count; k++) {
            const uint8_t * row = pixels + (kernel.windows[y].first + k) * row_bytes;
            const int32_t weight = kernel.coefficients[static_cast<size_t>(y) * kernel.taps + k];
            for (size_t i = 0; i < row_bytes; i++) {
                sums[i] += row[i] * weight;
            }
        }
        std::transform(sums.begin(), sums.end(), out.begin() + y * row_bytes, to_byte);
    }
    return out;
}

}   // namespace

std::vector<uint8_t> resample_bicubic(const uint8_t * pixels, int width, int height, int new_width, int new_height) {
    std::vector<uint8_t> rows;
    if (new_width != width) {
        rows = resample_rows(pixels, width, height, new_width);
        pixels = rows.data();
    }
    if (new_height != height) {
        return resample_columns(pixels, new_width, height, new_height);
    }
    return rows.empty() ? std::vector<uint8_t>(pixels, pixels + static_cast<size_t>(width) * height * CHANNELS) : rows;
}

}   // namespace vcap
