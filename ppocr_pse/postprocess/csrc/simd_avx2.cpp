// The same loops for processors with AVX2.
#if defined(__x86_64__)

// Headers first: nothing inline in them may be compiled for a processor that the rest does not ask for.
#include "simd.hpp"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#endif
#define PSE_SIMD_PATH avx2
#define PSE_LANES 8
#include "simd_impl.hpp"
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

namespace pse {
const Simd kAvx2 = PSE_SIMD_TABLE("avx2");
}

#endif
