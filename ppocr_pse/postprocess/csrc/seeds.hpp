#pragma once

#include "window.hpp"

namespace pse {

// The seeds of the open window: the 4-connected components of the smallest kernel, numbered from 1 in raster
// order of their first pixel. Fills space.seeds, seed_area and seed_first, and returns how many there are.
template <class Bits>
std::int32_t find_seeds(Workspace& space, const Map& map, int kernel, std::int32_t group);

// Label the seeds of at least min_area pixels and zero their bits. Their pixels that touch an unlabelled set
// pixel are queued in raster order; the others could never pass their label on. Returns the queue's length, or
// -1 if no seed is large enough.
template <class Bits, class Label>
std::int32_t plant_seeds(Workspace& space, std::int64_t min_area);

}  // namespace pse
