#pragma once

#include <cstddef>
#include <cstring>
#include <utility>

#if defined(__F16C__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#include "ggml.h"

// Single precision in vectors of the widest kind this build may use, in the compilers' own vector types: one source
// for AVX-512, AVX2 and NEON.

namespace vcap::kernels {

#if defined(__AVX512F__)
constexpr int LANES = 16;
constexpr int TILE_ROWS = 6;   // of the register tile: 6 x 4 accumulators of 32 registers
constexpr int PANEL_VECTORS = 4;
#elif defined(__AVX__)
constexpr int LANES = 8;
constexpr int TILE_ROWS = 6;   // 6 x 2 of 16
constexpr int PANEL_VECTORS = 2;
#else
constexpr int LANES = 4;
constexpr int TILE_ROWS = 6;   // 6 x 4 of 32
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

inline Vec load(const ggml_fp16_t * from) {
#if defined(__AVX512F__)
    return reinterpret_cast<Vec>(
        _mm512_maskz_cvtph_ps(0xFFFF, _mm256_loadu_si256(reinterpret_cast<const __m256i *>(from))));
#elif defined(__F16C__)
    return reinterpret_cast<Vec>(_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i *>(from))));
#elif defined(__ARM_NEON)
    return reinterpret_cast<Vec>(vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(from))));
#else
    float values[LANES];
    for (int i = 0; i < LANES; i++) {
        values[i] = ggml_fp16_to_fp32(from[i]);
    }
    return load(values);
#endif
}

inline Vec load(const ggml_bf16_t * from) {
    typedef uint16_t Bits __attribute__((vector_size(LANES * sizeof(uint16_t))));
    Bits bits;
    std::memcpy(&bits, from, sizeof(bits));
    const IntVec upper = __builtin_convertvector(bits, IntVec) << 16;
    Vec value;
    std::memcpy(&value, &upper, sizeof(value));
    return value;
}

inline float to_float(float value) { return value; }
inline float to_float(ggml_fp16_t value) { return ggml_fp16_to_fp32(value); }
inline float to_float(ggml_bf16_t value) { return ggml_bf16_to_fp32(value); }

inline void store(float * to, Vec value) { std::memcpy(to, &value, sizeof(value)); }

inline Vec broadcast(float value) { return value - Vec{}; }

inline Vec max(Vec a, Vec b) { return a > b ? a : b; }

/** Lanes of `a` and `b` in turn, from the lower or the upper half of both. */
template <int FROM, size_t... LANE>
inline Vec interleave(Vec a, Vec b, std::index_sequence<LANE...>) {
    return __builtin_shufflevector(a, b, (FROM + LANE / 2 + LANE % 2 * LANES)...);
}

/** Lane i becomes lane i ^ LANE_BIT. */
template <int LANE_BIT, size_t... LANE>
inline Vec swap_lanes(Vec v, std::index_sequence<LANE...>) {
    return __builtin_shufflevector(v, v, (LANE ^ LANE_BIT)...);
}

/** combine() of all lanes. */
template <int LANE_BIT = LANES / 2, typename Combine>
inline float reduce(Vec v, const Combine & combine) {
    v = combine(v, swap_lanes<LANE_BIT>(v, std::make_index_sequence<LANES>()));
    if constexpr (LANE_BIT > 1) {
        return reduce<LANE_BIT / 2>(v, combine);
    } else {
        return v[0];
    }
}

inline float sum_lanes(Vec v) {
    return reduce(v, [](Vec a, Vec b) { return a + b; });
}

inline float max_lane(Vec v) {
    return reduce(v, [](Vec a, Vec b) { return max(a, b); });
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

}   // namespace vcap::kernels
