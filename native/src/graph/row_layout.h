#pragma once
// How a row of weights lies on the device: what shaders/common/weights.glsl reads.
//
// Plain types: the elements. Block types: planes within the row, each a whole number of 16 bytes, so that quants are
// read in 16-byte loads and no scale straddles a word (docs/decisions/0010). A unit is 32 elements.
//
//   quants   Q8_0: 32 bytes a unit, element e in byte e. Others: 16 bytes a unit, elements e and e + 16 in byte e.
//   high     Q5_K: a word a unit, element e in bit 8 (e % 4) + e / 4. Q6_K: two words a unit (elements 0-15, 16-31),
//            element e in bits 8 (e % 4) + 2 (e % 16 / 4) and the next.
//   scales   Q8_0, Q4_0: a float16 a unit. Q4_K, Q5_K: 16 bytes for eight units: d and dmin (float16), the low four
//            bits of eight scales, of eight offsets, then the high two bits of both. Q6_K: 16 bytes for eight units,
//            two scales each.
//   d        Q6_K: a float16 for eight units.

#include <cstddef>
#include <cstdint>
#include <span>

#include "weights/dtype.h"

namespace loupe {

/// Whether shaders read the type; others are made float16 on their way to the device.
bool has_kernels(DType dtype);
/// The type that a stored type has on the device.
DType device_type(DType stored);

/// Bytes of a row of `stride` elements of a device type.
uint64_t device_row_bytes(DType dtype, uint32_t stride);

/// One stored row of `cols` elements as a device row of `device_type(stored)`; `out` has device_row_bytes.
void pack_row(DType stored, std::span<const std::byte> row, uint32_t cols, std::span<std::byte> out);

}  // namespace loupe
