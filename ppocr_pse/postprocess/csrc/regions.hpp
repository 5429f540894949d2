#pragma once

#include "window.hpp"

namespace pse {

// One pass over the label runs of a group: area, bounds, score sum and row ends of each label. Row ends go to
// space.row_ends, from Region::ends on: leftmost and rightmost pixel of each row, in map coordinates.
template <class Label>
void measure_regions(Workspace& space, const Source& source, std::int32_t group);

// Add the regions that pass min_area and box_thresh to space.candidates, with their rectangles and, when asked
// for, their contours.
template <class Label>
void outline_regions(Workspace& space, const Params& params);

// The candidates in the order of their labels, under the numbers that the seeds' raster order gives.
void collect(Workspace& space, const Params& params, Picture& picture);

}  // namespace pse
