#include "components.hpp"

namespace pse {
namespace {

std::int32_t find(std::vector<std::int32_t>& parent, std::int32_t run) {
    while (parent[run] != run) {
        parent[run] = parent[parent[run]];
        run = parent[run];
    }
    return run;
}

// The smaller index stays the root, so a root is the first run of its component.
void join(std::vector<std::int32_t>& parent, std::int32_t a, std::int32_t b) {
    a = find(parent, a);
    b = find(parent, b);
    if (a < b) parent[b] = a;
    else parent[a] = b;
}

}  // namespace

std::int32_t number_components(std::vector<Run>& runs, std::vector<std::int32_t>& parent) {
    const auto count = static_cast<std::int32_t>(runs.size());
    parent.resize(runs.size());
    std::int32_t above = 0;  // the first run of the previous row that may touch the current one
    for (std::int32_t i = 0; i < count; ++i) {
        parent[i] = i;
        const Run& run = runs[i];
        while (runs[above].row < run.row - 1 || (runs[above].row == run.row - 1 && runs[above].end <= run.begin)) {
            ++above;
        }
        for (std::int32_t j = above; runs[j].row == run.row - 1 && runs[j].begin < run.end; ++j) join(parent, i, j);
    }
    std::int32_t highest = 0;
    for (std::int32_t i = 0; i < count; ++i) {
        const std::int32_t root = find(parent, i);
        runs[i].label = root == i ? ++highest : runs[root].label;
    }
    return highest;
}

std::int32_t group_cells(Workspace& space) {
    const std::int32_t groups = number_components(space.cells, space.parent);
    // Counting sort; starts[g] is where group g begins in the order.
    std::vector<std::int32_t>& starts = space.cell_starts;
    starts.assign(static_cast<std::size_t>(groups) + 2, 0);
    for (const Run& run : space.cells) ++starts[run.label];
    std::int32_t begin = 0;
    for (std::int32_t& start : starts) {
        const std::int32_t count = start;
        start = begin;
        begin += count;
    }
    std::vector<std::int32_t>& order = space.cell_order;
    order.resize(space.cells.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[starts[space.cells[i].label]++] = static_cast<std::int32_t>(i);
    for (std::int32_t group = groups + 1; group > 0; --group) starts[group] = starts[group - 1];
    return groups;
}

}  // namespace pse
