#pragma once

#include "types.hpp"

namespace pse {

// Append the outer border of one 4-connected region: border following (Suzuki and Abe, 1985), starting at the
// topmost leftmost pixel and going down its left side; only the points where the direction changes are kept.
// labels: of the window; x, y: the region's first pixel in raster order. Points are in map coordinates.
template <class Label>
void follow_contour(const Label* labels, const Window& window, int y, int x, std::vector<Point>& points);

}  // namespace pse
