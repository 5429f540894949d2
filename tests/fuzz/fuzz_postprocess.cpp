// libFuzzer target: any bytes become logits or kernels, and what comes out must hold together.
//
// Checked: every instruction-set path gives the same bits, the label map equals a plain flood, regions are
// consistent with the label map, and (by the sanitizers) no access out of bounds and no undefined behaviour.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <limits>

#include "pipeline.hpp"
#include "simd.hpp"

namespace {

void check(bool condition, const char* what) {
    if (condition) return;
    std::fprintf(stderr, "broken: %s\n", what);
    std::abort();
}

// One byte to a logit: mostly near 0, now and then something unusual.
float logit(std::uint8_t byte) {
    switch (byte) {
        case 255: return std::numeric_limits<float>::quiet_NaN();
        case 254: return std::numeric_limits<float>::infinity();
        case 253: return -std::numeric_limits<float>::infinity();
        case 252: return std::numeric_limits<float>::max();
        case 251: return std::numeric_limits<float>::denorm_min();
        default: return (static_cast<float>(byte) - 125.0f) / 16.0f;
    }
}

// The definition, as in docs/postprocess.md, without any of the ways to be fast.
std::vector<std::int32_t> plain_expand(const std::vector<std::uint8_t>& kernels, int count, int height, int width,
                                       std::int64_t min_area) {
    const int size = height * width;
    std::vector<std::int32_t> label(static_cast<std::size_t>(size), 0);
    const auto set = [&](int k, int p) { return kernels[static_cast<std::size_t>(k) * size + p] != 0; };
    const auto around = [&](int p, auto visit) {
        if (p >= width) visit(p - width);
        if (p + width < size) visit(p + width);
        if (p % width) visit(p - 1);
        if (p % width + 1 < width) visit(p + 1);
    };
    std::int32_t highest = 0;
    for (int start = 0; start < size; ++start) {
        if (!set(count - 1, start) || label[start]) continue;
        std::vector<int> seed{start};
        label[start] = ++highest;
        for (std::size_t i = 0; i < seed.size(); ++i) {
            around(seed[i], [&](int n) {
                if (!set(count - 1, n) || label[n]) return;
                label[n] = highest;
                seed.push_back(n);
            });
        }
        if (static_cast<std::int64_t>(seed.size()) < min_area) {
            for (const int p : seed) label[p] = -1;  // not again a start
        }
    }
    std::deque<int> queue;
    for (int p = 0; p < size; ++p) {
        if (label[p] < 0) label[p] = 0;
        if (label[p]) queue.push_back(p);
    }
    for (int k = count - 2; k >= 0; --k) {
        std::deque<int> carried;
        while (!queue.empty()) {
            const int p = queue.front();
            queue.pop_front();
            bool passed = false;
            around(p, [&](int n) {
                if (!set(k, n) || label[n]) return;
                label[n] = label[p];
                queue.push_back(n);
                passed = true;
            });
            if (!passed) carried.push_back(p);
        }
        queue.swap(carried);
    }
    return label;
}

bool same_bytes(const pse::Picture& a, const pse::Picture& b) {
    const auto same = [](const auto& x, const auto& y) {
        return x.size() == y.size() && (x.empty() || std::memcmp(x.data(), y.data(), x.size() * sizeof x[0]) == 0);
    };
    return same(a.labels, b.labels) && same(a.areas, b.areas) && same(a.scores, b.scores) && same(a.quads, b.quads) &&
           same(a.points, b.points) && same(a.offsets, b.offsets);
}

void check_regions(const pse::Picture& picture, const std::vector<std::int32_t>& labels, int height, int width) {
    const std::size_t count = picture.labels.size();
    check(picture.areas.size() == count && picture.quads.size() == 4 * count, "lengths");
    for (std::size_t i = 0; i < count; ++i) {
        std::int64_t area = 0;
        for (const std::int32_t label : labels) area += label == picture.labels[i];
        check(area == picture.areas[i], "area");
        check(picture.scores[i] >= 0.0f && picture.scores[i] <= 1.0f, "score");
        for (int c = 0; c < 4; ++c) {
            const pse::Corner& corner = picture.quads[4 * i + static_cast<std::size_t>(c)];
            check(std::isfinite(corner.x) && std::isfinite(corner.y), "corner");
        }
        for (std::int64_t p = picture.offsets[i]; p < picture.offsets[i + 1]; ++p) {
            const pse::Point& point = picture.points[static_cast<std::size_t>(p)];
            check(point.x >= 0 && point.y >= 0 && point.x < width && point.y < height, "point inside");
            check(labels[static_cast<std::size_t>(point.y) * width + point.x] == picture.labels[i], "point of region");
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 6) return 0;
    const int kernels = 1 + data[0] % 32, w = 1 + data[1] % 40, scale = 1 << data[2] % 3;
    const std::int64_t min_area = data[3] % 20;
    const float thresh = static_cast<float>(data[4] % 9) / 4.0f - 1.0f;
    const bool binary = data[5] & 1;
    data += 6;
    size -= 6;
    const int h = static_cast<int>(std::min<std::size_t>(40, size / static_cast<std::size_t>(kernels * w)));
    const std::size_t count = static_cast<std::size_t>(kernels) * static_cast<std::size_t>(h * w);
    static pse::Workspace space;
    if (binary) {
        std::vector<std::uint8_t> maps(data, data + count);
        for (std::uint8_t& value : maps) value &= 1;
        std::vector<std::int32_t> labels(static_cast<std::size_t>(h * w));
        pse::expand_kernels(space, maps.data(), kernels, h, w, min_area, labels.data());
        check(h == 0 || labels == plain_expand(maps, kernels, h, w, min_area), "labels of kernels");
        return 0;
    }
    std::vector<float> maps(count);
    for (std::size_t i = 0; i < count; ++i) maps[i] = logit(data[i]);
    pse::Params params;
    params.thresh = thresh;
    params.box_thresh = 0.5f;
    params.min_area = min_area;
    params.scale = scale;
    params.polygons = true;
    const pse::Logits logits{maps.data(), kernels, h, w};
    const int height = h * 4 / scale, width = w * 4 / scale;
    std::vector<pse::Picture> pictures;
    std::vector<std::int32_t> first;
    for (const char* name : pse::simd_names()) {
        params.simd = pse::find_simd(name);
        std::vector<std::int32_t> labels(static_cast<std::size_t>(height) * static_cast<std::size_t>(width));
        pse::label_picture(space, logits, params, labels.data());
        if (first.empty()) first = labels;
        check(first == labels, "labels of the paths");
        pictures.push_back(pse::decode_picture(space, logits, params));
        check(same_bytes(pictures.front(), pictures.back()), "regions of the paths");
    }
    check_regions(pictures.front(), first, height, width);
    if (scale == 4 && h > 0) {  // nothing is interpolated: the kernels are known
        std::vector<std::uint8_t> set(count);
        const std::size_t plane = logits.plane();
        for (std::size_t i = 0; i < count; ++i) set[i] = maps[i] > thresh && maps[i % plane] > thresh;
        check(first == plain_expand(set, kernels, h, w, min_area), "labels of logits");
    }
    return 0;
}
