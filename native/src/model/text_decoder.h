#pragma once
// The text decoder: Llama 3 with gated cross-attention layers between.
// Follows meta-llama/llama-models models/llama3/multimodal/model.py (CrossAttentionTransformerText).

#include <vector>

#include "model/model.h"

namespace loupe {

/// Cross-attention keys and values of one picture, one cache per cross layer.
struct CrossKv {
  std::vector<KvCache> layers;
  uint32_t length = 0;  ///< tokens of the tiles that the picture uses
  uint64_t bytes() const;
};

/// (cos, sin) of each rotary angle for positions [first, first + rows): [rows, head_dim / 2] pairs.
/// Angles are products of float32 numbers, as in the reference, because at position 100,000 it matters.
void write_rotations(const TextConfig& config, uint32_t first, uint32_t rows, float* out);

/// What a pass needs besides the weights.
struct DecoderInputs {
  vk::Slice tokens;          ///< uint32 [rows]
  ops::Rotations rotations;  ///< write_rotations, of the rows' positions at least
  ops::Position position;
  uint32_t rows = 0;
  uint32_t length = 0;                            ///< positions up to the last row's; 0 = not known when recording
  const std::vector<KvCache>* self_kv = nullptr;  ///< one per self-attention layer
  const CrossKv* image = nullptr;                 ///< null: the rows stand before any picture
};

/// Runs all layers and the last norm; writes the self KV of the rows. The result [rows, H] lies in the arena's current scope.
Tensor decode(Graph& g, const Model& model, const DecoderInputs& in);

/// lm_head: logits [normed.rows, vocab].
void output_logits(Graph& g, const Model& model, const Tensor& normed, const Tensor& logits);

/// Keys and values of one tile's states [tokens, H] into rows [first, first + tokens) of the picture's caches.
void write_cross_kv(Graph& g, const Model& model, const Tensor& states, uint32_t first, const CrossKv& image);

}  // namespace loupe
