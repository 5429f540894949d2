#include "grow.hpp"

#include <utility>

namespace pse {
namespace {

// Work off the queue [head, tail) through one level; what is labelled on the way is appended to it. Pixels that
// wait for the next level go to `next`. Returns the end of those.
template <class Bits>
Pixel* flood(Bits* bits, std::ptrdiff_t stride, int level, const Pixel* head, Pixel*& tail, Pixel* next) {
    const auto here = static_cast<Bits>(Bits{1} << level);
    const auto later = static_cast<Bits>(here - 1);
    Pixel* end = tail;
    for (; head < end; ++head) {
        const Pixel pixel = *head;
        Bits* const p = bits + index_of(pixel);
        const Bits up = p[-stride], down = p[stride], left = p[-1], right = p[1];
        const auto around = static_cast<Bits>(up | down | left | right);
        if (!(around & here)) {
            // With no later kernel around it, it can never pass anything on: dropping it changes nothing.
            *next = pixel;
            next += (around & later) != 0;
            continue;
        }
        const auto take = [&](std::ptrdiff_t step) {
            p[step] = 0;
            *end++ = pixel + static_cast<Pixel>(step);
        };
        if (up & here) take(-stride);
        if (down & here) take(stride);
        if (left & here) take(-1);
        if (right & here) take(1);
    }
    tail = end;
    return next;
}

}  // namespace

template <class Bits, class Label>
void grow(Workspace& space, int levels, std::int32_t queued) {
    Label* const labels = space.labels<Label>();
    Pixel* queue = space.queue.data();
    Pixel* next = space.next.data();
    Pixel* tail = queue + queued;
    for (int level = levels - 1; level >= 0 && tail > queue; --level) {
        const Pixel* const fresh = tail;
        Pixel* const waiting = flood(space.bits<Bits>(), space.window.stride, level, queue, tail, next);
        for (const Pixel* i = fresh; i < tail; ++i) labels[index_of(*i)] = static_cast<Label>(*i >> 32);
        std::swap(queue, next);
        tail = waiting;
    }
}

#define PSE_INSTANTIATE(Bits)                                              \
    template void grow<Bits, std::uint8_t>(Workspace&, int, std::int32_t); \
    template void grow<Bits, std::int32_t>(Workspace&, int, std::int32_t);
PSE_INSTANTIATE(std::uint8_t)
PSE_INSTANTIATE(std::uint16_t)
PSE_INSTANTIATE(std::uint32_t)
#undef PSE_INSTANTIATE

}  // namespace pse
