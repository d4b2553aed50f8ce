#pragma once

#include <cstddef>
#include <cstring>
#include <type_traits>
#include <utility>

#if defined(__F16C__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#include "ggml.h"

// Arithmetic on SIMD vectors of F32, as wide as the build's target allows. GCC's and Clang's vector extensions
// let one source serve AVX-512, AVX2 and NEON; only the conversion from F16 needs intrinsics.

// Inlined before arrays are looked at for elements that can be registers.
#define VCAP_ALWAYS_INLINE __attribute__((always_inline))

namespace vcap::kernels {

/** LANES is the number of floats in a SIMD vector, PANEL_VECTORS the number of vectors in a row of a packed panel. */
#if defined(__AVX512F__)
constexpr int LANES = 16;
constexpr int PANEL_VECTORS = 4;
#elif defined(__AVX__)
constexpr int LANES = 8;
constexpr int PANEL_VECTORS = 2;
#else
constexpr int LANES = 4;
constexpr int PANEL_VECTORS = 4;
#endif

/** Columns of a packed panel. */
constexpr int PANEL_COLUMNS = LANES * PANEL_VECTORS;

/**
 * Rows of the register tile, the part of a product whose sums stay in registers. TILE_ROWS x PANEL_VECTORS registers
 * hold the sums: 24 of the 32 that AVX-512 and NEON have, 12 of the 16 that AVX2 has. The others hold the operands.
 */
constexpr int TILE_ROWS = 6;

/** Calls `body` with each of NUMBERS as a compile-time constant. */
template <typename Body, int... NUMBERS>
inline VCAP_ALWAYS_INLINE void call_with_each(const Body & body, std::integer_sequence<int, NUMBERS...>) {
    (body(std::integral_constant<int, NUMBERS>()), ...);
}

/**
 * Calls `body` with each number from 0 to COUNT - 1 as a compile-time constant. Of an array that only such numbers
 * index, every compiler keeps the elements in registers; GCC before 12 stores those that a loop indexes in each round.
 */
template <int COUNT, typename Body>
inline VCAP_ALWAYS_INLINE void unrolled(const Body & body) {
    call_with_each(body, std::make_integer_sequence<int, COUNT>());
}

/** A SIMD vector of LANES floats, and one of as many ints. */
typedef float Vec __attribute__((vector_size(LANES * sizeof(float))));
typedef int IntVec __attribute__((vector_size(LANES * sizeof(int))));

// load() reads LANES adjacent elements of a floating-point type as F32. The address needs no alignment.

inline Vec load(const float * source) {
    Vec value;
    std::memcpy(&value, source, sizeof(value));
    return value;
}

inline Vec load(const ggml_fp16_t * source) {
#if defined(__AVX512F__)
    return reinterpret_cast<Vec>(
        _mm512_maskz_cvtph_ps(0xFFFF, _mm256_loadu_si256(reinterpret_cast<const __m256i *>(source))));
#elif defined(__F16C__)
    return reinterpret_cast<Vec>(_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i *>(source))));
#elif defined(__ARM_NEON)
    return reinterpret_cast<Vec>(vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(source))));
#else
    float values[LANES];
    for (int i = 0; i < LANES; i++) {
        values[i] = ggml_fp16_to_fp32(source[i]);
    }
    return load(values);
#endif
}

inline Vec load(const ggml_bf16_t * source) {
    typedef uint16_t Bits __attribute__((vector_size(LANES * sizeof(uint16_t))));
    Bits bits;
    std::memcpy(&bits, source, sizeof(bits));
    // BF16 is the upper half of an F32.
    const IntVec upper = __builtin_convertvector(bits, IntVec) << 16;
    Vec value;
    std::memcpy(&value, &upper, sizeof(value));
    return value;
}

/** One element of a floating-point type as F32. */
inline float to_float(float value) { return value; }
inline float to_float(ggml_fp16_t value) { return ggml_fp16_to_fp32(value); }
inline float to_float(ggml_bf16_t value) { return ggml_bf16_to_fp32(value); }

/** Writes LANES adjacent floats. The address needs no alignment. */
inline void store(float * destination, Vec value) { std::memcpy(destination, &value, sizeof(value)); }

/** A vector with `value` in every lane. */
inline Vec broadcast(float value) { return value - Vec{}; }

/** The larger of `a` and `b`, lane by lane. */
inline Vec max(Vec a, Vec b) { return a > b ? a : b; }

/** The lanes LANE of `a` followed by `b`. */
template <int... LANE>
inline Vec shuffle(Vec a, Vec b) {
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 12
    return __builtin_shuffle(a, b, IntVec{LANE...});
#else
    return __builtin_shufflevector(a, b, LANE...);
#endif
}

/** Lanes of `a` and `b` alternately, beginning with lane FROM of each: a[FROM], b[FROM], a[FROM + 1], b[FROM + 1]... */
template <int FROM, size_t... LANE>
inline Vec interleave(Vec a, Vec b, std::index_sequence<LANE...>) {
    return shuffle<int(FROM + LANE / 2 + LANE % 2 * LANES)...>(a, b);
}

/** The vector whose lane i is lane i XOR LANE_BIT of `v`. */
template <int LANE_BIT, size_t... LANE>
inline Vec swap_lanes(Vec v, std::index_sequence<LANE...>) {
    return shuffle<int(LANE ^ LANE_BIT)...>(v, v);
}

/**
 * All lanes reduced to one float by the commutative combine(Vec, Vec), in log2(LANES) steps that each halve the
 * distance between the lanes combined. LANE_BIT is the first step's distance, which callers leave at its default.
 */
template <int LANE_BIT = LANES / 2, typename Combine>
inline float reduce(Vec v, const Combine & combine) {
    v = combine(v, swap_lanes<LANE_BIT>(v, std::make_index_sequence<LANES>()));
    if constexpr (LANE_BIT > 1) {
        return reduce<LANE_BIT / 2>(v, combine);
    } else {
        return v[0];
    }
}

/** The sum of all lanes. */
inline float sum_lanes(Vec v) {
    return reduce(v, [](Vec a, Vec b) { return a + b; });
}

/** The largest of all lanes. */
inline float max_lanes(Vec v) {
    return reduce(v, [](Vec a, Vec b) { return max(a, b); });
}

/** Transposes a matrix [LANES, LANES] in place. Each of log2(LANES) rounds interleaves row i with row i + LANES / 2. */
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
 * e^x for x <= 0, within 2 units in the last place, and 0 for x < -87, minus infinity included. The argument is reduced
 * to x = n ln 2 + r with |r| <= ln 2 / 2, where ln 2 is subtracted in two parts (Cody and Waite 1980, 'Software Manual
 * for the Elementary Functions'). e^r is the Taylor polynomial of degree 7, whose remainder is below 2^-27 there.
 */
inline Vec exp_nonpositive(Vec x) {
    // 1.5 * 2^23. A float of this size has no fraction bits, so that adding and subtracting it rounds to an integer.
    const Vec shift = broadcast(12582912.0f);
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
    // 2^n, written as the exponent bits of an F32.
    const IntVec exponent = (__builtin_convertvector(n, IntVec) + 127) << 23;
    Vec power;
    std::memcpy(&power, &exponent, sizeof(power));
    return x < -87.0f ? Vec{} : p * power;
}

}   // namespace vcap::kernels
