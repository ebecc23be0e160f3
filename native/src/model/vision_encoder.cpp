#include "model/vision_encoder.h"

#include <algorithm>

namespace loupe {
namespace {

using Kind = ops::Epilogue::Kind;

constexpr uint64_t large_activation = 64u << 20;

/// x += gate_a * attention(norm(x)); x += gate_m * mlp(norm(x)).  x: [tiles * padded, H]
void vision_block(Graph& g, const VisionLayer& layer, const ops::HeadShape& heads, const ops::AttentionMask& mask, float eps,
                  uint32_t tiles, const Tensor& x) {
  const uint32_t rows = x.rows, hidden = x.cols;
  {
    Arena::Scope scope(g.arena);
    const Tensor normed = g.arena.tensor(rows, hidden);
    const Tensor qkv = g.arena.tensor(rows, 3 * hidden);
    ops::layer_norm(g, x, layer.input_norm_weight.tensor, layer.input_norm_bias.tensor, eps, normed);  // [rows, H]
    ops::matmul(g, normed, layer.qkv, qkv);                                                            // [rows, 3H]
    ops::attention_packed(g, qkv, heads, mask, normed);                                                // [rows, H]
    ops::matmul(g, normed, layer.output, x, {Kind::add, nullptr, layer.attention_gate});               // [rows, H]
  }
  // Tile by tile where the hidden layer of all tiles would be large; more than a binding on some devices.
  const bool at_once = static_cast<uint64_t>(rows) * layer.fc1.rows * 4 <= large_activation;
  const uint32_t step = at_once ? rows : rows / tiles;
  for (uint32_t row = 0; row < rows; row += step) {
    Arena::Scope scope(g.arena);
    const Tensor part = x.view(row, step);
    const Tensor normed = g.arena.tensor(step, hidden);
    const Tensor inner = g.arena.tensor(step, layer.fc1.rows);
    ops::layer_norm(g, part, layer.post_norm_weight.tensor, layer.post_norm_bias.tensor, eps, normed);  // [step, H]
    ops::matmul(g, normed, layer.fc1, inner, {Kind::gelu, &layer.fc1_bias.tensor});                     // [step, F]
    ops::matmul(g, inner, layer.fc2, part, {Kind::add, &layer.fc2_bias.tensor, layer.mlp_gate});        // [step, H]
  }
}

}  // namespace

VisionEncoder::VisionEncoder(Graph& g, const Model& model, const vk::Slice& pixels, const PreparedImage& image,
                             const std::function<void(uint32_t, uint32_t)>& progress) {
  const VisionConfig& config = *model.config.vision;
  const VisionWeights& weights = *model.vision;
  const uint32_t tiles = static_cast<uint32_t>(config.max_num_tiles), hidden = static_cast<uint32_t>(config.hidden_size);
  const uint32_t patches = static_cast<uint32_t>(config.patches_per_tile());
  const float eps = config.norm_eps;
  constexpr float outer_norm_eps = 1e-5f;  // layernorm_pre and _post do not follow the config
  tokens_ = patches + 1;
  padded_ = round_up(tokens_, 8);

  for (size_t i = 0; i < config.intermediate_layers_indices.size(); ++i) intermediate_.push_back(g.arena.tensor(tiles * padded_, hidden));
  final_state_ = g.arena.tensor(tiles * padded_, hidden);
  const Tensor x = final_state_;  // [tiles * padded, H], the residual stream
  {
    Arena::Scope scope(g.arena);
    const Tensor pixels_in = g.arena.tensor(tiles * patches, weights.patch_embedding.stride);
    const Tensor patch_states = g.arena.tensor(tiles * patches, hidden);
    const Tensor embedded = g.arena.tensor(tiles * padded_, hidden);
    ops::patchify(g, pixels,
                  {static_cast<uint32_t>(config.image_size), static_cast<uint32_t>(config.patch_size), tiles, image.num_tiles,
                   config.image_mean, config.image_std},
                  pixels_in);                                          // [tiles * patches, 3 * patch * patch]
    ops::matmul(g, pixels_in, weights.patch_embedding, patch_states);  // [tiles * patches, H]
    ops::vision_embedding(g, patch_states,
                          {weights.class_embedding.tensor, weights.position_embedding.tensor, weights.tile_position_embedding,
                           weights.pre_tile_embedding, weights.position_gate, weights.pre_tile_gate},
                          image.aspect_ratio_id, tiles, padded_, embedded);  // [tiles * padded, H]
    ops::layer_norm(g, embedded, weights.pre_norm_weight.tensor, weights.pre_norm_bias.tensor, outer_norm_eps, x, {padded_, tokens_});
  }

  // Only pairs of padding are masked: real tokens do attend to padding, as the model was trained.
  const ops::AttentionMask mask{ops::AttentionMask::Kind::vision, tiles * padded_, {}, image.num_tiles, tokens_, padded_};
  const uint32_t layers = static_cast<uint32_t>(weights.local_layers.size() + weights.global_layers.size());
  uint32_t done = 0;
  auto layer_done = [&] {
    g.recorder.flush();
    if (progress) progress(++done, layers);
  };
  auto next_intermediate = intermediate_.begin();
  for (size_t i = 0; i < weights.local_layers.size(); ++i) {
    const auto& wanted = config.intermediate_layers_indices;
    if (std::find(wanted.begin(), wanted.end(), static_cast<int>(i)) != wanted.end())
      g.recorder.copy(x.slice, (next_intermediate++)->slice);  // the block's INPUT
    vision_block(g, weights.local_layers[i], model.vision_heads(), mask, eps, tiles, x);
    layer_done();
  }
  {
    Arena::Scope scope(g.arena);
    const Tensor normed = g.arena.tensor(x.rows, hidden);
    ops::layer_norm(g, x, weights.post_norm_weight.tensor, weights.post_norm_bias.tensor, outer_norm_eps, normed);
    g.recorder.copy(normed.slice, x.slice);
  }
  ops::tile_embedding(g, x, weights.post_tile_embedding, weights.post_tile_gate, image.aspect_ratio_id, tiles);
  for (const VisionLayer& layer : weights.global_layers) {
    vision_block(g, layer, model.vision_heads(), mask, eps, tiles, x);
    layer_done();
  }
}

void VisionEncoder::features(Graph& g, uint32_t tile, const Tensor& out) const {
  ops::gather_features(g, final_state_, intermediate_, tile, padded_, tokens_, out);
}

void project(Graph& g, const Model& model, const Tensor& features, const Tensor& out) {
  ops::matmul(g, features, model.vision->projector, out, {Kind::none, &model.vision->projector_bias.tensor});
}

}  // namespace loupe
