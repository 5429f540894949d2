#pragma once

#include "workspace.hpp"

namespace pse {

// Codes: bit k tells whether kernel k is set there. Row y starts at codes + y * code_stride + 1.

// Codes of the logits: which exceed the threshold. The border columns are repeated once on either side.
template <class Bits>
void encode_logits(Workspace& space, const Logits& logits, const Params& params);

// Codes of binary kernels, uint8 (K, H, W) without gaps, any value but 0 is set.
template <class Bits>
void encode_kernels(Workspace& space, const std::uint8_t* kernels, int count, int height, int width);

// The runs of cells that may hold text, band after band: between logits (cell > 1) those with a text code at
// one of their corners; without interpolation those with `mask` in their code.
template <class Bits>
void find_cells(Workspace& space, const Map& map, int h, int w, Bits mask);

}  // namespace pse
