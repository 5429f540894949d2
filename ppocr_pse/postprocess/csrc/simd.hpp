// The inner loops that pay for wider vectors, compiled once for each instruction set and chosen at run time.
//
// All of them are the same source (simd_impl.hpp) in GCC's portable vector types, without fused multiply-adds
// and with sums in one fixed order, so that every path gives the same bits. On other processors than x86-64
// there is the baseline alone, which the compiler maps to NEON and the like.
#pragma once

#include "types.hpp"

namespace pse {

// A band of cells: everything between row `band` and `band + 1` of the logits (clamped to the picture).
struct Band {
    const float* upper;   // row of kernel 0; kernel k lies k * plane further on
    const float* lower;
    std::size_t plane;
    int w;                // logits in a row; the cells are -1 ... w - 1
    bool top;             // the half band above the first row of logits
    float thresh;
};

// Which logits of a row exceed the threshold; bit k of code j is kernel k at column j.
template <class Bits>
using EncodeFn = void (*)(const float* row, int count, float thresh, int kernel, Bits* codes);

// Write the bits of the cells [begin, end) of a band, given the codes of its two rows.
template <class Bits>
using CellsFn = void (*)(const Band& band, const Bits* upper_codes, const Bits* lower_codes, int begin, int end,
                         Bits* out, std::int32_t stride);

// Add the text probabilities of the cells [begin, end) to the score sums of their labels.
template <class Label>
using ScoresFn = void (*)(const Band& band, int begin, int end, const Label* labels, std::int32_t stride,
                          Region* regions);

struct Simd {
    const char* name;
    EncodeFn<std::uint8_t> encode8;
    EncodeFn<std::uint16_t> encode16;
    EncodeFn<std::uint32_t> encode32;
    CellsFn<std::uint8_t> cells8[2];    // cells of 4 x 4 and of 2 x 2 pixels
    CellsFn<std::uint16_t> cells16[2];
    CellsFn<std::uint32_t> cells32[2];
    ScoresFn<std::uint8_t> scores8[3];  // cells of 4 x 4, 2 x 2, 1 x 1
    ScoresFn<std::int32_t> scores32[3];
};

extern const Simd kBaseline;
#if defined(__x86_64__)
extern const Simd kAvx2;
extern const Simd kAvx512;
#endif

// The path of that name if this processor can run it, else null; "auto" is the widest one.
const Simd* find_simd(const char* name);

// The names of the paths this processor can run, narrowest first.
std::vector<const char*> simd_names();

}  // namespace pse
