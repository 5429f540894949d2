// The records that pass between the stages of the post-processing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pse {

struct Simd;  // simd.hpp

// What the caller asks for; checked by the Python layer and again at the binding.
struct Params {
    float thresh = 0.0f;
    float box_thresh = 0.0f;
    std::int64_t min_area = 0;
    int scale = 1;          // 1, 2 or 4: size of a label-map pixel in network-input pixels
    bool polygons = false;  // outer contours as well as rectangles
    bool profile = false;   // measure what each stage takes
    const Simd* simd = nullptr;
};

struct Point {
    std::int32_t x, y;
};

struct Corner {
    float x, y;
};

// Raw network output of one picture: K planes of h x w float32, without gaps.
struct Logits {
    const float* data;
    int kernels, h, w;
    std::size_t plane() const { return static_cast<std::size_t>(h) * static_cast<std::size_t>(w); }
    const float* row(int y) const { return data + static_cast<std::size_t>(y) * static_cast<std::size_t>(w); }
};

// The label map, divided into cells of `cell` x `cell` pixels: what lies between four neighbouring logits.
// Cell -1 is the half cell before the first logit. A map that is not interpolated has cells of one pixel.
struct Map {
    int height = 0, width = 0;
    int cell = 1;
    int top_of(int band) const { return band * cell + cell / 2; }
    int left_of(int column) const { return column * cell + cell / 2; }
};

// A stretch of one row of pixels, or of one band of cells; end is exclusive.
struct Run {
    std::int32_t row, begin, end;
    std::int32_t label;
};

// The part of the map that holds one group, with one unset pixel around it, so that no neighbour needs a
// bounds check. Windows share the same few kilobytes, so all work on a group happens in cache.
struct Window {
    int top = 0, left = 0;       // map coordinates of its first pixel; may be -2 at the map's edge
    int height = 0, width = 0;
    std::int32_t stride = 0;
    std::size_t size() const {
        return static_cast<std::size_t>(stride) * (static_cast<std::size_t>(height) + 2);
    }
    std::int32_t at(int y, int x) const { return (y - top + 1) * stride + x - left + 1; }  // map coordinates
};

// One text region. Bounds are inclusive, in map coordinates.
struct Region {
    std::int64_t area = 0;
    double score_sum = 0.0;
    std::int32_t top = INT32_MAX, bottom = -1;
    std::int32_t ends = -1;  // where its rows start in Workspace::row_ends
};

enum Stage { kEncode, kThreshold, kGrow, kRegions, kOutlines, kStages };

// The regions that passed min_area and box_thresh, in the order of their labels.
struct Picture {
    std::vector<std::int32_t> labels;
    std::vector<std::int64_t> areas;
    std::vector<float> scores;
    std::vector<Corner> quads;          // four a region, in pixels of the label map
    std::vector<Point> points;          // contours, one after the other (only when asked for)
    std::vector<std::int64_t> offsets;  // region i owns points [offsets[i], offsets[i + 1])
    double seconds[kStages] = {};
};

}  // namespace pse
