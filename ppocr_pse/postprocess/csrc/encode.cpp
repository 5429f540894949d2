#include "encode.hpp"

#include <algorithm>
#include <cstring>

#include "scan.hpp"
#include "simd.hpp"

namespace pse {
namespace {

constexpr int kBlock = 64;    // columns that are encoded, or skipped, together
constexpr int kPadding = 16;  // codes after a row, so that scans may read whole words

// Bit 0 of each code in a word.
template <class Bits>
constexpr std::uint64_t kText = sizeof(Bits) == 1   ? 0x0101010101010101u
                                : sizeof(Bits) == 2 ? 0x0001000100010001u
                                                    : 0x0000000100000001u;

template <class Bits>
Bits* lay_out_codes(Workspace& space, int h, int w) {
    space.code_stride = static_cast<std::size_t>(w) + 2 + kPadding;
    const std::size_t count = space.code_stride * static_cast<std::size_t>(h) + kPadding;
    Bits* codes = std::get<Buffer<Bits>>(space.code_maps).reserve(count);
    std::memset(codes, 0, count * sizeof(Bits));
    return codes + 1;
}

// Whether any of `count` codes has text, or of the few after them that share a word.
template <class Bits>
bool any_text(const Bits* codes, int count) {
    std::uint64_t all = 0, word;
    for (int x = 0; x < count; x += static_cast<int>(sizeof word / sizeof(Bits))) {
        std::memcpy(&word, codes + x, sizeof word);
        all |= word;
    }
    return (all & kText<Bits>) != 0;
}

template <class Bits>
EncodeFn<Bits> encoder(const Simd& simd) {
    if constexpr (sizeof(Bits) == 1) return simd.encode8;
    else if constexpr (sizeof(Bits) == 2) return simd.encode16;
    else return simd.encode32;
}

// One band between the rows `upper` and `lower` of codes; cells -1 ... w - 1.
template <class Bits>
void find_band(const Bits* upper, const Bits* lower, int band, int w, std::vector<Run>& cells) {
    constexpr int kLanes = static_cast<int>(sizeof(std::uint64_t) / sizeof(Bits));
    int begin = -2;  // of the open run; -2: none
    for (int column = -1; column < w; column += kLanes) {
        std::uint64_t a, b, c, d;
        std::memcpy(&a, upper + column, sizeof a);
        std::memcpy(&b, upper + column + 1, sizeof b);
        std::memcpy(&c, lower + column, sizeof c);
        std::memcpy(&d, lower + column + 1, sizeof d);
        const std::uint64_t text = (a | b | c | d) & kText<Bits>;
        if (text == (begin < -1 ? 0 : kText<Bits>) && column + kLanes <= w) continue;
        for (int i = column; i < std::min(column + kLanes, w); ++i) {
            const bool set = (upper[i] | upper[i + 1] | lower[i] | lower[i + 1]) & 1;
            if (set && begin < -1) begin = i;
            if (!set && begin >= -1) {
                cells.push_back({band, begin, i, 0});
                begin = -2;
            }
        }
    }
    if (begin >= -1) cells.push_back({band, begin, w, 0});
}

}  // namespace

template <class Bits>
void encode_logits(Workspace& space, const Logits& logits, const Params& params) {
    const int h = logits.h, w = logits.w;
    Bits* codes = lay_out_codes<Bits>(space, h, w);
    const std::size_t stride = space.code_stride;
    const EncodeFn<Bits> encode = encoder<Bits>(*params.simd);
    for (int y = 0; y < h; ++y) {
        encode(logits.row(y), w, params.thresh, 0, codes + static_cast<std::size_t>(y) * stride);
    }
    // The other kernels are looked at only near text: their logits count as corners of cells with text.
    for (int y = 0; y < h; ++y) {
        Bits* row = codes + static_cast<std::size_t>(y) * stride;
        const Bits* above = y > 0 ? row - stride : row;
        const Bits* below = y + 1 < h ? row + stride : row;
        for (int x = 0; x < w; x += kBlock) {
            const int count = std::min(kBlock, w - x);
            if (!any_text(above + x - 1, count + 2) && !any_text(row + x - 1, count + 2) &&
                !any_text(below + x - 1, count + 2)) {
                continue;
            }
            for (int k = 1; k < logits.kernels; ++k) {
                const float* source = logits.row(y) + static_cast<std::size_t>(k) * logits.plane() + x;
                encode(source, count, params.thresh, k, row + x);
            }
        }
        row[-1] = row[0];
        row[w] = row[w - 1];
    }
}

template <class Bits>
void encode_kernels(Workspace& space, const std::uint8_t* kernels, int count, int height, int width) {
    Bits* codes = lay_out_codes<Bits>(space, height, width);
    for (int k = 0; k < count; ++k) {
        const auto bit = static_cast<Bits>(Bits{1} << k);
        for (int y = 0; y < height; ++y, kernels += width) {
            Bits* row = codes + static_cast<std::size_t>(y) * space.code_stride;
            for (int x = 0; x < width; ++x) row[x] = static_cast<Bits>(row[x] | (kernels[x] ? bit : Bits{0}));
        }
    }
}

template <class Bits>
void find_cells(Workspace& space, const Map& map, int h, int w, Bits mask) {
    const Bits* codes = space.codes<Bits>() + 1;
    space.cells.clear();
    for (int band = map.cell == 1 ? 0 : -1; band < h; ++band) {
        const Bits* upper = codes + static_cast<std::size_t>(std::max(band, 0)) * space.code_stride;
        if (map.cell == 1) {
            scan_mask(upper, 0, w, mask, band, space.cells);
        } else {
            const Bits* lower = codes + static_cast<std::size_t>(std::min(band + 1, h - 1)) * space.code_stride;
            find_band(upper, lower, band, w, space.cells);
        }
    }
}

#define PSE_INSTANTIATE(Bits)                                                              \
    template void encode_logits<Bits>(Workspace&, const Logits&, const Params&);           \
    template void encode_kernels<Bits>(Workspace&, const std::uint8_t*, int, int, int);    \
    template void find_cells<Bits>(Workspace&, const Map&, int, int, Bits);
PSE_INSTANTIATE(std::uint8_t)
PSE_INSTANTIATE(std::uint16_t)
PSE_INSTANTIATE(std::uint32_t)
#undef PSE_INSTANTIATE

}  // namespace pse
