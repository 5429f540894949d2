#include "pipeline.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <system_error>
#include <thread>

#include "components.hpp"
#include "encode.hpp"
#include "grow.hpp"
#include "regions.hpp"
#include "seeds.hpp"
#include "window.hpp"

namespace pse {
namespace {

// Adds up what each stage takes, if it is to be known.
class StageClock {
public:
    StageClock(bool running, double* seconds) : seconds_(running ? seconds : nullptr) {
        if (seconds_) last_ = Clock::now();
    }
    void charge(Stage stage) {
        if (!seconds_) return;
        const Clock::time_point now = Clock::now();
        seconds_[stage] += std::chrono::duration<double>(now - last_).count();
        last_ = now;
    }

private:
    using Clock = std::chrono::steady_clock;
    double* seconds_;
    Clock::time_point last_;
};

// Label the open window and close it; `finish` is called in between, with a Label{} to tell the type of its labels.
template <class Bits, class Label, class Function>
void label_group(Workspace& space, const Source& source, std::int32_t group, std::int64_t min_area, StageClock& clock,
                 const Function& finish) {
    std::get<Buffer<Label>>(space.label_maps).reserve(space.window.size() + kOverread);
    const std::int32_t queued = plant_seeds<Bits, Label>(space, min_area);
    if (queued >= 0) {
        grow<Bits, Label>(space, source.kernels - 1, queued);
        clock.charge(kGrow);
        finish(group, Label{});
    }
    close_window<Bits, Label>(space, source.map, group, queued >= 0);
}

// Group by group: bits, seeds, growth, and then what `finish` makes of it.
template <class Bits, class Function>
void label_groups(Workspace& space, const Source& source, std::int64_t min_area, StageClock& clock,
                  const Function& finish) {
    const std::int32_t groups = group_cells(space);
    space.seed_keys.clear();
    clock.charge(kEncode);
    for (std::int32_t group = 1; group <= groups; ++group) {
        open_window<Bits>(space, source, group);
        clock.charge(kThreshold);
        const std::int32_t seeds = find_seeds<Bits>(space, source.map, source.kernels - 1, group);
        space.seed_keys.insert(space.seed_keys.end(), space.seed_first.begin() + 1, space.seed_first.end());
        // Labels of one byte, where they suffice, keep the window in the innermost cache.
        if (seeds == 0) close_window<Bits, std::uint8_t>(space, source.map, group, false);
        else if (seeds <= UINT8_MAX) label_group<Bits, std::uint8_t>(space, source, group, min_area, clock, finish);
        else label_group<Bits, std::int32_t>(space, source, group, min_area, clock, finish);
    }
    space.shrink();
}

template <class Bits>
Source encode(Workspace& space, const Logits& logits, const Params& params) {
    const int cell = 4 / params.scale;
    const Source source{{logits.h * cell, logits.w * cell, cell}, &logits, params.thresh, params.simd, logits.kernels};
    encode_logits<Bits>(space, logits, params);
    find_cells<Bits>(space, source.map, logits.h, logits.w, Bits{1});
    return source;
}

template <class Bits>
Picture decode_picture(Workspace& space, const Logits& logits, const Params& params) {
    Picture picture;
    StageClock clock(params.profile, picture.seconds);
    space.candidates.clear();
    space.points.clear();
    space.seed_keys.clear();
    if (logits.plane() != 0) {
        const Source source = encode<Bits>(space, logits, params);
        const auto finish = [&](std::int32_t group, auto label) {
            measure_regions<decltype(label)>(space, source, group);
            clock.charge(kRegions);
            outline_regions<decltype(label)>(space, params);
            clock.charge(kOutlines);
        };
        label_groups<Bits>(space, source, params.min_area, clock, finish);
    }
    collect(space, params, picture);
    clock.charge(kOutlines);
    return picture;
}

// Write the labels of all groups to one map. The groups' own numbers are replaced by the seeds' raster order, which is
// known only at the end: until then a label is the seed's place in space.seed_keys.
template <class Bits>
void write_labels(Workspace& space, const Source& source, std::int64_t min_area, std::int32_t* labels) {
    StageClock clock(false, nullptr);
    const auto width = static_cast<std::size_t>(source.map.width);
    const std::size_t pixels = width * static_cast<std::size_t>(source.map.height);
    std::fill(labels, labels + pixels, 0);
    const auto finish = [&](std::int32_t group, auto label) {
        using Label = decltype(label);
        const auto base = static_cast<std::int32_t>(space.seed_keys.size() - (space.seed_first.size() - 1));
        for (std::int32_t i = space.cell_starts[group]; i < space.cell_starts[group + 1]; ++i) {
            const Run& run = space.cells[space.cell_order[i]];
            const int begin = std::max(source.map.left_of(run.begin), 0);
            const int end = std::min(source.map.left_of(run.end), source.map.width);
            for (int y = std::max(source.map.top_of(run.row), 0);
                 y < std::min(source.map.top_of(run.row + 1), source.map.height); ++y) {
                const Label* from = space.labels<Label>() + space.window.at(y, begin);
                std::int32_t* to = labels + static_cast<std::size_t>(y) * width;
                for (int x = begin; x < end; ++x, ++from) to[x] = *from ? base + static_cast<std::int32_t>(*from) : 0;
            }
        }
    };
    label_groups<Bits>(space, source, min_area, clock, finish);
    std::vector<std::int32_t> order(space.seed_keys.size()), number(space.seed_keys.size() + 1, 0);
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int32_t>(i);
    std::sort(order.begin(), order.end(), [&](int a, int b) { return space.seed_keys[a] < space.seed_keys[b]; });
    for (std::size_t i = 0; i < order.size(); ++i) number[order[i] + 1] = static_cast<std::int32_t>(i) + 1;
    for (std::size_t i = 0; i < pixels; ++i) labels[i] = number[labels[i]];
}

template <class Bits>
void label_picture(Workspace& space, const Logits& logits, const Params& params, std::int32_t* labels) {
    if (logits.plane() == 0) return;
    write_labels<Bits>(space, encode<Bits>(space, logits, params), params.min_area, labels);
}

template <class Bits>
void expand_kernels(Workspace& space, const std::uint8_t* kernels, int count, int height, int width,
                    std::int64_t min_area, std::int32_t* labels) {
    if (height == 0 || width == 0) return;
    const Source source{{height, width, 1}, nullptr, 0.0f, nullptr, count};
    encode_kernels<Bits>(space, kernels, count, height, width);
    find_cells<Bits>(space, source.map, height, width, static_cast<Bits>(~Bits{0}));
    write_labels<Bits>(space, source, min_area, labels);
}

// Call `function` with the narrowest type that has a bit for each kernel.
template <class Function>
auto with_bits(int kernels, Function function) {
    if (kernels <= 8) return function(std::uint8_t{});
    if (kernels <= 16) return function(std::uint16_t{});
    return function(std::uint32_t{});
}

}  // namespace

Picture decode_picture(Workspace& space, const Logits& logits, const Params& params) {
    return with_bits(logits.kernels, [&](auto bits) { return decode_picture<decltype(bits)>(space, logits, params); });
}

std::vector<Picture> decode_batch(const float* maps, int batch, int kernels, int h, int w, const Params& params,
                                  int threads) {
    std::vector<Picture> pictures(static_cast<std::size_t>(batch));
    const auto count = static_cast<std::size_t>(std::max(1, std::min(threads, batch)));
    std::vector<Workspace>& spaces = workspaces();
    if (spaces.size() < count) spaces.resize(count);
    std::atomic<int> next{0};
    std::vector<std::exception_ptr> faults(count);
    const auto work = [&](std::size_t worker) {
        try {
            for (int i = next++; i < batch; i = next++) {
                Logits logits{maps, kernels, h, w};
                logits.data += static_cast<std::size_t>(i) * static_cast<std::size_t>(kernels) * logits.plane();
                pictures[static_cast<std::size_t>(i)] = decode_picture(spaces[worker], logits, params);
            }
        } catch (...) {
            faults[worker] = std::current_exception();
        }
    };
    std::vector<std::thread> helpers;
    helpers.reserve(count);
    try {
        for (std::size_t i = 1; i < count; ++i) helpers.emplace_back(work, i);
    } catch (const std::system_error&) {
        // The system has no more threads to give: those that started, and this one, do all the work.
    }
    work(0);
    for (std::thread& helper : helpers) helper.join();
    for (const std::exception_ptr& fault : faults) {
        if (fault) std::rethrow_exception(fault);
    }
    return pictures;
}

void label_picture(Workspace& space, const Logits& logits, const Params& params, std::int32_t* labels) {
    with_bits(logits.kernels, [&](auto bits) { label_picture<decltype(bits)>(space, logits, params, labels); });
}

void expand_kernels(Workspace& space, const std::uint8_t* kernels, int count, int height, int width,
                    std::int64_t min_area, std::int32_t* labels) {
    with_bits(count, [&](auto bits) {
        expand_kernels<decltype(bits)>(space, kernels, count, height, width, min_area, labels);
    });
}

std::vector<Workspace>& workspaces() {
    thread_local std::vector<Workspace> spaces(1);
    return spaces;
}

}  // namespace pse
