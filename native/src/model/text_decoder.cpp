#include "model/text_decoder.h"

#include <cmath>
#include <numbers>

namespace loupe {
namespace {

using Kind = ops::Epilogue::Kind;
using MaskKind = ops::AttentionMask::Kind;

using Layer = std::variant<SelfAttentionLayer, CrossAttentionLayer>;

/// What the layers add to, and its norm. Attention and MLP each begin with a norm, as in the paper; it is computed where the one
/// before adds to x, whose last workgroup can do so.
struct Residual {
  Tensor x, normed;  // [rows, H]
  float eps = 0;
};

/// x += scale * in * transpose(weight), and the norm that follows.
void add_norm(Graph& g, const Tensor& in, const Matrix& weight, float scale, const Tensor& norm, const Residual& stream) {
  ops::add_norm(g, in, weight, scale, stream.x, norm, stream.eps, stream.normed);
}

/// x += scale * down(silu(gate(norm(x))) * up(norm(x)))
void feed_forward(Graph& g, const TextMlp& mlp, float scale, const Tensor& next_norm, const Residual& stream) {
  Arena::Scope scope(g.arena);
  const Tensor inner = g.arena.tensor(stream.x.rows, mlp.down.stride);
  ops::matmul(g, stream.normed, mlp.gate_up, inner, {Kind::silu_mul});  // [rows, F]
  add_norm(g, inner, mlp.down, scale, next_norm, stream);               // [rows, H]
}

void self_attention(Graph& g, const SelfAttentionLayer& layer, const ops::HeadShape& heads, const DecoderInputs& in, const KvCache& cache,
                    const Tensor& next_norm, const Residual& stream) {
  {
    Arena::Scope scope(g.arena);
    const Tensor qkv = g.arena.tensor(stream.x.rows, layer.qkv.rows);
    const Tensor attended = g.arena.tensor(stream.x.rows, heads.query_width());
    ops::matmul(g, stream.normed, layer.qkv, qkv);  // [rows, (heads + 2 kv_heads) D]
    ops::rope_attention(g, qkv, in.rotations, heads, {MaskKind::causal, in.length, in.position}, cache, attended);  // [rows, heads * D]
    add_norm(g, attended, layer.output, 1, layer.mlp.norm.tensor, stream);                                          // [rows, H]
  }
  feed_forward(g, layer.mlp, 1, next_norm, stream);
}

void cross_attention(Graph& g, const CrossAttentionLayer& layer, const ops::HeadShape& heads, const KvCache& cache, uint32_t length,
                     const Tensor& next_norm, const Residual& stream) {
  {
    Arena::Scope scope(g.arena);
    const Tensor query = g.arena.tensor(stream.x.rows, heads.query_width());
    const Tensor attended = g.arena.tensor(stream.x.rows, heads.query_width());
    ops::matmul(g, stream.normed, layer.query, query);  // [rows, heads * D], no rotation
    ops::norm_attention(g, query, layer.query_norm.tensor, stream.eps, cache, heads, {MaskKind::all, length},
                        attended);                                                             // [rows, heads * D]
    add_norm(g, attended, layer.output, layer.attention_gate, layer.mlp.norm.tensor, stream);  // [rows, H]
  }
  feed_forward(g, layer.mlp, layer.mlp_gate, next_norm, stream);
}

const Tensor& norm_of(const Layer& layer) {
  return std::visit([](const auto& one) -> const Tensor& { return one.norm.tensor; }, layer);
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

Tensor decode(Graph& g, const Model& model, const DecoderInputs& in) {
  const ops::HeadShape heads = model.text_heads();
  std::vector<const Layer*> layers;
  for (const Layer& layer : model.text.layers) {
    // Rows before the first picture get nothing from cross-attention layers, attention and MLP alike.
    if (in.image || !std::holds_alternative<CrossAttentionLayer>(layer)) layers.push_back(&layer);
  }
  const uint32_t width = static_cast<uint32_t>(model.config.text.hidden_size);
  const Residual stream{g.arena.tensor(in.rows, width), g.arena.tensor(in.rows, width), model.config.text.rms_norm_eps};
  g.clear_arrivals();
  ops::embedding(g, model.text.embedding, in.tokens, stream.x);
  ops::rms_norm(g, stream.x, norm_of(*layers.front()), stream.eps, stream.normed);
  size_t self_layer = 0, cross_layer = 0;
  for (size_t i = 0; i < layers.size(); ++i) {
    const Tensor& next_norm = i + 1 < layers.size() ? norm_of(*layers[i + 1]) : model.text.norm.tensor;
    if (const auto* self = std::get_if<SelfAttentionLayer>(layers[i]))
      self_attention(g, *self, heads, in, (*in.self_kv)[self_layer++], next_norm, stream);
    else
      cross_attention(g, std::get<CrossAttentionLayer>(*layers[i]), heads, in.image->layers[cross_layer++], in.image->length, next_norm,
                      stream);
  }
  return stream.normed;
}

void output_logits(Graph& g, const Model& model, const Tensor& normed, const Tensor& logits) {
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
