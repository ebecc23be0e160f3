#pragma once
// The weights of a checkpoint on the device, in the shapes that the kernels want.
//
// Names follow the published checkpoints; shapes are [out, in] as there. H = hidden_size, F =
// intermediate_size, D = head_dim.

#include <atomic>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <utility>
#include <variant>
#include <vector>

#include "model/config.h"
#include "model/upload.h"
#include "ops/ops.h"

namespace loupe {

/// fc1, fc2 of a vision block and what surrounds them. Vision H.
struct VisionLayer {
  Vector input_norm_weight, input_norm_bias;  // [H]
  Matrix qkv;                                 // [3H, H]
  Matrix output;                              // [H, H]
  Vector post_norm_weight, post_norm_bias;    // [H]
  Matrix fc1;                                 // [F, H]
  Vector fc1_bias;                            // [F]
  Matrix fc2;                                 // [H, F]
  Vector fc2_bias;                            // [H]
  float attention_gate = 1, mlp_gate = 1;     // tanh'ed; 1 in local layers
};

struct VisionWeights {
  Matrix patch_embedding;                                                   // [H, 3 * patch * patch]
  Vector class_embedding;                                                   // [H]
  Vector position_embedding;                                                // [tokens, H], times 1 - tanh(gate)
  Matrix tile_position_embedding;                                           // [ids, tiles * tokens * H]
  Matrix pre_tile_embedding, post_tile_embedding;                           // [ids, tiles * H]
  float position_gate = 0, pre_tile_gate = 0, post_tile_gate = 0;           // tanh'ed
  Vector pre_norm_weight, pre_norm_bias, post_norm_weight, post_norm_bias;  // [H]
  std::vector<VisionLayer> local_layers, global_layers;
  Matrix projector;       // [text H, features]
  Vector projector_bias;  // [text H]
};

/// The feed-forward half that both kinds of text layers share.
struct TextMlp {
  Vector norm;     // [H]
  Matrix gate_up;  // [2F, H], rows interleaved
  Matrix down;     // [H, F]
};

struct SelfAttentionLayer {
  Vector norm;    // [H]
  Matrix qkv;     // [(heads + 2 kv_heads) D, H]
  Matrix output;  // [H, heads * D]
  TextMlp mlp;
};

struct CrossAttentionLayer {
  Vector norm;                             // [H]
  Matrix query;                            // [heads * D, H]
  Matrix key, value;                       // [kv_heads * D, H]
  Vector query_norm, key_norm;             // [D]
  Matrix output;                           // [H, heads * D]
  float attention_gate = 0, mlp_gate = 0;  // tanh'ed
  TextMlp mlp;
};

struct TextWeights {
  Matrix embedding;  // [embedding_rows, H]
  std::vector<std::variant<SelfAttentionLayer, CrossAttentionLayer>> layers;
  Vector norm;                    // [H]
  std::optional<Matrix> lm_head;  // [vocab, H]; absent when tied
  const Matrix& output() const { return lm_head ? *lm_head : embedding; }
};

/// Bytes of weights by what they are part of, as they lie on the device.
struct WeightSizes {
  struct Layer {
    bool cross = false;
    uint64_t bytes = 0;
  };
  std::vector<Layer> layers;
  uint64_t embedding = 0, output = 0, vision = 0;  ///< a tied embedding is the output
  uint64_t total() const;
};

/// Where a load is to place the weights.
struct LoadPlan {
  std::set<uint32_t> host_layers;  ///< layers of the text model to leave in the host's memory
  bool embedding_on_host = false;  ///< ignored when it is the output too
  uint64_t keep_free = 0;          ///< of the device's budget, for caches and activations
};

/// Where they ended up.
struct Placement {
  uint64_t device_bytes = 0, host_bytes = 0;
  std::vector<uint32_t> host_layers;  ///< with any weight in the host's memory
  bool embedding_on_host = false, output_on_host = false, vision_on_host = false;
  bool as_planned = true;
};

struct Model {
  ModelConfig config;
  TextWeights text;
  std::optional<VisionWeights> vision;
  Placement placement;

  ops::HeadShape text_heads() const;
  ops::HeadShape vision_heads() const;
};

/// Where a model lies: a folder in the published layout, or GGUF files (Checkpoint::open_gguf).
struct ModelSource {
  std::filesystem::path directory;
  std::vector<std::filesystem::path> gguf;

  ModelSource(std::filesystem::path folder) : directory(std::move(folder)) {}
  ModelSource(std::vector<std::filesystem::path> files) : gguf(std::move(files)) {}
};

Checkpoint open_checkpoint(const ModelSource& source);

/// Mapped files whose configuration fits their tensors.
struct ModelFiles {
  ModelConfig config;
  Checkpoint checkpoint;
};

/// Throws what config.h and checkpoint.h say.
ModelFiles open_model(const ModelSource& source);
WeightSizes weight_sizes(const ModelFiles& files);
/// The type of most matrices, as files spell it: "BF16", "Q4_K".
std::string usual_type(const Checkpoint& checkpoint);

/// Uploads the weights. What the device has no room for, or no longer, goes to the host's memory, layer by layer.
/// `progress(done, total)` in bytes, may be null. Throws device_out_of_memory when both are full, and cancelled.
Model load_model(const ModelFiles& files, vk::Device& device, vk::Memory& memory, const LoadPlan& plan, const std::atomic<bool>* cancel,
                 const std::function<void(uint64_t, uint64_t)>& progress);
/// Opens, and uploads without a plan.
Model load_model(const ModelSource& source, vk::Device& device, vk::Memory& memory, const std::atomic<bool>* cancel,
                 const std::function<void(uint64_t, uint64_t)>& progress);

}  // namespace loupe
