// Python's view of the post-processing; the checks that need names of Python arguments are here.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <string>

#include "pipeline.hpp"
#include "simd.hpp"

namespace py = pybind11;
using namespace pse;

namespace {

using Floats = py::array_t<float, py::array::c_style>;
using Bytes = py::array_t<std::uint8_t, py::array::c_style>;

std::string shape_of(const py::array& array) { return py::str(array.attr("shape")); }

int length(const py::array& array, int axis, const char* name) {
    const py::ssize_t n = array.shape(axis);
    if (n > INT32_MAX / 8) throw py::value_error(std::string(name) + ": axis too long, shape " + shape_of(array));
    return static_cast<int>(n);
}

void check_kernels(int kernels, const py::array& array, const char* name) {
    if (kernels < 1 || kernels > 32) {
        throw py::value_error(std::string(name) + ": 1 to 32 kernels expected, shape is " + shape_of(array));
    }
}

Params make_params(float thresh, float box_thresh, std::int64_t min_area, int scale, bool polygons,
                   const std::string& simd) {
    if (scale != 1 && scale != 2 && scale != 4) {
        throw py::value_error("scale: 1, 2 or 4 expected, got " + std::to_string(scale));
    }
    Params params;
    params.thresh = thresh;
    params.box_thresh = box_thresh;
    params.min_area = min_area;
    params.scale = scale;
    params.polygons = polygons;
    params.simd = find_simd(simd.c_str());
    if (!params.simd) throw py::value_error("simd: this processor has no path '" + simd + "'; see simd_paths()");
    return params;
}

template <class T>
py::array_t<T> copied(const T* data, std::size_t count) {
    return py::array_t<T>(static_cast<py::ssize_t>(count), data);
}

py::tuple as_tuple(const Picture& picture) {
    const auto count = static_cast<py::ssize_t>(picture.labels.size());
    py::array_t<float> quads({count, py::ssize_t{4}, py::ssize_t{2}});
    std::copy(picture.quads.begin(), picture.quads.end(), reinterpret_cast<Corner*>(quads.mutable_data()));
    py::array_t<std::int32_t> points({static_cast<py::ssize_t>(picture.points.size()), py::ssize_t{2}});
    std::copy(picture.points.begin(), picture.points.end(), reinterpret_cast<Point*>(points.mutable_data()));
    return py::make_tuple(copied(picture.labels.data(), picture.labels.size()),
                          copied(picture.areas.data(), picture.areas.size()),
                          copied(picture.scores.data(), picture.scores.size()), quads, points,
                          copied(picture.offsets.data(), picture.offsets.size()), copied(picture.seconds, kStages));
}

py::list decode(const Floats& maps, float thresh, float box_thresh, std::int64_t min_area, int scale, bool polygons,
                int threads, const std::string& simd, bool profile) {
    if (maps.ndim() != 4) throw py::value_error("maps: (B, K, h, w) expected, shape is " + shape_of(maps));
    const int batch = length(maps, 0, "maps"), kernels = length(maps, 1, "maps");
    const int h = length(maps, 2, "maps"), w = length(maps, 3, "maps");
    check_kernels(kernels, maps, "maps");
    Params params = make_params(thresh, box_thresh, min_area, scale, polygons, simd);
    params.profile = profile;
    std::vector<Picture> pictures;
    {
        const float* data = maps.data();
        py::gil_scoped_release release;
        pictures = decode_batch(data, batch, kernels, h, w, params, threads);
    }
    py::list result;
    for (const Picture& picture : pictures) result.append(as_tuple(picture));
    return result;
}

py::array_t<std::int32_t> label_map(const Floats& maps, float thresh, std::int64_t min_area, int scale,
                                    const std::string& simd) {
    if (maps.ndim() != 3) throw py::value_error("maps: (K, h, w) expected, shape is " + shape_of(maps));
    const int kernels = length(maps, 0, "maps"), h = length(maps, 1, "maps"), w = length(maps, 2, "maps");
    check_kernels(kernels, maps, "maps");
    const Params params = make_params(thresh, 0.0f, min_area, scale, false, simd);
    const py::ssize_t factor = 4 / scale;
    py::array_t<std::int32_t> labels({h * factor, w * factor});
    const Logits logits{maps.data(), kernels, h, w};
    std::int32_t* data = labels.mutable_data();
    {
        py::gil_scoped_release release;
        label_picture(workspaces().front(), logits, params, data);
    }
    return labels;
}

py::array_t<std::int32_t> expand(const Bytes& kernels, std::int64_t min_area) {
    if (kernels.ndim() != 3) throw py::value_error("kernels: (K, H, W) expected, shape is " + shape_of(kernels));
    const int count = length(kernels, 0, "kernels"), height = length(kernels, 1, "kernels");
    const int width = length(kernels, 2, "kernels");
    check_kernels(count, kernels, "kernels");
    py::array_t<std::int32_t> labels({height, width});
    const std::uint8_t* source = kernels.data();
    std::int32_t* target = labels.mutable_data();
    {
        py::gil_scoped_release release;
        expand_kernels(workspaces().front(), source, count, height, width, min_area, target);
    }
    return labels;
}

}  // namespace

PYBIND11_MODULE(_C, m) {
    m.doc() = "PSE post-processing in C++; see docs/postprocess.md.";
    m.def("decode", &decode, py::arg("maps").noconvert(), py::kw_only(), py::arg("thresh"), py::arg("box_thresh"),
          py::arg("min_area"), py::arg("scale"), py::arg("polygons"), py::arg("threads"),
          py::arg("simd") = "auto", py::arg("profile") = false,
          "Logits of a batch to (labels, areas, scores, quads, points, offsets) a picture.");
    m.def("label_map", &label_map, py::arg("maps").noconvert(), py::kw_only(), py::arg("thresh"), py::arg("min_area"),
          py::arg("scale"), py::arg("simd") = "auto", "Logits of one picture to its label map.");
    m.def("simd_paths", [] {
        py::list names;
        for (const char* name : simd_names()) names.append(name);
        return names;
    }, "The instruction-set paths this processor can run, narrowest first.");
    m.def("progressive_expand", &expand, py::arg("kernels").noconvert(), py::arg("min_area"),
          "Binary kernels to a label map.");
}
