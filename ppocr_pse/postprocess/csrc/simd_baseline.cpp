// The instructions every processor of the architecture has.
#include "simd.hpp"

#define PSE_SIMD_PATH baseline
#define PSE_LANES 4
#include "simd_impl.hpp"

namespace pse {
const Simd kBaseline = PSE_SIMD_TABLE("baseline");
}
