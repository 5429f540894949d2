// The same loops for processors with AVX-512 (F, BW, DQ, VL).
#if defined(__x86_64__)

// Headers first: nothing inline in them may be compiled for a processor that the rest does not ask for.
#include "simd.hpp"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,avx512f,avx512bw,avx512dq,avx512vl"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")
#endif
#define PSE_SIMD_PATH avx512
#define PSE_LANES 16
#include "simd_impl.hpp"
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

namespace pse {
const Simd kAvx512 = PSE_SIMD_TABLE("avx512");
}

#endif
