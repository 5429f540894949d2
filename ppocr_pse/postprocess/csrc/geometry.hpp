#pragma once

#include "types.hpp"

namespace pse {

// Corners of a strictly convex outline, collinear points left out.
// ends: leftmost and rightmost pixel of `rows` consecutive rows from `top` on; every row must hold a pixel.
void convex_hull(const std::int32_t* ends, int rows, int top, std::vector<Point>& hull);

// The rectangle of least area around a convex outline (rotating calipers: Toussaint 1983; Freeman and
// Shapira 1975: one side lies along an edge). float32 throughout, as OpenCV computes it, because corners
// near .5 decide the rounded result. Outlines of one and two points give a rectangle without area.
void min_area_rectangle(const std::vector<Point>& hull, Corner corners[4]);

}  // namespace pse
