#include "simd.hpp"

#include <cstring>

namespace pse {
namespace {

std::vector<const Simd*> runnable() {
    std::vector<const Simd*> paths{&kBaseline};
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2")) {
        paths.push_back(&kAvx2);
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
            __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
            paths.push_back(&kAvx512);
        }
    }
#endif
    return paths;
}

}  // namespace

const Simd* find_simd(const char* name) {
    const std::vector<const Simd*> paths = runnable();
    if (std::strcmp(name, "auto") == 0) return paths.back();
    for (const Simd* path : paths) {
        if (std::strcmp(name, path->name) == 0) return path;
    }
    return nullptr;
}

std::vector<const char*> simd_names() {
    std::vector<const char*> names;
    for (const Simd* path : runnable()) names.push_back(path->name);
    return names;
}

}  // namespace pse
