#include "seeds.hpp"

#include <algorithm>

#include "components.hpp"
#include "scan.hpp"

namespace pse {

template <class Bits>
std::int32_t find_seeds(Workspace& space, const Map& map, int kernel, std::int32_t group) {
    const auto mask = static_cast<Bits>(Bits{1} << kernel);
    const std::int32_t last = space.cell_starts[group + 1];
    space.seeds.clear();
    for (std::int32_t i = space.cell_starts[group]; i < last;) {
        const int band = space.cells[space.cell_order[i]].row;
        std::int32_t next = i;
        while (next < last && space.cells[space.cell_order[next]].row == band) ++next;
        for (int y = map.top_of(band); y < map.top_of(band + 1); ++y) {
            for (std::int32_t j = i; j < next; ++j) {
                const Run& run = space.cells[space.cell_order[j]];
                const int begin = map.left_of(run.begin), end = map.left_of(run.end);
                scan_mask(space.bits<Bits>() + space.window.at(y, begin), begin, end, mask, y, space.seeds);
            }
        }
        i = next;
    }
    const std::int32_t count = number_components(space.seeds, space.parent);
    space.seed_area.assign(static_cast<std::size_t>(count) + 1, 0);
    space.seed_first.resize(static_cast<std::size_t>(count) + 1);
    for (const Run& run : space.seeds) {
        if (space.seed_area[run.label] == 0) {
            space.seed_first[run.label] =
                static_cast<std::uint64_t>(run.row) << 32 | static_cast<std::uint32_t>(run.begin);
        }
        space.seed_area[run.label] += run.end - run.begin;
    }
    return count;
}

template <class Bits, class Label>
std::int32_t plant_seeds(Workspace& space, std::int64_t min_area) {
    const Window& window = space.window;
    Bits* bits = space.bits<Bits>();
    Label* labels = space.labels<Label>();
    bool any = false;
    for (const Run& run : space.seeds) {
        if (space.seed_area[run.label] < min_area) continue;
        const std::int32_t begin = window.at(run.row, run.begin), end = window.at(run.row, run.end);
        std::fill(labels + begin, labels + end, static_cast<Label>(run.label));
        std::fill(bits + begin, bits + end, Bits{0});
        any = true;
    }
    if (!any) return -1;
    Pixel* const queue = space.queue.data();
    Pixel* tail = queue;
    for (const Run& run : space.seeds) {
        if (space.seed_area[run.label] < min_area) continue;
        const auto label = static_cast<Pixel>(run.label) << 32;
        const std::int32_t end = window.at(run.row, run.end);
        for (std::int32_t p = window.at(run.row, run.begin); p < end; ++p) {
            *tail = label | static_cast<Pixel>(p);
            tail += (bits[p - window.stride] | bits[p + window.stride] | bits[p - 1] | bits[p + 1]) != 0;
        }
    }
    return static_cast<std::int32_t>(tail - queue);
}

#define PSE_INSTANTIATE(Bits)                                                              \
    template std::int32_t find_seeds<Bits>(Workspace&, const Map&, int, std::int32_t);     \
    template std::int32_t plant_seeds<Bits, std::uint8_t>(Workspace&, std::int64_t);       \
    template std::int32_t plant_seeds<Bits, std::int32_t>(Workspace&, std::int64_t);
PSE_INSTANTIATE(std::uint8_t)
PSE_INSTANTIATE(std::uint16_t)
PSE_INSTANTIATE(std::uint32_t)
#undef PSE_INSTANTIATE

}  // namespace pse
