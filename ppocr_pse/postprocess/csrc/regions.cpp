#include "regions.hpp"

#include <algorithm>

#include "contour.hpp"
#include "geometry.hpp"
#include "scan.hpp"

namespace pse {
namespace {

// The runs of labels in the cell runs of a group.
template <class Label>
void find_runs(Workspace& space, const Map& map, std::int32_t group) {
    space.runs.clear();
    for (std::int32_t i = space.cell_starts[group]; i < space.cell_starts[group + 1]; ++i) {
        const Run& cells = space.cells[space.cell_order[i]];
        const int begin = map.left_of(cells.begin), end = map.left_of(cells.end);
        for (int y = map.top_of(cells.row); y < map.top_of(cells.row + 1); ++y) {
            const Label* row = space.labels<Label>() + space.window.at(y, begin);
            if constexpr (sizeof(Label) == 1) {
                if (space.regions.size() == 2) {  // one label: all that is set is one region
                    scan_mask(row, begin, end, Label{1}, y, space.runs);
                    continue;
                }
            }
            for (int x = 0; x < end - begin;) {
                const Label label = row[x];
                const int first = x++;
                while (x < end - begin && row[x] == label) ++x;
                if (label) space.runs.push_back({y, begin + first, begin + x, static_cast<std::int32_t>(label)});
            }
        }
    }
    if (sizeof(Label) == 1 && space.regions.size() == 2) {
        for (Run& run : space.runs) run.label = 1;
    }
}

template <class Label>
ScoresFn<Label> scorer(const Simd& simd, int cell) {
    const int i = cell == 4 ? 0 : cell == 2 ? 1 : 2;
    if constexpr (sizeof(Label) == 1) return simd.scores8[i];
    else return simd.scores32[i];
}

}  // namespace

template <class Label>
void measure_regions(Workspace& space, const Source& source, std::int32_t group) {
    space.regions.assign(space.seed_area.size(), Region{});
    find_runs<Label>(space, source.map, group);
    Region* regions = space.regions.data();
    for (const Run& run : space.runs) {
        Region& region = regions[run.label];
        region.area += run.end - run.begin;
        region.top = std::min(region.top, run.row);
        region.bottom = std::max(region.bottom, run.row);
    }
    std::int32_t rows = 0;
    for (Region& region : space.regions) {
        region.ends = rows;
        if (region.area) rows += region.bottom - region.top + 1;
    }
    space.row_ends.assign(2 * static_cast<std::size_t>(rows), -1);
    for (const Run& run : space.runs) {
        const Region& region = regions[run.label];
        std::int32_t* ends = &space.row_ends[2 * static_cast<std::size_t>(region.ends + run.row - region.top)];
        if (ends[0] < 0 || run.begin < ends[0]) ends[0] = run.begin;
        ends[1] = std::max(ends[1], run.end - 1);
    }
    const ScoresFn<Label> add_scores = scorer<Label>(*source.simd, source.map.cell);
    for (std::int32_t i = space.cell_starts[group]; i < space.cell_starts[group + 1]; ++i) {
        const Run& cells = space.cells[space.cell_order[i]];
        const Label* labels =
            space.labels<Label>() + space.window.at(source.map.top_of(cells.row), source.map.left_of(cells.begin));
        add_scores(make_band(source, cells.row), cells.begin, cells.end, labels, space.window.stride, regions);
    }
}

template <class Label>
void outline_regions(Workspace& space, const Params& params) {
    for (std::size_t label = 1; label < space.regions.size(); ++label) {
        const Region& region = space.regions[label];
        if (region.area == 0 || region.area < params.min_area) continue;
        const auto score = static_cast<float>(region.score_sum / static_cast<double>(region.area));
        if (score < params.box_thresh) continue;
        Candidate candidate;
        candidate.first = space.seed_first[label];
        candidate.area = region.area;
        candidate.score = score;
        const int rows = region.bottom - region.top + 1;
        const std::int32_t* ends = &space.row_ends[2 * static_cast<std::size_t>(region.ends)];
        convex_hull(ends, rows, region.top, space.hull);
        min_area_rectangle(space.hull, candidate.quad);
        candidate.points_begin = space.points.size();
        // A line one pixel thick has no contour of three points: it has no polygon, its quad stands in.
        if (params.polygons && rows > 1 && space.hull.size() > 2) {
            follow_contour(space.labels<Label>(), space.window, region.top, ends[0], space.points);
        }
        candidate.points_end = space.points.size();
        space.candidates.push_back(candidate);
    }
}

void collect(Workspace& space, const Params& params, Picture& picture) {
    std::vector<Candidate>& found = space.candidates;
    std::sort(space.seed_keys.begin(), space.seed_keys.end());
    std::sort(found.begin(), found.end(), [](const Candidate& a, const Candidate& b) { return a.first < b.first; });
    picture.labels.reserve(found.size());
    picture.areas.reserve(found.size());
    picture.scores.reserve(found.size());
    picture.quads.reserve(found.size() * 4);
    picture.points.reserve(space.points.size());
    picture.offsets.push_back(0);
    std::size_t rank = 0;
    for (const Candidate& candidate : found) {
        while (space.seed_keys[rank] != candidate.first) ++rank;
        picture.labels.push_back(static_cast<std::int32_t>(rank) + 1);
        picture.areas.push_back(candidate.area);
        picture.scores.push_back(candidate.score);
        picture.quads.insert(picture.quads.end(), candidate.quad, candidate.quad + 4);
        if (!params.polygons) continue;
        const Point* points = space.points.data();
        picture.points.insert(picture.points.end(), points + candidate.points_begin, points + candidate.points_end);
        picture.offsets.push_back(static_cast<std::int64_t>(picture.points.size()));
    }
}

template void measure_regions<std::uint8_t>(Workspace&, const Source&, std::int32_t);
template void measure_regions<std::int32_t>(Workspace&, const Source&, std::int32_t);
template void outline_regions<std::uint8_t>(Workspace&, const Params&);
template void outline_regions<std::int32_t>(Workspace&, const Params&);

}  // namespace pse
