#pragma once
// Every operation of the engine. Each records itself into a Graph; each has a scalar twin in
// ops/scalar.h, shaders that shaders/README.md names, and tests in tests/test_ops_*.cpp.
//
// Shapes are [rows, cols]. Widths (cols) of activations that enter a matrix product are multiples of 8.

#include <array>
#include <optional>
#include <span>

#include "graph/graph.h"

namespace loupe::ops {

/// out[i] = table[tokens[i]]; tokens: uint32 [out.rows]. Tokens outside the table are the caller's error.
void embedding(Graph& g, const Matrix& table, const vk::Slice& tokens, const Tensor& out);

struct PatchGeometry {
  uint32_t tile_size = 0, patch_size = 0, max_tiles = 0, num_tiles = 0;
  std::array<float, 3> mean{}, std{};
  uint32_t patches_per_tile() const { return (tile_size / patch_size) * (tile_size / patch_size); }
};
/// uint8 RGB tiles [num_tiles, size, size, 3] -> normalised patches [max_tiles * patches, out.cols] with
/// columns (channel, y, x) as a convolution weight is flattened; absent tiles and columns beyond
/// 3 * patch * patch are zero.
void patchify(Graph& g, const vk::Slice& pixels, const PatchGeometry& geometry, const Tensor& out);

struct VisionEmbeddingWeights {
  const Tensor& class_embedding;     ///< [1, hidden]
  const Tensor& position_embedding;  ///< [tokens, hidden], already scaled by 1 - tanh(gate)
  const Matrix& tile_position;       ///< [9, max_tiles * tokens * hidden]
  const Matrix& pre_tile;            ///< [9, max_tiles * hidden]
  float tile_position_gate = 0;      ///< tanh already applied, as below
  float pre_tile_gate = 0;
};
/// Patches [max_tiles * patches, hidden] -> [max_tiles * padded, hidden]: class token first, the tile and
/// position embeddings of `aspect_ratio_id` added, rows from `patches + 1` to `padded` zero.
void vision_embedding(Graph& g, const Tensor& patches, const VisionEmbeddingWeights& weights, uint32_t aspect_ratio_id, uint32_t max_tiles,
                      uint32_t padded, const Tensor& out);

/// x[tile, token] += gate * table[aspect_ratio_id, tile]; x: [max_tiles * padded, hidden], padding rows included.
void tile_embedding(Graph& g, const Tensor& x, const Matrix& table, float gate, uint32_t aspect_ratio_id, uint32_t max_tiles);

/// Rows whose index modulo `group` is at least `valid` are written as zeros; group 0 = all rows are valid.
struct RowMask {
  uint32_t group = 0, valid = 0;
};
/// (x - mean) / sqrt(variance + eps) * weight + bias over each row.
void layer_norm(Graph& g, const Tensor& x, const Tensor& weight, const Tensor& bias, float eps, const Tensor& out, RowMask mask = {});
/// x / sqrt(mean(x^2) + eps) * weight over each row.
void rms_norm(Graph& g, const Tensor& x, const Tensor& weight, float eps, const Tensor& out);

struct Epilogue {
  enum class Kind : uint32_t {
    none,      ///< out = y
    gelu,      ///< out = gelu(y), exact (erf)
    silu_mul,  ///< out[j] = silu(y[2j]) * y[2j + 1]; out has half the columns
    add,       ///< out += scale * y
  };
  Kind kind = Kind::none;
  const Tensor* bias = nullptr;  ///< [1, weight.rows], added before the above
  float scale = 1;
};
/// y = x * transpose(weight); x: [rows, weight.stride], y: [rows, weight.rows]. Few rows take the
/// matrix-vector kernel, many the tiled or the cooperative-matrix kernel.
void matmul(Graph& g, const Tensor& x, const Matrix& weight, const Tensor& out, const Epilogue& epilogue = {});
/// x += scale * in * transpose(weight), then normed = rms_norm(x) with the weights `norm`. Few rows are one dispatch a block where
/// the graph has arrivals.
void add_norm(Graph& g, const Tensor& in, const Matrix& weight, float scale, const Tensor& x, const Tensor& norm, float eps,
              const Tensor& normed);
/// Rows up to which `matmul` takes the matrix-vector kernel.
constexpr uint32_t matvec_rows = 8;
/// Whether the float16 path can run: the device has a fragment shape that we have a shader for.
bool has_half_matmul(const vk::Device& device, const vk::Pipelines& pipelines);
/// What to compute with where nobody says: float16 where it can run and the device is faster with it.
Activations best_activations(const vk::Device& device, const vk::Pipelines& pipelines);
/// Which kernel many rows take, in words.
std::string matmul_path(const vk::Device& device, Activations activations);

/// Where a row's position comes from: base + state[index], so that a recorded step can be replayed at
/// the next position. state: uint32 words.
struct Position {
  vk::Slice state;
  uint32_t index = 0, base = 0;
};
struct HeadShape {
  uint32_t heads = 0, kv_heads = 0, head_dim = 0;
  uint32_t query_width() const { return heads * head_dim; }
  uint32_t kv_width() const { return kv_heads * head_dim; }
};
/// (cos, sin) float32 pairs [positions, head_dim / 2] of the positions from `first` on.
struct Rotations {
  vk::Slice pairs;
  uint32_t first = 0;
};
/// Rotates queries (in place) and keys of qkv [rows, (heads + 2 kv_heads) * head_dim] by the rotations of the rows' positions
/// (pairs are i, i + head_dim / 2), and writes keys and values into the cache there.
void rope_kv_write(Graph& g, const Tensor& qkv, const Rotations& rotations, const HeadShape& shape, const Position& position,
                   const KvCache& cache);
/// Writes keys and values [rows, kv_width] into the cache from row `first`.
void kv_write(Graph& g, const Tensor& keys, const Tensor& values, const KvCache& cache, uint32_t first);

/// What a query row may see.
struct AttentionMask {
  enum class Kind : uint32_t {
    all,     ///< keys 0 .. length - 1
    causal,  ///< keys 0 .. position of the row
    vision,  ///< all keys, but padding does not see padding
  };
  Kind kind = Kind::all;
  uint32_t length = 0;                             ///< all, vision: keys; causal: keys that the last row sees, 0 = up to the capacity
  Position position;                               ///< causal
  uint32_t num_tiles = 0, tokens = 0, padded = 0;  ///< vision: used tiles, real and padded tokens a tile
};
/// softmax(q k^T / sqrt(head_dim)) v, head by head, without ever storing all scores.
/// q: rows of `q_stride` elements whose first query_width() are queries; out: [rows, query_width()].
void attention(Graph& g, const Tensor& q, const KvCache& cache, const HeadShape& shape, const AttentionMask& mask, const Tensor& out);
/// rope_kv_write, then causal attention over what the cache holds now. A single row, as in a decode step, takes no dispatch
/// for the former; its qkv stays unrotated then.
void rope_attention(Graph& g, const Tensor& qkv, const Rotations& rotations, const HeadShape& shape, const AttentionMask& mask,
                    const KvCache& cache, const Tensor& out);
/// rms_norm of every head of q [rows, query_width()], with weights [1, head_dim], then attention. Few rows take no dispatch for the
/// former; their q stays as it is then.
void norm_attention(Graph& g, const Tensor& q, const Tensor& norm, float eps, const KvCache& cache, const HeadShape& shape,
                    const AttentionMask& mask, const Tensor& out);
/// Attention over qkv [rows, 3 * heads * head_dim] of the vision encoder.
void attention_packed(Graph& g, const Tensor& qkv, const HeadShape& shape, const AttentionMask& mask, const Tensor& out);

/// Vision features [rows, width]: out[:, 0 : width] = final; out[:, width + d * n + i] = intermediate i, column d.
/// All inputs [max_tiles * padded, width]; rows taken: `tokens` of tile `tile`.
void gather_features(Graph& g, const Tensor& final_state, const std::vector<Tensor>& intermediate, uint32_t tile, uint32_t padded,
                     uint32_t tokens, const Tensor& out);

/// Where the step behind a draw finds, without the host, which token it computes and where: the draw writes its token, and adds
/// one to the position. uint32 each; none: nobody follows.
struct Handover {
  vk::Slice token{}, position{};
};

/// Index of each row's largest value (the lowest of equals): uint32 [logits.rows].
void argmax(Graph& g, const Tensor& logits, const vk::Slice& out);

struct Sampling {
  float temperature = 0;  ///< 0 = greedy
  uint32_t top_k = 0;     ///< 0 = off
  float top_p = 1, min_p = 0, repetition_penalty = 1;
};
/// Which dispatches a draw takes. What else it depends on is read from `SamplingInputs` when they run, so that a recorded
/// step serves all requests of one plan.
struct SamplingPlan {
  bool penalty = false, greedy = true, top_k = false, top_p = false;
  bool operator==(const SamplingPlan&) const = default;
};
SamplingPlan plan_of(const Sampling& sampling, uint32_t vocabulary);
/// Tokens that one draw may penalise.
constexpr uint32_t most_penalised = 1024;
/// As the shaders read it; the host writes it before every draw (`sampling_inputs`).
struct SamplingInputs {
  float penalty = 1, inverse_penalty = 1;
  float scale = 0;  ///< distance of a logit from the largest -> octaves of probability, 2^-27 each
  uint32_t top_k = 0;
  uint32_t top_p = 0;     ///< 2^-24
  uint32_t farthest = 0;  ///< from min-p: tokens beyond this distance are dropped
  uint32_t uniform = 0;   ///< 2^-24
  uint32_t penalised_count = 0;
  std::array<uint32_t, most_penalised> penalised{};
};
/// `penalised`: different tokens, at most `most_penalised`; `uniform` in [0, 1) chooses among the tokens.
SamplingInputs sampling_inputs(const Sampling& sampling, std::span<const uint32_t> penalised, float uniform);
/// Draws one token of logits [1, vocabulary]: penalty (in place), temperature, top-k, top-p, min-p, then the smallest index
/// whose cumulated probability exceeds the uniform number. Probabilities are whole multiples of 2^-31 of the largest one, so
/// that sums have no order and every device draws what the scalar twin draws. inputs: SamplingInputs; out: uint32.
void sample(Graph& g, const Tensor& logits, const SamplingPlan& plan, const vk::Slice& inputs, const vk::Slice& out,
            const Handover& next = {});

}  // namespace loupe::ops
