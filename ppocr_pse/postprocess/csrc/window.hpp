#pragma once

#include "simd.hpp"
#include "workspace.hpp"

namespace pse {

// Where the bits of a map come from: logits to interpolate, or codes that are the pixels already.
struct Source {
    Map map;
    const Logits* logits;  // null for binary kernels
    float thresh;
    const Simd* simd;
    int kernels;
};

// The cells of row `band` and `band + 1` of the logits.
Band make_band(const Source& source, int band);

// Open the window of a group and set its bits: bit k where kernel k is set. For logits: where the upsampled logit
// of kernel k and that of the text (kernel 0) both exceed the threshold; bilinear, half-pixel centres. Where a
// kernel's four corners agree, so does every pixel between them, and nothing is interpolated.
// Throws std::length_error when 32-bit indices do not reach.
template <class Bits>
void open_window(Workspace& space, const Source& source, std::int32_t group);

// Take back what the group's cells have set; labels only if the group had any.
template <class Bits, class Label>
void close_window(Workspace& space, const Map& map, std::int32_t group, bool labelled);

}  // namespace pse
