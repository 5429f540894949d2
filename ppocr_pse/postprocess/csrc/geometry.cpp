#include "geometry.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace pse {
namespace {

constexpr double kPi = 3.14159265358979323846;

// Twice the signed area of a, b, c: positive when the turn at b is clockwise on the screen (y down).
std::int64_t turn(const Point& a, const Point& b, const Point& c) {
    return (static_cast<std::int64_t>(b.x) - a.x) * (static_cast<std::int64_t>(c.y) - b.y) -
           (static_cast<std::int64_t>(b.y) - a.y) * (static_cast<std::int64_t>(c.x) - b.x);
}

// Add a point to a chain that may only turn clockwise; `floor` points at its start are not its own.
void extend(std::vector<Point>& chain, std::size_t floor, const Point& point) {
    while (chain.size() >= floor + 2 && turn(chain[chain.size() - 2], chain.back(), point) <= 0) chain.pop_back();
    chain.push_back(point);
}

// The calipers' result depends, in ties, on where the outline starts. This is the start OpenCV's hull takes:
// the lowest of the rightmost points; but when one side of the outline is a single edge from its first to its
// last point in raster order, the end of that edge from which the rest runs monotonously.
std::size_t first_corner(const std::vector<Point>& hull, std::size_t last) {
    const std::size_t count = hull.size();
    if (last == count - 1) return 0;  // hull[0] is the first point in raster order, hull[last] the last one
    if (last == 1) return 1;
    std::size_t start = 0;
    for (std::size_t i = 1; i < count; ++i) {
        if (hull[i].x > hull[start].x || (hull[i].x == hull[start].x && hull[i].y > hull[start].y)) start = i;
    }
    return start;
}

struct Rectangle {
    float corner_x, corner_y;   // where its two sides meet
    float along_x, along_y;     // first side
    float across_x, across_y;   // second side
};

Rectangle rotate_calipers(const std::vector<Point>& hull) {
    const int count = static_cast<int>(hull.size());
    // One outline vertex touches each caliper: 0 least y, 1 greatest x, 2 greatest y, 3 least x.
    int touch[4] = {0, 0, 0, 0};
    for (int i = 1; i < count; ++i) {
        if (hull[i].y < hull[touch[0]].y) touch[0] = i;
        if (hull[i].x > hull[touch[1]].x) touch[1] = i;
        if (hull[i].y > hull[touch[2]].y) touch[2] = i;
        if (hull[i].x < hull[touch[3]].x) touch[3] = i;
    }
    const auto x_of = [&](int i) { return static_cast<float>(hull[i].x); };
    const auto y_of = [&](int i) { return static_cast<float>(hull[i].y); };
    // The edge that leaves the vertex under caliper `side`, turned back by `side` quarter turns.
    const auto leaving = [&](int side) {
        const Point& from = hull[touch[side]];
        const Point& to = hull[touch[side] + 1 == count ? 0 : touch[side] + 1];
        const auto dx = static_cast<float>(to.x - from.x), dy = static_cast<float>(to.y - from.y);
        switch (side) {
            case 0: return Corner{dx, dy};
            case 1: return Corner{dy, -dx};
            case 2: return Corner{-dx, -dy};
            default: return Corner{-dy, dx};
        }
    };

    float least = std::numeric_limits<float>::max();
    float a = 1.0f, b = 0.0f, width = 0.0f, height = 0.0f;
    int left = 0, bottom = 0;
    for (int i = 0; i < count; ++i) {
        // Turn the calipers until the first of the four edges lies flat.
        int flat = 0;
        Corner edge = leaving(0);
        for (int side = 1; side < 4; ++side) {
            const Corner other = leaving(side);
            if (other.y * edge.x - other.x * edge.y < 0.0f) {
                flat = side;
                edge = other;
            }
        }
        const double dx = edge.x, dy = edge.y;
        const auto inverse_length = static_cast<float>(1.0 / std::sqrt(dx * dx + dy * dy));
        const float ca = edge.x * inverse_length, cb = edge.y * inverse_length;
        touch[flat] = touch[flat] + 1 == count ? 0 : touch[flat] + 1;

        const float wx = x_of(touch[1]) - x_of(touch[3]), wy = y_of(touch[1]) - y_of(touch[3]);
        const float hx = x_of(touch[2]) - x_of(touch[0]), hy = y_of(touch[2]) - y_of(touch[0]);
        const float w = wx * ca + wy * cb;
        const float h = -hx * cb + hy * ca;
        if (w * h <= least) {  // the last of equal ones, as in OpenCV
            least = w * h;
            a = ca, b = cb, width = w, height = h;
            left = touch[3], bottom = touch[0];
        }
    }
    // Meet of the line along (a, b) at `bottom` with the one across it at `left`.
    const float c1 = a * x_of(left) + y_of(left) * b;
    const float c2 = -b * x_of(bottom) + y_of(bottom) * a;
    const float scale = 1.0f / (a * a + b * b);
    return {(c1 * a - c2 * b) * scale, (a * c2 + b * c1) * scale, a * width, b * width, -b * height, a * height};
}

}  // namespace

void convex_hull(const std::int32_t* ends, int rows, int top, std::vector<Point>& hull) {
    hull.clear();
    // Right side downwards from the first point in raster order, then left side upwards from the last one.
    hull.push_back({ends[0], top});
    for (int i = 0; i < rows; ++i) {
        const Point point{ends[2 * i + 1], top + i};
        if (point.x != hull.back().x || point.y != hull.back().y) extend(hull, 0, point);
    }
    const std::size_t last = hull.size() - 1;
    for (int i = rows - 1; i >= 0; --i) {
        const Point point{ends[2 * i], top + i};
        if (point.x != hull.back().x || point.y != hull.back().y) extend(hull, last, point);
    }
    if (hull.size() > 1) hull.pop_back();  // the start again
    if (hull.size() == 2) std::swap(hull[0], hull[1]);  // OpenCV's order again: the right or lower end first
    if (hull.size() > 2) {
        const std::size_t start = first_corner(hull, last);
        std::rotate(hull.begin(), hull.begin() + static_cast<std::ptrdiff_t>(start), hull.end());
    }
}

void min_area_rectangle(const std::vector<Point>& hull, Corner corners[4]) {
    float centre_x, centre_y, width, height, angle;
    if (hull.size() > 2) {
        const Rectangle r = rotate_calipers(hull);
        centre_x = r.corner_x + (r.along_x + r.across_x) * 0.5f;
        centre_y = r.corner_y + (r.along_y + r.across_y) * 0.5f;
        width = static_cast<float>(std::sqrt(static_cast<double>(r.along_x) * r.along_x +
                                             static_cast<double>(r.along_y) * r.along_y));
        height = static_cast<float>(std::sqrt(static_cast<double>(r.across_x) * r.across_x +
                                              static_cast<double>(r.across_y) * r.across_y));
        angle = static_cast<float>(std::atan2(static_cast<double>(r.along_y), static_cast<double>(r.along_x)));
    } else {
        const Point& p = hull.front();
        const Point& q = hull.back();
        centre_x = (static_cast<float>(p.x) + static_cast<float>(q.x)) * 0.5f;
        centre_y = (static_cast<float>(p.y) + static_cast<float>(q.y)) * 0.5f;
        const double dx = static_cast<double>(q.x) - p.x, dy = static_cast<double>(q.y) - p.y;
        width = static_cast<float>(std::sqrt(dx * dx + dy * dy));
        height = 0.0f;
        angle = static_cast<float>(std::atan2(dy, dx));
    }
    // Through degrees and back, because the rounding of that detour is part of OpenCV's result.
    const auto degrees = static_cast<float>(static_cast<double>(angle * 180.0f) / kPi);
    const double radians = static_cast<double>(degrees) * kPi / 180.0;
    const float b = static_cast<float>(std::cos(radians)) * 0.5f;
    const float a = static_cast<float>(std::sin(radians)) * 0.5f;
    corners[0] = {centre_x - a * height - b * width, centre_y + b * height - a * width};
    corners[1] = {centre_x + a * height - b * width, centre_y - b * height - a * width};
    corners[2] = {2.0f * centre_x - corners[0].x, 2.0f * centre_y - corners[0].y};
    corners[3] = {2.0f * centre_x - corners[1].x, 2.0f * centre_y - corners[1].y};
}

}  // namespace pse
