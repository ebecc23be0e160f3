#pragma once
// What config.json, generation_config.json and preprocessor_config.json say, checked so that
// the model code can rely on it: every number is in range and none contradicts another.

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weights/checkpoint.h"

namespace loupe {

enum class Architecture {
  mllama,  ///< Llama 3.2 Vision: text decoder with cross-attention layers and a vision encoder
  llama,   ///< text decoder alone
};

const char* to_string(Architecture architecture);

/// Stretches the rotary frequencies of long wavelengths (Llama 3.1 and later).
struct RopeScaling {
  enum class Kind {
    none,
    llama3,   ///< by the four numbers below
    factors,  ///< frequency i is divided by factors[i], as GGUF files say it
  };
  Kind kind = Kind::none;
  std::vector<float> factors;  ///< head_dim / 2
  float factor = 1;
  float low_freq_factor = 1;
  float high_freq_factor = 1;
  int original_max_position_embeddings = 0;
};

struct TextConfig {
  int vocab_size = 0;  ///< logits
  int hidden_size = 0;
  int num_layers = 0;  ///< self and cross layers together
  int num_heads = 0;
  int num_kv_heads = 0;  ///< divides num_heads
  int head_dim = 0;
  int intermediate_size = 0;
  std::vector<int> cross_attention_layers;  ///< ascending, within 0 .. num_layers - 1; empty for llama
  float rope_theta = 0;
  RopeScaling rope_scaling;
  float rms_norm_eps = 0;
  int max_position_embeddings = 0;
  bool tie_word_embeddings = false;
  /// Rows of embed_tokens: vocab_size, for mllama 8 more (the image token is the first of them).
  int embedding_rows = 0;
  std::optional<int> bos_token;
  /// Ascending; config.json's and generation_config.json's together.
  std::vector<int> eos_tokens;

  bool is_cross_attention_layer(int layer) const;
};

struct VisionConfig {
  int hidden_size = 0;
  int num_hidden_layers = 0;
  int num_global_layers = 0;
  int attention_heads = 0;
  int intermediate_size = 0;
  int image_size = 0;  ///< edge of a tile in pixels, a multiple of patch_size
  int patch_size = 0;
  int max_num_tiles = 0;
  /// Ascending. Block i of these contributes its INPUT to the output features.
  std::vector<int> intermediate_layers_indices;
  float norm_eps = 0;
  /// (height, width) in tiles; aspect ratio id = index + 1, id 0 = no picture.
  std::vector<std::array<int, 2>> supported_aspect_ratios;
  int vision_output_dim = 0;          ///< hidden_size * (1 + intermediate_layers_indices.size())
  std::array<float, 3> image_mean{};  ///< of RGB scaled to 0 .. 1
  std::array<float, 3> image_std{};

  int head_dim() const { return hidden_size / attention_heads; }
  int patches_per_tile() const { return (image_size / patch_size) * (image_size / patch_size); }
  /// Patches and the class token.
  int tokens_per_tile() const { return patches_per_tile() + 1; }
};

struct ModelConfig {
  Architecture architecture = Architecture::mllama;
  TextConfig text;
  std::optional<VisionConfig> vision;    ///< present for mllama
  std::optional<int> image_token_index;  ///< present for mllama; below text.embedding_rows
};

/// The texts of the files beside the weights.
struct ConfigSources {
  std::string_view config;
  std::optional<std::string_view> generation;
  std::optional<std::string_view> preprocessor;
};

/// @throws Error checkpoint_config: malformed, out of range or contradictory, naming the key;
///         checkpoint_unsupported: well-formed, but of a kind that this engine does not run.
ModelConfig parse_model_config(const ConfigSources& sources);

/// Reads config.json and, where present, generation_config.json and preprocessor_config.json.
/// @throws Error file_missing, as refuse_other_layouts, and as parse_model_config.
ModelConfig load_model_config(const std::filesystem::path& directory);

/// The configuration that the metadata of GGUF files state.
/// @throws Error checkpoint_config, checkpoint_unsupported as parse_model_config; file_missing: the text half of a
///         vision model without its projector, or the reverse.
ModelConfig gguf_model_config(const Checkpoint& checkpoint);

/// Tile arrangements (height, width) that fit `max_num_tiles`, in the published order.
std::vector<std::array<int, 2>> standard_aspect_ratios(int max_num_tiles);

/// The next step where a model's weights are stored as this engine does not read them.
inline constexpr const char* take_another_copy = "Take the original copy of the model (BF16), or a GGUF file in Q4_K_M or Q8_0.";

}  // namespace loupe
