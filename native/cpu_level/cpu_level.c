/*
 * An addon of its own that says which level of the x86-64 psABI this processor has, 1 to 4, as `level`: which addon can
 * be loaded is known before one is. It runs on every x86-64, and needs nothing but Node. The processor is asked itself
 * (CPUID): what an emulator or a sandbox offers is then what is told. A level counts only where the operating system
 * keeps its registers (XCR0).
 */
#include <cpuid.h>
#include <node_api.h>

enum { eax, ebx, ecx, edx };

typedef struct {
    unsigned leaf;
    int place;
    unsigned bits;
} feature_bits;

static const feature_bits v2[] = {
    {1, ecx, bit_SSE3 | bit_SSSE3 | bit_SSE4_1 | bit_SSE4_2 | bit_POPCNT | bit_CMPXCHG16B},
    {0x80000001, ecx, bit_LAHF_LM},
};
static const feature_bits v3[] = {
    {1, ecx, bit_OSXSAVE | bit_AVX | bit_F16C | bit_FMA | bit_MOVBE},
    {7, ebx, bit_AVX2 | bit_BMI | bit_BMI2},
    {0x80000001, ecx, bit_LZCNT},
};
static const feature_bits v4[] = {
    {7, ebx, bit_AVX512F | bit_AVX512BW | bit_AVX512CD | bit_AVX512DQ | bit_AVX512VL},
};

/* Parts of registers that the operating system saves: XMM and YMM; the masks, the upper halves of ZMM, ZMM16 to 31. */
static const unsigned avx_state = 0x06;
static const unsigned avx512_state = 0xe6;

static int has(const feature_bits * wanted, int count) {
    for (int i = 0; i < count; i++) {
        unsigned registers[4] = {0};
        /* It fails for a leaf that this processor does not know. */
        if (!__get_cpuid_count(wanted[i].leaf, 0, &registers[eax], &registers[ebx], &registers[ecx], &registers[edx])) {
            return 0;
        }
        if ((registers[wanted[i].place] & wanted[i].bits) != wanted[i].bits) {
            return 0;
        }
    }
    return 1;
}

/* XGETBV exists where OSXSAVE is set, which is asked first. */
static int saves(unsigned state) {
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & state) == state;
}

#define HAS(features) has(features, sizeof(features) / sizeof(features[0]))

static int level(void) {
    if (!HAS(v2)) {
        return 1;
    }
    if (!HAS(v3) || !saves(avx_state)) {
        return 2;
    }
    return HAS(v4) && saves(avx512_state) ? 4 : 3;
}

NAPI_MODULE_INIT() {
    napi_value value;
    if (napi_create_int32(env, level(), &value) != napi_ok ||
        napi_set_named_property(env, exports, "level", value) != napi_ok) {
        napi_throw_error(env, NULL, "The level of this processor could not be told");
    }
    return exports;
}
