#include "window.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>

namespace pse {
namespace {

template <class Bits>
CellsFn<Bits> interpolator(const Simd& simd, int cell) {
    const int i = cell == 2;
    if constexpr (sizeof(Bits) == 1) return simd.cells8[i];
    else if constexpr (sizeof(Bits) == 2) return simd.cells16[i];
    else return simd.cells32[i];
}

template <class Bits>
void lay_out(Workspace& space, const Map& map, std::int32_t group) {
    int first_band = INT32_MAX, last_band = INT32_MIN, first_column = INT32_MAX, end_column = INT32_MIN;
    std::size_t pixels = 0;
    for (std::int32_t i = space.cell_starts[group]; i < space.cell_starts[group + 1]; ++i) {
        const Run& run = space.cells[space.cell_order[i]];
        first_band = std::min(first_band, run.row);
        last_band = std::max(last_band, run.row);
        first_column = std::min(first_column, run.begin);
        end_column = std::max(end_column, run.end);
        pixels += static_cast<std::size_t>(run.end - run.begin);
    }
    pixels *= static_cast<std::size_t>(map.cell) * static_cast<std::size_t>(map.cell);
    Window& window = space.window;
    window.top = map.top_of(first_band);
    window.left = map.left_of(first_column);
    window.height = map.top_of(last_band + 1) - window.top;
    window.width = map.left_of(end_column) - window.left;
    window.stride = window.width + 2;
    if (window.size() > INT32_MAX) {
        throw std::length_error("text that is connected over " + std::to_string(window.height) + " x " +
                                std::to_string(window.width) +
                                " pixels does not fit 32-bit indices; use a larger scale, or tiles");
    }
    if (!space.clean) {
        const auto release = [](auto&... buffers) { (buffers.release(), ...); };
        std::apply(release, space.bit_maps);
        std::apply(release, space.label_maps);
    }
    space.clean = false;
    std::get<Buffer<Bits>>(space.bit_maps).reserve(window.size() + kOverread);
    // One more: a pixel is written to a queue before it is known whether it counts.
    space.queue.reserve(pixels + 1);
    space.next.reserve(pixels + 1);
}

// Cells at the map's edge lie half outside it; what they have set there must go.
template <class Bits>
void trim(const Workspace& space, const Map& map, const Run& run) {
    const int left = map.left_of(run.begin), right = map.left_of(run.end);
    for (int y = map.top_of(run.row), i = 0; i < map.cell; ++i, ++y) {
        const auto unset = [&](int begin, int end) {
            std::fill_n(space.bits<Bits>() + space.window.at(y, begin), end - begin, Bits{0});
        };
        if (y < 0 || y >= map.height) unset(left, right);
        if (left < 0) unset(left, 0);
        if (right > map.width) unset(map.width, right);
    }
}

}  // namespace

Band make_band(const Source& source, int band) {
    const Logits& logits = *source.logits;
    const int upper = std::max(band, 0);
    const int lower = source.map.cell == 1 ? upper : std::min(band + 1, logits.h - 1);
    return {logits.row(upper), logits.row(lower), logits.plane(), logits.w, band < 0, source.thresh};
}

template <class Bits>
void open_window(Workspace& space, const Source& source, std::int32_t group) {
    const Map& map = source.map;
    lay_out<Bits>(space, map, group);
    const Bits* codes = space.codes<Bits>() + 1;
    for (std::int32_t i = space.cell_starts[group]; i < space.cell_starts[group + 1]; ++i) {
        const Run& run = space.cells[space.cell_order[i]];
        const Bits* upper = codes + static_cast<std::size_t>(std::max(run.row, 0)) * space.code_stride;
        Bits* out = space.bits<Bits>() + space.window.at(map.top_of(run.row), map.left_of(run.begin));
        if (map.cell == 1) {
            std::copy(upper + run.begin, upper + run.end, out);
            continue;
        }
        const int h = source.logits->h, w = source.logits->w;
        const Bits* lower = codes + static_cast<std::size_t>(std::min(run.row + 1, h - 1)) * space.code_stride;
        const CellsFn<Bits> interpolate = interpolator<Bits>(*source.simd, map.cell);
        interpolate(make_band(source, run.row), upper, lower, run.begin, run.end, out, space.window.stride);
        if (run.row < 0 || run.row + 1 == h || run.begin < 0 || run.end == w) trim<Bits>(space, map, run);
    }
}

template <class Bits, class Label>
void close_window(Workspace& space, const Map& map, std::int32_t group, bool labelled) {
    for (std::int32_t i = space.cell_starts[group]; i < space.cell_starts[group + 1]; ++i) {
        const Run& run = space.cells[space.cell_order[i]];
        const auto count = static_cast<std::size_t>(run.end - run.begin) * static_cast<std::size_t>(map.cell);
        std::int32_t p = space.window.at(map.top_of(run.row), map.left_of(run.begin));
        for (int y = 0; y < map.cell; ++y, p += space.window.stride) {
            std::memset(space.bits<Bits>() + p, 0, count * sizeof(Bits));
            if (labelled) std::memset(space.labels<Label>() + p, 0, count * sizeof(Label));
        }
    }
    space.clean = true;
}

#define PSE_INSTANTIATE(Bits)                                                                   \
    template void open_window<Bits>(Workspace&, const Source&, std::int32_t);                   \
    template void close_window<Bits, std::uint8_t>(Workspace&, const Map&, std::int32_t, bool); \
    template void close_window<Bits, std::int32_t>(Workspace&, const Map&, std::int32_t, bool);
PSE_INSTANTIATE(std::uint8_t)
PSE_INSTANTIATE(std::uint16_t)
PSE_INSTANTIATE(std::uint32_t)
#undef PSE_INSTANTIATE

}  // namespace pse
