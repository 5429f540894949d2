#pragma once

#include "workspace.hpp"

namespace pse {

// Grow the `queued` seed pixels of the open window through the kernels `levels - 1` ... 0 (PSENet, Wang et al.,
// CVPR 2019, section 3.3).
//
// At each level the queue is worked off first in, first out; a neighbour (up, down, left, right) that this
// level's kernel holds and that has no label takes the label and joins the queue. A pixel that passed its
// label on is done; one that did not waits for the next level. A pixel's bits are zeroed when it is labelled.
template <class Bits, class Label>
void grow(Workspace& space, int levels, std::int32_t queued);

}  // namespace pse
