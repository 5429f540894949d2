// The loops of simd.hpp for one instruction set. No include guard: each simd_*.cpp includes this once, under the
// target it wants, with PSE_SIMD_PATH naming the namespace and PSE_LANES the floats in a register. No call of a
// library template may stand here, since the linker could keep the copy that older processors cannot run.

namespace pse {
namespace PSE_SIMD_PATH {

#define PSE_INLINE inline __attribute__((always_inline))

template <class T, int N>
struct Vector {
    typedef T type __attribute__((vector_size(N * sizeof(T))));
};

// N pixels as parts of one register each; larger vectors than the processor has are compiled badly.
template <int N>
struct Lanes {
    static constexpr int kLanes = N < PSE_LANES ? N : PSE_LANES;
    static constexpr int kParts = N / kLanes;
    using Floats = typename Vector<float, kLanes>::type;
    using Ints = typename Vector<std::int32_t, kLanes>::type;
};

// Interpolates kernel by kernel inside one cell of F x F pixels.
template <int F>
struct Cell {
    using Shape = Lanes<F * F>;
    using Floats = typename Shape::Floats;
    Floats left[Shape::kParts], right[Shape::kParts], upper[Shape::kParts], lower[Shape::kParts];  // weights

    // Half-pixel centres; the half cells at the first row and column take the border logit as it is.
    Cell(bool top, bool first) {
        for (int i = 0; i < F * F; ++i) {
            const float x = first ? 0.0f : (static_cast<float>(i % F) + 0.5f) / F;
            const float y = top ? 0.0f : (static_cast<float>(i / F) + 0.5f) / F;
            const int part = i / Shape::kLanes, lane = i % Shape::kLanes;
            right[part][lane] = x, left[part][lane] = 1.0f - x;
            lower[part][lane] = y, upper[part][lane] = 1.0f - y;
        }
    }

    // The order of the products and sums is Paddle's, so that every pixel rounds as it does there.
    PSE_INLINE void values(const Band& band, std::size_t offset, int column, Floats* out) const {
        const int l = column < 0 ? 0 : column;
        const int r = column + 1 < band.w ? column + 1 : column;
        const float* a = band.upper + offset;
        const float* c = band.lower + offset;
        // A logit of weight zero must not count even if it is infinite.
        const float upper_left = a[l];
        const float upper_right = column < 0 ? 0.0f : a[r];
        const float lower_left = band.top ? 0.0f : c[l];
        const float lower_right = column < 0 || band.top ? 0.0f : c[r];
        for (int i = 0; i < Shape::kParts; ++i) {
            out[i] = upper_left * upper[i] * left[i] + lower_left * lower[i] * left[i] +
                     upper_right * upper[i] * right[i] + lower_right * lower[i] * right[i];
        }
    }
};

template <class Bits>
void encode(const float* row, int count, float thresh, int kernel, Bits* codes) {
    const auto bit = static_cast<Bits>(Bits{1} << kernel);
    for (int x = 0; x < count; ++x) codes[x] = static_cast<Bits>(codes[x] | (row[x] > thresh ? bit : Bits{0}));
}

// The bits of one cell, whose corners have the codes u[0], u[1], l[0] and l[1].
template <class Bits, int F>
PSE_INLINE void fill_cell(const Cell<F>& cell, const Band& band, int column, const Bits* u, const Bits* l, Bits* out,
                          std::int32_t stride) {
    using Shape = Lanes<F * F>;
    using Ints = typename Shape::Ints;
    const auto sure = static_cast<Bits>(u[0] & u[1] & l[0] & l[1]);
    const auto open = static_cast<Bits>((u[0] | u[1] | l[0] | l[1]) ^ sure);
    Bits block[F * F];
    if (!open) {
        for (Bits& pixel : block) pixel = sure;
    } else {
        Ints code[Shape::kParts];
        for (Ints& part : code) part = Ints{} + static_cast<std::int32_t>(sure);
        for (std::uint32_t rest = open; rest; rest &= rest - 1) {
            const int kernel = __builtin_ctz(rest);
            const auto bit = static_cast<std::int32_t>(std::uint32_t{1} << kernel);
            typename Shape::Floats value[Shape::kParts];
            cell.values(band, static_cast<std::size_t>(kernel) * band.plane, column, value);
            for (int i = 0; i < Shape::kParts; ++i) code[i] |= (value[i] > band.thresh) & bit;
        }
        for (Ints& part : code) part &= -(part & 1);  // where there is no text there is no kernel
        std::int32_t wide[F * F];
        __builtin_memcpy(wide, code, sizeof wide);
        for (int i = 0; i < F * F; ++i) block[i] = static_cast<Bits>(wide[i]);
    }
    for (int y = 0; y < F; ++y) __builtin_memcpy(out + y * stride, block + y * F, F * sizeof(Bits));
}

template <class Bits, int F>
void cells(const Band& band, const Bits* upper_codes, const Bits* lower_codes, int begin, int end, Bits* out,
           std::int32_t stride) {
    if (begin < 0) {
        const Cell<F> first(band.top, true);
        fill_cell<Bits, F>(first, band, begin, upper_codes + begin, lower_codes + begin, out, stride);
        ++begin;
        out += F;
    }
    const Cell<F> inner(band.top, false);
    for (int column = begin; column < end; ++column, out += F) {
        fill_cell<Bits, F>(inner, band, column, upper_codes + column, lower_codes + column, out, stride);
    }
}

// 1 / (1 + exp(-x)) to about 1e-7: exp by a power of two and a polynomial on [-ln 2 / 2, ln 2 / 2].
template <class Floats, class Ints>
PSE_INLINE void sigmoid(Floats& x) {
    constexpr float kShift = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
    const Floats limit = Floats{} + 87.0f;
    Floats z = -x;
    z = z < limit ? z : limit;
    z = z > -limit ? z : -limit;
    const Floats shifted = z * 1.44269504088896341f + kShift;
    const Floats n = shifted - kShift;
    const Floats r = z - n * 0.693359375f + n * 2.12194440054690583e-4f;  // ln 2 in two parts
    Floats p = Floats{} + 1.0f / 720.0f;
    p = p * r + 1.0f / 120.0f;
    p = p * r + 1.0f / 24.0f;
    p = p * r + 1.0f / 6.0f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    const Ints exponent = (Ints)shifted - 0x4B400000;
    const Ints scaled = (Ints)p + (exponent << 23);
    x = 1.0f / (1.0f + (Floats)scaled);
}

// Always the same tree, however many lanes a register has: halves are folded until four values are left.
template <int N>
PSE_INLINE float sum(const float* values) {
    float folded[N];
    __builtin_memcpy(folded, values, sizeof folded);
    for (int n = N / 2; n >= 4; n /= 2) {
        for (int i = 0; i < n; ++i) folded[i] += folded[i + n];
    }
    return (folded[0] + folded[2]) + (folded[1] + folded[3]);
}

// The union of all bits of N labels: 0 if there is none, the label if there is but one.
template <class Label, int N>
PSE_INLINE Label united(const void* labels) {
    constexpr int kBytes = N * static_cast<int>(sizeof(Label));
    std::uint64_t words[(kBytes + 7) / 8] = {}, bits = 0;
    __builtin_memcpy(words, labels, kBytes);
    for (const std::uint64_t word : words) bits |= word;
    for (int shift = 32; shift >= 8 * static_cast<int>(sizeof(Label)); shift /= 2) bits |= bits >> shift;
    return static_cast<Label>(bits);
}

// Add each of N probabilities to the region that its pixel belongs to; label 0 is no region. `logits` is called,
// to fill in the parts, only if there is a label. Nearly always there is but one: the union of all.
template <int N, class Label, class Function>
PSE_INLINE void add_scores(const Label* labels, Region* regions, Function logits) {
    using Shape = Lanes<N>;
    using Floats = typename Shape::Floats;
    using Ints = typename Shape::Ints;
    std::int32_t label = united<Label, N>(labels);
    if (!label) return;
    std::int32_t wide[N];
    for (int i = 0; i < N; ++i) wide[i] = labels[i];
    Ints rest[Shape::kParts], others[Shape::kParts];
    __builtin_memcpy(rest, wide, sizeof rest);
    Floats value[Shape::kParts];
    logits(value);
    for (Floats& part : value) sigmoid<Floats, Ints>(part);
    for (int i = 0; i < Shape::kParts; ++i) others[i] = rest[i] & (rest[i] != label);
    bool several = united<std::int32_t, N>(others) != 0;
    while (true) {
        if (several) {  // the union need not be one of them: take the first that is left
            label = 0;
            __builtin_memcpy(wide, rest, sizeof wide);
            for (int i = 0; i < N && !label; ++i) label = wide[i];
            if (!label) return;
        }
        float own[N];
        for (int i = 0; i < Shape::kParts; ++i) {
            const Ints kept = (Ints)value[i] & (rest[i] == label);
            __builtin_memcpy(own + i * Shape::kLanes, &kept, sizeof kept);
            rest[i] &= rest[i] != label;
        }
        regions[label].score_sum += sum<N>(own);
        if (!several) return;
    }
}

template <int F, class Label>
PSE_INLINE void score_cell(const Cell<F>& cell, const Band& band, int column, const Label* labels,
                           std::int32_t stride, Region* regions) {
    Label block[F * F];
    for (int y = 0; y < F; ++y) __builtin_memcpy(block + y * F, labels + y * stride, F * sizeof(Label));
    add_scores<F * F>(block, regions, [&](typename Cell<F>::Floats* value) __attribute__((always_inline)) {
        cell.values(band, 0, column, value);
    });
}

template <int F, class Label>
void scores(const Band& band, int begin, int end, const Label* labels, std::int32_t stride, Region* regions) {
    if (begin < 0) {
        score_cell<F>(Cell<F>(band.top, true), band, begin, labels, stride, regions);
        ++begin;
        labels += F;
    }
    const Cell<F> inner(band.top, false);
    for (int column = begin; column < end; ++column, labels += F) {
        score_cell<F>(inner, band, column, labels, stride, regions);
    }
}

// Cells of one pixel: the logits need no interpolation.
template <class Label>
void scores_as_they_are(const Band& band, int begin, int end, const Label* labels, std::int32_t, Region* regions) {
    constexpr int kBlock = 16;
    for (int x = begin; x < end; x += kBlock, labels += kBlock) {
        const auto count = static_cast<std::size_t>(end - x < kBlock ? end - x : kBlock);
        Label block[kBlock] = {};
        __builtin_memcpy(block, labels, count * sizeof(Label));
        add_scores<kBlock>(block, regions, [&](Lanes<kBlock>::Floats* value) __attribute__((always_inline)) {
            float row[kBlock] = {};
            __builtin_memcpy(row, band.upper + x, count * sizeof(float));
            __builtin_memcpy(value, row, sizeof row);
        });
    }
}

#undef PSE_INLINE

}  // namespace PSE_SIMD_PATH
}  // namespace pse

#define PSE_SCORES(Label)                                                                     \
    {PSE_SIMD_PATH::scores<4, Label>, PSE_SIMD_PATH::scores<2, Label>, PSE_SIMD_PATH::scores_as_they_are<Label>}
#define PSE_CELLS(Bits) {PSE_SIMD_PATH::cells<Bits, 4>, PSE_SIMD_PATH::cells<Bits, 2>}
#define PSE_SIMD_TABLE(name)                                                                  \
    {name, PSE_SIMD_PATH::encode<std::uint8_t>, PSE_SIMD_PATH::encode<std::uint16_t>,          \
     PSE_SIMD_PATH::encode<std::uint32_t>, PSE_CELLS(std::uint8_t), PSE_CELLS(std::uint16_t),  \
     PSE_CELLS(std::uint32_t), PSE_SCORES(std::uint8_t), PSE_SCORES(std::int32_t)}
