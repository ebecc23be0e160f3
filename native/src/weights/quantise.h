#pragma once
// Float32 rows -> block types. The layouts are those of dequantise.h; the choice of scales is ours.
//
// Q8_0 rounds to the largest magnitude of 32. Q4_K and Q6_K look for scales with the least weighted square error:
// several roundings are tried, each refitted by least squares, then scales are rounded to their few bits and the
// elements once more to the rounded scales.

#include <cstddef>
#include <span>

#include "weights/dtype.h"

namespace loupe {

/// Whether `quantise` writes the type.
bool can_quantise_to(DType dtype);

/// `values` is a whole number of blocks; `blocks` has stored_bytes(dtype, values.size()). Finite values only: others
/// count as zero. @throws Error internal for a type that `can_quantise_to` does not name.
void quantise(DType dtype, std::span<const float> values, std::span<std::byte> blocks);

}  // namespace loupe
