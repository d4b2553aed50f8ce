#pragma once

#include <cstddef>
#include <cstring>
#include <utility>

// Single precision in vectors of the widest kind this build may use, in the compilers' own vector types: one source
// for AVX-512, AVX2 and NEON.

namespace vcap::kernels {

#if defined(__AVX512F__)
constexpr int LANES = 16;
constexpr int TILE_ROWS = 6;      // of the register tile: 6 x 4 accumulators of 32 registers
constexpr int PANEL_VECTORS = 4;
#elif defined(__AVX__)
constexpr int LANES = 8;
constexpr int TILE_ROWS = 6;      // 6 x 2 of 16
constexpr int PANEL_VECTORS = 2;
#else
constexpr int LANES = 4;
constexpr int TILE_ROWS = 6;      // 6 x 4 of 32
constexpr int PANEL_VECTORS = 4;
#endif
/** Columns of a packed panel. */
constexpr int PANEL = LANES * PANEL_VECTORS;

typedef float Vec __attribute__((vector_size(LANES * sizeof(float))));
typedef int IntVec __attribute__((vector_size(LANES * sizeof(int))));

inline Vec load(const float * from) {
    Vec value;
    std::memcpy(&value, from, sizeof(value));
    return value;
}

inline void store(float * to, Vec value) { std::memcpy(to, &value, sizeof(value)); }

inline Vec broadcast(float value) { return value - Vec{}; }

inline Vec max(Vec a, Vec b) { return a > b ? a : b; }

inline float sum_lanes(Vec v) {
    float lanes[LANES];
    store(lanes, v);
    for (int half = LANES / 2; half > 0; half /= 2) {
        for (int i = 0; i < half; i++) {
            lanes[i] += lanes[i + half];
        }
    }
    return lanes[0];
}

inline float max_lane(Vec v) {
    float lanes[LANES];
    store(lanes, v);
    for (int half = LANES / 2; half > 0; half /= 2) {
        for (int i = 0; i < half; i++) {
            lanes[i] = lanes[i] > lanes[i + half] ? lanes[i] : lanes[i + half];
        }
    }
    return lanes[0];
}

/** Lanes of `a` and `b` in turn, from the lower or the upper half of both. */
template <int FROM, size_t... LANE>
inline Vec interleave(Vec a, Vec b, std::index_sequence<LANE...>) {
    return __builtin_shufflevector(a, b, (FROM + LANE / 2 + LANE % 2 * LANES)...);
}

/** Rows become columns: each of log2(LANES) rounds interleaves row i with row i + LANES/2. */
inline void transpose(Vec (&rows)[LANES]) {
    constexpr auto lanes = std::make_index_sequence<LANES>();
    for (int round = 1; round < LANES; round *= 2) {
        Vec next[LANES];
        for (int i = 0; i < LANES / 2; i++) {
            next[2 * i] = interleave<0>(rows[i], rows[i + LANES / 2], lanes);
            next[2 * i + 1] = interleave<LANES / 2>(rows[i], rows[i + LANES / 2], lanes);
        }
        for (int i = 0; i < LANES; i++) {
            rows[i] = next[i];
        }
    }
}

/**
 * e^x for x <= 0, to 2 units in the last place; 0 below -87. Reduced to |r| <= ln2/2 with ln2 in two parts (Cody and
 * Waite), then the Taylor polynomial of degree 7, whose remainder there is below 2^-27.
 */
inline Vec exp_negative(Vec x) {
    const Vec shift = broadcast(12582912.0f);   // 1.5 * 2^23: adding it rounds to a whole number
    const Vec n = x * 1.44269504f + shift - shift;
    const Vec r = x - n * 0.693145752f - n * 1.42860677e-6f;
    Vec p = broadcast(1.0f / 5040);
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    const IntVec exponent = (__builtin_convertvector(n, IntVec) + 127) << 23;
    Vec power;
    std::memcpy(&power, &exponent, sizeof(power));
    return x < -87.0f ? Vec{} : p * power;
}

}  // namespace vcap::kernels
