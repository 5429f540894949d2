// Runs of set pixels, found 64 pixels at a time.
#pragma once

#include <algorithm>
#include <cstring>

#include "types.hpp"

namespace pse {

// Bit i of the result: whether pixel i has any bit of `mask`; `count` is at most 64.
template <class Bits>
std::uint64_t set_pixels(const Bits* pixels, int count, Bits mask) {
    std::uint64_t set = 0;
    for (int i = 0; i < count; ++i) set |= static_cast<std::uint64_t>((pixels[i] & mask) != 0) << i;
    return set;
}

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
// Eight bytes at a time: the multiplication gathers their lowest bits in the top byte. Reads up to seven bytes more.
inline std::uint64_t set_pixels(const std::uint8_t* pixels, int count, std::uint8_t mask) {
    constexpr std::uint64_t kLow7 = 0x7F7F7F7F7F7F7F7Fu, kGather = 0x0102040810204080u;
    std::uint64_t set = 0;
    for (int i = 0; i < count; i += 8) {
        std::uint64_t bytes;
        std::memcpy(&bytes, pixels + i, sizeof bytes);
        bytes &= mask * (kLow7 / 0x7F);
        bytes = ((bytes | ((bytes & kLow7) + kLow7)) >> 7) & (kLow7 / 0x7F);  // 1 where the byte is not 0
        set |= ((bytes * kGather) >> 56) << i;
    }
    return count < 64 ? set & ((std::uint64_t{1} << count) - 1) : set;
}
#endif

// Append the runs of pixels in [begin, end) of a row that have a bit of `mask`; `pixels` is the one at `begin`.
// Seven pixels after the last one must be readable.
template <class Bits>
void scan_mask(const Bits* pixels, int begin, int end, Bits mask, int row, std::vector<Run>& runs) {
    bool reaches = false;  // whether a run, begun at `open`, reaches the current block
    int open = 0;
    for (int x = begin; x < end; x += 64, pixels += 64) {
        std::uint64_t set = set_pixels(pixels, std::min(64, end - x), mask);
        if (reaches) {
            if (~set == 0) continue;
            const int length = __builtin_ctzll(~set);
            runs.push_back({row, open, x + length, 0});
            reaches = false;
            set &= ~std::uint64_t{0} << length;
        }
        while (set) {
            const int first = __builtin_ctzll(set);
            const std::uint64_t after = set + (std::uint64_t{1} << first);  // the run's end, by carry
            if (after == 0) {
                open = x + first;
                reaches = true;
                break;
            }
            runs.push_back({row, x + first, x + __builtin_ctzll(after), 0});
            set &= after;
        }
    }
    if (reaches) runs.push_back({row, open, end, 0});
}

}  // namespace pse
