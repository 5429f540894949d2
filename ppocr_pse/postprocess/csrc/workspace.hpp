// Buffers that outlive a call, so that a stream of pictures does not page-fault its memory again.
#pragma once

#include <cstdint>
#include <memory>
#include <tuple>
#include <vector>

#include "types.hpp"

namespace pse {

// Pixels that must be readable after a map, since scans read eight at a time.
constexpr std::size_t kOverread = 8;

// Memory that only grows. With `zeroed`, what is new is zero; without, it is not even touched.
template <class T, bool zeroed = true>
class Buffer {
public:
    T* reserve(std::size_t count) {
        if (count > capacity_) {
            const std::size_t grown = count + count / 2;
            release();  // the old block goes first: the peak is one block, not two
            data_.reset(zeroed ? new T[grown]() : new T[grown]);
            capacity_ = grown;
        }
        return data_.get();
    }
    T* data() const { return data_.get(); }
    void release() {
        data_.reset();
        capacity_ = 0;
    }
    // Give back what only an unusually large picture needs.
    void shrink() {
        if (capacity_ * sizeof(T) > kKeptBytes) release();
    }

private:
    static constexpr std::size_t kKeptBytes = std::size_t{64} << 20;
    std::unique_ptr<T[]> data_;
    std::size_t capacity_ = 0;
};

// A labelled pixel: its label in the upper half, its index in the window in the lower.
using Pixel = std::uint64_t;
inline std::uint32_t index_of(Pixel pixel) { return static_cast<std::uint32_t>(pixel); }

// A region that passed, before the labels of all seeds are known.
struct Candidate {
    std::uint64_t first;  // its seed's first pixel in raster order: y << 32 | x
    std::int64_t area;
    float score;
    Corner quad[4];
    std::size_t points_begin, points_end;
};

struct alignas(128) Workspace {  // two threads never share a cache line
    // Of the whole picture.
    std::tuple<Buffer<std::uint8_t>, Buffer<std::uint16_t>, Buffer<std::uint32_t>> code_maps;
    std::size_t code_stride = 0;
    std::vector<Run> cells;  // runs of cells that may hold text; label = group
    std::vector<std::int32_t> cell_order, cell_starts;  // cell runs by group
    std::vector<std::int32_t> parent;
    std::vector<std::uint64_t> seed_keys;  // first pixel of every seed
    std::vector<Candidate> candidates;
    std::vector<Point> points;

    // Of one group. Between groups every bit and every label is zero; each group clears only what it has set.
    std::tuple<Buffer<std::uint8_t>, Buffer<std::uint16_t>, Buffer<std::uint32_t>> bit_maps;
    std::tuple<Buffer<std::uint8_t>, Buffer<std::int32_t>> label_maps;
    bool clean = true;  // false while a group is worked on: after an exception the windows are dropped
    Window window;
    std::vector<Run> seeds;  // runs of the smallest kernel; label = seed's number within the group
    std::vector<std::int64_t> seed_area;
    std::vector<std::uint64_t> seed_first;
    Buffer<Pixel, false> queue, next;
    std::vector<Run> runs;               // of labels
    std::vector<Region> regions;         // by the seed's number; 0 is unused
    std::vector<std::int32_t> row_ends;  // leftmost and rightmost pixel of each row of each region
    std::vector<Point> hull;

    void shrink() {
        const auto all = [](auto&... buffers) { (buffers.shrink(), ...); };
        std::apply(all, code_maps);
        std::apply(all, bit_maps);
        std::apply(all, label_maps);
        all(queue, next);
    }
    template <class Bits>
    Bits* codes() const { return std::get<Buffer<Bits>>(code_maps).data(); }
    template <class Bits>
    Bits* bits() const { return std::get<Buffer<Bits>>(bit_maps).data(); }
    template <class Label>
    Label* labels() const { return std::get<Buffer<Label>>(label_maps).data(); }
};

}  // namespace pse
