#include "session/working_sizes.h"

#include <algorithm>

#include "base/error.h"

namespace loupe {
namespace {

constexpr uint32_t default_context = 8192;
/// Logits, blocks of weights on their way through (model/upload.cpp), and what blocks of activations leave unused.
constexpr uint64_t small_buffers = 112u << 20;

/// Bytes of a token's keys, or values, in one layer.
uint64_t row_bytes(const TextConfig& text, bool half) {
  return static_cast<uint64_t>(text.num_kv_heads) * static_cast<uint64_t>(text.head_dim) * (half ? 2 : 4);
}

}  // namespace

uint32_t usable_context(const ModelConfig& config, const vk::Memory& memory, bool half, uint32_t wanted) {
  const uint32_t longest = static_cast<uint32_t>(std::min(memory.max_allocation(), memory.max_binding()) / row_bytes(config.text, half));
  const uint32_t trained = static_cast<uint32_t>(config.text.max_position_embeddings);
  if (wanted > trained)
    throw Error(
        ErrorCode::context_full,
        "A context of " + std::to_string(wanted) + " tokens was asked for; this model was trained for " + std::to_string(trained) + ".",
        "Choose a context of at most " + std::to_string(trained) + " tokens.");
  if (wanted > longest)
    throw Error(ErrorCode::context_full,
                "A context of " + std::to_string(wanted) + " tokens was asked for; this device takes at most " + std::to_string(longest) +
                    " for this model.",
                "Choose a context of at most " + std::to_string(longest) + " tokens.");
  return wanted ? wanted : std::min({default_context, trained, longest});
}

WorkingSizes working_sizes(const ModelConfig& config, bool half) {
  const TextConfig& text = config.text;
  const uint64_t layers = static_cast<uint64_t>(text.num_layers), cross = text.cross_attention_layers.size();
  const uint64_t hidden = static_cast<uint64_t>(text.hidden_size), inner = static_cast<uint64_t>(text.intermediate_size);
  const uint64_t query = static_cast<uint64_t>(text.num_heads) * static_cast<uint64_t>(text.head_dim),
                 kv = static_cast<uint64_t>(text.num_kv_heads) * static_cast<uint64_t>(text.head_dim);
  WorkingSizes sizes;
  // One layer more than there are: while the cache grows, one is held twice.
  sizes.self_kv_per_token = (layers - cross + 1) * 2 * row_bytes(text, half);
  // split_attention(): of up to 8 rows one partial result for every 128 keys.
  sizes.self_kv_per_token += 8 * (query + 4 * static_cast<uint64_t>(text.num_heads)) * 4 / 128;
  // What enters a product on matrix units is copied in float16, two to a float32.
  const auto copied = [half](uint64_t width) { return half ? width / 2 : 0; };
  // decode(): the residual stream, and the larger half of a layer.
  uint64_t activations =
      prefill_rows * 4 * (hidden + std::max(hidden + 2 * query + 2 * kv + copied(hidden), hidden + inner + copied(inner)));
  if (config.vision) {
    const VisionConfig& vision = *config.vision;
    const uint64_t tiles = static_cast<uint64_t>(vision.max_num_tiles), tokens = static_cast<uint64_t>(vision.tokens_per_tile());
    sizes.cross_kv = cross * 2 * row_bytes(text, half) * tiles * tokens;
    // VisionEncoder: intermediate states and the residual stream, and one layer's norm, queries, keys and values. For matrix
    // units keys and values once more in float16, which is more than the copy of a product's input that they take in turns with.
    const uint64_t rows = tiles * ((tokens + 7) / 8 * 8), of_layer = half ? 5 : 4;
    const uint64_t width = static_cast<uint64_t>(vision.hidden_size);
    activations = std::max(activations, rows * 4 * width * (vision.intermediate_layers_indices.size() + 1 + of_layer));
  }
  sizes.scratch = activations + small_buffers;
  return sizes;
}

}  // namespace loupe
