#pragma once
// Scalar twins: every operation once more, in plain loops over float vectors, with sums in double. They
// are what the shaders are tested against, on the developer's machine and in `loupe doctor`.
// Arguments mirror ops.h; matrices are [rows, cols] row by row.

#include <cstdint>
#include <span>
#include <vector>

#include "ops/ops.h"

namespace loupe::scalar {

using Floats = std::vector<float>;

Floats embedding(const Floats& table, uint32_t cols, std::span<const uint32_t> tokens);
Floats patchify(std::span<const uint8_t> pixels, const ops::PatchGeometry& geometry, uint32_t cols);
struct VisionEmbedding {
  Floats class_embedding, position_embedding, tile_position, pre_tile;  ///< the tables' rows of one aspect ratio
  float tile_position_gate = 0, pre_tile_gate = 0;
};
Floats vision_embedding(const Floats& patches, const VisionEmbedding& weights, uint32_t hidden, uint32_t tiles, uint32_t tokens,
                        uint32_t padded);
void tile_embedding(Floats& x, const Floats& table, float gate, uint32_t hidden, uint32_t tiles, uint32_t padded);
Floats layer_norm(const Floats& x, const Floats& weight, const Floats& bias, float eps, ops::RowMask mask);
Floats rms_norm(const Floats& x, const Floats& weight, float eps);
/// `out` holds what Kind::add adds to. x: [m, k], weight: [n, k].
void matmul(const Floats& x, const Floats& weight, uint32_t m, uint32_t k, uint32_t n, ops::Epilogue::Kind kind, const Floats* bias,
            float scale, Floats& out);
/// Adds to x [m, norm.size()] and returns its norm. in: [m, k].
Floats add_norm(const Floats& in, const Floats& weight, uint32_t m, uint32_t k, float scale, const Floats& norm, float eps, Floats& x);
/// rotations: (cos, sin) pairs [rows, head_dim / 2]; keys, values: the cache, written from row `position`.
void rope_kv_write(Floats& qkv, const Floats& rotations, const ops::HeadShape& shape, uint32_t position, Floats& keys, Floats& values);
void kv_write(const Floats& k, const Floats& v, uint32_t width, uint32_t first, Floats& keys, Floats& values);
/// q: [rows, query_width]; keys, values: [length, kv_width]; `position` is that of row 0 (causal).
Floats attention(const Floats& q, const Floats& keys, const Floats& values, const ops::HeadShape& shape, const ops::AttentionMask& mask,
                 uint32_t position);
Floats gather_features(const Floats& final_state, const std::vector<Floats>& intermediate, uint32_t hidden, uint32_t tile, uint32_t padded,
                       uint32_t tokens);
std::vector<uint32_t> argmax(const Floats& logits, uint32_t cols);
/// The probabilities that `sample` draws from, to the precision of its whole numbers; zero for what the filters removed.
std::vector<double> sampling_distribution(Floats logits, std::span<const uint32_t> recent, const ops::Sampling& sampling);
/// Token for token what `ops::sample` draws.
uint32_t sample(Floats logits, std::span<const uint32_t> recent, const ops::Sampling& sampling, float uniform);

}  // namespace loupe::scalar
