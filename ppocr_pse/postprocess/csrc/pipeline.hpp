#pragma once

#include "workspace.hpp"

namespace pse {

// Logits of one picture to its text regions.
Picture decode_picture(Workspace& space, const Logits& logits, const Params& params);

// The pictures of a batch, each by one of `threads` threads; results in the order of the pictures.
std::vector<Picture> decode_batch(const float* maps, int batch, int kernels, int h, int w, const Params& params,
                                  int threads);

// The label map that decode_picture works on: int32 (H, W) with H = h * 4 / scale.
void label_picture(Workspace& space, const Logits& logits, const Params& params, std::int32_t* labels);

// Label map of binary kernels, uint8 (K, H, W), any value but 0 is set.
void expand_kernels(Workspace& space, const std::uint8_t* kernels, int count, int height, int width,
                    std::int64_t min_area, std::int32_t* labels);

// The buffers of the calling thread; they stay allocated for its next call.
std::vector<Workspace>& workspaces();

}  // namespace pse
