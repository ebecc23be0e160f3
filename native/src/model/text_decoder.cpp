#include "model/text_decoder.h"

#include <cmath>
#include <numbers>

namespace loupe {
namespace {

using Kind = ops::Epilogue::Kind;
using MaskKind = ops::AttentionMask::Kind;

/// x += scale * down(silu(gate(norm(x))) * up(norm(x)))
void feed_forward(Graph& g, const TextMlp& mlp, float eps, float scale, const Tensor& x) {
  Arena::Scope scope(g.arena);
  const Tensor normed = g.arena.tensor(x.rows, x.cols);
  const Tensor inner = g.arena.tensor(x.rows, mlp.down.stride);
  ops::rms_norm(g, x, mlp.norm.tensor, eps, normed);                // [rows, H]
  ops::matmul(g, normed, mlp.gate_up, inner, {Kind::silu_mul});     // [rows, F]
  ops::matmul(g, inner, mlp.down, x, {Kind::add, nullptr, scale});  // [rows, H]
}

void self_attention(Graph& g, const SelfAttentionLayer& layer, const ops::HeadShape& heads, float eps, const DecoderInputs& in,
                    const KvCache& cache, const Tensor& x) {
  {
    Arena::Scope scope(g.arena);
    const Tensor normed = g.arena.tensor(x.rows, x.cols);
    const Tensor qkv = g.arena.tensor(x.rows, layer.qkv.rows);
    const Tensor attended = g.arena.tensor(x.rows, heads.query_width());
    ops::rms_norm(g, x, layer.norm.tensor, eps, normed);  // [rows, H]
    ops::matmul(g, normed, layer.qkv, qkv);               // [rows, (heads + 2 kv_heads) D]
    ops::rope_attention(g, qkv, in.rotations, heads, {MaskKind::causal, in.length, in.position}, cache, attended);  // [rows, heads * D]
    ops::matmul(g, attended, layer.output, x, {Kind::add});                                                         // [rows, H]
  }
  feed_forward(g, layer.mlp, eps, 1, x);
}

void cross_attention(Graph& g, const CrossAttentionLayer& layer, const ops::HeadShape& heads, float eps, const KvCache& cache,
                     uint32_t length, const Tensor& x) {
  {
    Arena::Scope scope(g.arena);
    const Tensor normed = g.arena.tensor(x.rows, x.cols);
    const Tensor query = g.arena.tensor(x.rows, heads.query_width());
    const Tensor attended = g.arena.tensor(x.rows, heads.query_width());
    const Tensor by_head = query.reshape(x.rows * heads.heads, heads.head_dim);
    ops::rms_norm(g, x, layer.norm.tensor, eps, normed);                                    // [rows, H]
    ops::matmul(g, normed, layer.query, query);                                             // [rows, heads * D], no rotation
    ops::rms_norm(g, by_head, layer.query_norm.tensor, eps, by_head);                       // [rows * heads, D]
    ops::attention(g, query, cache, heads, {MaskKind::all, length}, attended);              // [rows, heads * D]
    ops::matmul(g, attended, layer.output, x, {Kind::add, nullptr, layer.attention_gate});  // [rows, H]
  }
  feed_forward(g, layer.mlp, eps, layer.mlp_gate, x);
}

/// Rotary frequency i of head_dim / 2, stretched for long contexts (Llama 3.1 and later).
float inverse_frequency(const TextConfig& config, uint32_t i) {
  const double frequency = std::pow(static_cast<double>(config.rope_theta), -2.0 * i / config.head_dim);
  const RopeScaling& scaling = config.rope_scaling;
  if (scaling.kind == RopeScaling::Kind::none) return static_cast<float>(frequency);
  if (scaling.kind == RopeScaling::Kind::factors) return static_cast<float>(frequency / scaling.factors[i]);
  const double wavelength = 2 * std::numbers::pi / frequency, original = scaling.original_max_position_embeddings;
  if (wavelength < original / scaling.high_freq_factor) return static_cast<float>(frequency);
  if (wavelength > original / scaling.low_freq_factor) return static_cast<float>(frequency / scaling.factor);
  const double smooth = (original / wavelength - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor);
  return static_cast<float>((1 - smooth) * frequency / scaling.factor + smooth * frequency);
}

}  // namespace

uint64_t CrossKv::bytes() const {
  uint64_t sum = 0;
  for (const KvCache& cache : layers) sum += cache.keys.size() + cache.values.size();
  return sum;
}

void write_rotations(const TextConfig& config, uint32_t first, uint32_t rows, float* out) {
  const uint32_t half = static_cast<uint32_t>(config.head_dim) / 2;
  for (uint32_t i = 0; i < half; ++i) {
    const float frequency = inverse_frequency(config, i);
    for (uint32_t row = 0; row < rows; ++row) {
      const float angle = static_cast<float>(first + row) * frequency;
      out[(row * half + i) * 2] = static_cast<float>(std::cos(static_cast<double>(angle)));
      out[(row * half + i) * 2 + 1] = static_cast<float>(std::sin(static_cast<double>(angle)));
    }
  }
}

void decode(Graph& g, const Model& model, const DecoderInputs& in, const Tensor& hidden) {
  const ops::HeadShape heads = model.text_heads();
  const float eps = model.config.text.rms_norm_eps;
  ops::embedding(g, model.text.embedding, in.tokens, hidden);
  size_t self_layer = 0, cross_layer = 0;
  for (const auto& layer : model.text.layers) {
    if (const auto* self = std::get_if<SelfAttentionLayer>(&layer)) {
      self_attention(g, *self, heads, eps, in, (*in.self_kv)[self_layer++], hidden);
    } else if (in.image) {
      cross_attention(g, std::get<CrossAttentionLayer>(layer), heads, eps, in.image->layers[cross_layer++], in.image->length, hidden);
    }
    // Rows before the first picture get nothing from cross-attention layers, attention and MLP alike.
  }
}

void output_logits(Graph& g, const Model& model, const Tensor& hidden, const Tensor& logits) {
  Arena::Scope scope(g.arena);
  const Tensor normed = g.arena.tensor(hidden.rows, hidden.cols);
  ops::rms_norm(g, hidden, model.text.norm.tensor, model.config.text.rms_norm_eps, normed);
  ops::matmul(g, normed, model.text.output(), logits);
}

void write_cross_kv(Graph& g, const Model& model, const Tensor& states, uint32_t first, const CrossKv& image) {
  const ops::HeadShape heads = model.text_heads();
  size_t cross_layer = 0;
  for (const auto& layer : model.text.layers) {
    const auto* cross = std::get_if<CrossAttentionLayer>(&layer);
    if (!cross) continue;
    Arena::Scope scope(g.arena);
    const Tensor keys = g.arena.tensor(states.rows, heads.kv_width()), values = g.arena.tensor(states.rows, heads.kv_width());
    const Tensor by_head = keys.reshape(states.rows * heads.kv_heads, heads.head_dim);
    ops::matmul(g, states, cross->key, keys);                                                    // [tokens, kv_heads * D]
    ops::rms_norm(g, by_head, cross->key_norm.tensor, model.config.text.rms_norm_eps, by_head);  // [tokens * kv_heads, D]
    ops::matmul(g, states, cross->value, values);                                                // [tokens, kv_heads * D]
    ops::kv_write(g, keys, values, image.layers[cross_layer++], first);
  }
}

}  // namespace loupe
