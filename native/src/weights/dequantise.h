#pragma once
// Block types of GGUF as plain numbers: the scalar twin of shaders/common/weights.glsl, and the way of block types
// that have no kernel. Blocks of 32 share a float16 scale (and an offset); the K types divide 256 elements into
// sub-blocks whose scales are small integers times a float16.
// Source: ggml's ggml-common.h (layouts) and gguf-py's quants.py.

#include <cstddef>
#include <span>

#include "weights/dtype.h"

namespace loupe {

/// `blocks` holds out.size() elements of block type `dtype`; out.size() is a whole number of blocks.
/// Sums and products are float32, in the order of the definition.
void dequantise(DType dtype, std::span<const std::byte> blocks, std::span<float> out);

/// The 6-bit scale and offset of sub-block `index` (0 .. 7) among a Q4_K or Q5_K block's 12 bytes of them.
struct SubScale {
  std::uint8_t scale, offset;
};
SubScale k_scale(const std::byte* scales, int index);

}  // namespace loupe
