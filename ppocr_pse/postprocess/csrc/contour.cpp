#include "contour.hpp"

namespace pse {
namespace {

// Directions in eighths of a turn, counter-clockwise on the screen, from "right" on.
constexpr int kDx[8] = {1, 1, 0, -1, -1, -1, 0, 1};
constexpr int kDy[8] = {0, -1, -1, -1, 0, 1, 1, 1};
constexpr int kLeft = 4;

}  // namespace

template <class Label>
void follow_contour(const Label* labels, const Window& window, int y, int x, std::vector<Point>& points) {
    std::int32_t step[8];
    for (int d = 0; d < 8; ++d) step[d] = kDy[d] * window.stride + kDx[d];
    const std::int32_t start = window.at(y, x);
    const Label label = labels[start];

    // Nothing of the region lies left of its first pixel: turn clockwise from there to the border's end.
    int last = kLeft;
    do last = (last + 7) & 7;
    while (last != kLeft && labels[start + step[last]] != label);
    if (last == kLeft) {
        points.push_back({x, y});
        return;
    }
    const std::int32_t before_start = start + step[last];

    std::int32_t here = start;
    int from = last;        // direction back to the previous border pixel
    int heading = from ^ 4;  // of the step that led here
    while (true) {
        int d = from;
        do d = (d + 1) & 7;
        while (labels[here + step[d]] != label);
        if (d != heading) {
            points.push_back({x, y});
            heading = d;
        }
        const std::int32_t ahead = here + step[d];
        if (ahead == start && here == before_start) return;
        here = ahead;
        x += kDx[d];
        y += kDy[d];
        from = d ^ 4;
    }
}

template void follow_contour<std::uint8_t>(const std::uint8_t*, const Window&, int, int, std::vector<Point>&);
template void follow_contour<std::int32_t>(const std::int32_t*, const Window&, int, int, std::vector<Point>&);

}  // namespace pse
