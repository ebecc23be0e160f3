#include "model/config.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <system_error>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "weights/describe.h"
#include "weights/folder.h"
#include "weights/mapped_file.h"
#include "weights/strict_json.h"

namespace loupe {
namespace {

using nlohmann::json;

// Larger than any published model by an order of magnitude, small enough that no product of
// two of them overflows and no allocation computed from them is absurd.
constexpr int max_width = 1 << 16;
constexpr int max_intermediate = 1 << 18;
constexpr int max_vocabulary = 1 << 20;
constexpr int max_layers = 512;
constexpr int max_heads = 512;
constexpr int max_head_dim = 176;  // the attention kernels' shared memory (ops/attention.cpp)
constexpr int max_positions = 1 << 24;
constexpr int max_image_size = 2048;
constexpr int max_patches_per_tile = 1 << 14;
constexpr int max_tiles = 16;
constexpr int max_eos_tokens = 64;
constexpr std::size_t max_config_bytes = 4 << 20;

constexpr int kernel_width = 8;          // elements that a shader loads at a time
constexpr int extra_embedding_rows = 8;  // mllama's embed_tokens beyond the vocabulary

// CLIP's, as published with Llama 3.2 Vision.
constexpr std::array<float, 3> published_mean{0.48145466f, 0.4578275f, 0.40821073f};
constexpr std::array<float, 3> published_std{0.26862954f, 0.26130258f, 0.27577711f};

constexpr const char* check_config = "Compare config.json with the one the model's publisher offers.";

[[noreturn]] void contradiction(const std::string& words) {
  throw Error(ErrorCode::checkpoint_config, "config.json: " + words, check_config);
}

[[noreturn]] void unsupported(const std::string& words, const std::string& next_step) {
  throw Error(ErrorCode::checkpoint_unsupported, "config.json: " + words, next_step);
}

constexpr const char* supported_models =
    "Use a Llama 3.2 Vision checkpoint (mllama) or a Llama 3 text checkpoint (llama) with BF16, F16 or F32 weights.";

/// One object of a JSON file; every reader names the file and the key when it fails.
class Section {
 public:
  Section(const json& object, std::string place) : object_(object), place_(std::move(place)) {}

  /// Present and not null.
  bool has(const char* key) const {
    const auto found = object_.find(key);
    return found != object_.end() && !found->is_null();
  }

  const json& at(const char* key) const {
    if (!has(key)) fail(std::string(key) + " is missing.");
    return *object_.find(key);
  }

  int integer(const char* key, int low, int high) const { return to_integer(at(key), key, low, high); }

  int integer_or(const char* key, int fallback, int low, int high) const { return has(key) ? integer(key, low, high) : fallback; }

  float number(const char* key, double low, double high) const {
    const json& value = at(key);
    if (!value.is_number()) fail(std::string(key) + " must be a number.");
    const double number = value.get<double>();
    if (!(number >= low && number <= high)) {
      fail(std::string(key) + " is " + value.dump() + "; expected " + json(low).dump() + " to " + json(high).dump() + ".");
    }
    return static_cast<float>(number);
  }

  bool boolean_or(const char* key, bool fallback) const {
    if (!has(key)) return fallback;
    if (!at(key).is_boolean()) fail(std::string(key) + " must be true or false.");
    return at(key).get<bool>();
  }

  std::string text(const char* key) const {
    if (!at(key).is_string()) fail(std::string(key) + " must be text.");
    return at(key).get<std::string>();
  }

  std::string text_or(const char* key, const char* fallback) const { return has(key) ? text(key) : fallback; }

  Section section(const char* key) const {
    if (!at(key).is_object()) fail(std::string(key) + " must be an object.");
    return Section(at(key), place_ + separator() + key);
  }

  /// A list of integers, each at most once and in rising order.
  std::vector<int> ascending(const char* key, int low, int high) const {
    std::vector<int> values = integers(key, static_cast<std::size_t>(high - low) + 1, low, high);
    if (std::adjacent_find(values.begin(), values.end(), std::greater_equal<int>()) != values.end()) {
      fail(std::string(key) + " must rise from entry to entry.");
    }
    return values;
  }

  /// A list of integers, or one alone.
  std::vector<int> integers(const char* key, std::size_t max_count, int low, int high) const {
    const json& value = at(key);
    if (!value.is_array()) return {to_integer(value, key, low, high)};
    if (value.size() > max_count) {
      fail(std::string(key) + " has " + std::to_string(value.size()) + " entries; at most " + std::to_string(max_count) + " make sense.");
    }
    std::vector<int> values;
    for (const json& entry : value) values.push_back(to_integer(entry, key, low, high));
    return values;
  }

  std::array<float, 3> rgb_or(const char* key, const std::array<float, 3>& fallback, double low, double high) const {
    if (!has(key)) return fallback;
    const json& value = at(key);
    if (!value.is_array() || value.size() != 3) fail(std::string(key) + " must list 3 numbers.");
    std::array<float, 3> rgb{};
    for (std::size_t i = 0; i < 3; ++i) {
      if (!value[i].is_number() || !(value[i].get<double>() >= low && value[i].get<double>() <= high)) {
        fail(std::string(key) + " must list numbers from " + json(low).dump() + " to " + json(high).dump() + ".");
      }
      rgb[i] = value[i].get<float>();
    }
    return rgb;
  }

  [[noreturn]] void fail(const std::string& words) const {
    throw Error(ErrorCode::checkpoint_config, place_ + separator() + words, check_config);
  }

 private:
  int to_integer(const json& value, const char* key, int low, int high) const {
    if (!value.is_number_integer()) fail(std::string(key) + " must be a whole number.");
    // Unsigned values above the signed range would wrap; they are out of any range here.
    const bool too_large = value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(max_positions);
    const std::int64_t number = too_large ? 0 : value.get<std::int64_t>();
    if (too_large || number < low || number > high) {
      fail(std::string(key) + " is " + value.dump() + "; expected " + std::to_string(low) + " to " + std::to_string(high) + ".");
    }
    return static_cast<int>(number);
  }

  /// "config.json: key", "config.json: text_config.key"
  const char* separator() const { return place_.find(':') == std::string::npos ? ": " : "."; }

  const json& object_;
  std::string place_;
};

void require_divisible(const char* what, int value, const char* by_what, int divisor) {
  if (value % divisor != 0) {
    contradiction(std::string(what) + " (" + std::to_string(value) + ") must be divisible by " + by_what + " (" + std::to_string(divisor) +
                  ").");
  }
}

void require_kernel_width(const char* what, int value) {
  if (value % kernel_width != 0) {
    throw Error(ErrorCode::checkpoint_unsupported,
                "config.json: " + std::string(what) + " is " + std::to_string(value) +
                    "; this engine's kernels load 8 elements at a time and need a multiple of 8.",
                supported_models);
  }
}

/// As people call it.
std::string method_words(const std::string& method) {
  if (method == "bitsandbytes") return "bitsandbytes (4 or 8 bits for one Python library)";
  if (method == "compressed-tensors") return "compressed-tensors (as for vLLM)";
  if (method == "fp8" || method == "fbgemm_fp8") return "FP8";
  return in_quotes(method);
}

void refuse_quantised(const Section& root) {
  // Copies for MLX say so in "quantization", newer ones in both places.
  const auto for_mlx = [](const json& section) {
    return section.is_object() && section.contains("bits") && section.contains("group_size") && !section.contains("quant_method");
  };
  for (const char* key : {"quantization", "quantization_config"}) {
    if (root.has(key) && for_mlx(root.at(key)))
      unsupported("the weights are quantised for MLX (Apple's library), which Loupe does not read.", take_another_copy);
  }
  if (!root.has("quantization_config") || root.at("quantization_config").empty()) return;
  const Section quantization = root.section("quantization_config");
  const bool is_bitsandbytes = quantization.boolean_or("load_in_4bit", false) || quantization.boolean_or("load_in_8bit", false);
  if (!is_bitsandbytes && !quantization.has("quant_method")) {
    unsupported("the weights are quantised (quantization_config does not say how), which Loupe does not read.", take_another_copy);
  }
  unsupported("the weights are quantised with " + method_words(quantization.text_or("quant_method", "bitsandbytes")) +
                  ", which Loupe does not read.",
              take_another_copy);
}

void require_activation(const Section& section, const char* expected) {
  const std::string found = section.text_or("hidden_act", expected);
  if (found != expected) unsupported("hidden_act is " + in_quotes(found) + "; this engine computes '" + expected + "'.", supported_models);
}

void refuse_bias(const Section& section, const char* key) {
  if (section.boolean_or(key, false))
    unsupported(std::string(key) + " is true; this engine runs Llama layers without bias.", supported_models);
}

/// Frequencies come as `rope_theta` + `rope_scaling`, or together as `rope_parameters`.
void parse_rope(const Section& section, Architecture architecture, TextConfig& text) {
  constexpr double max_theta = 1e9;
  const bool is_new_spelling = section.has("rope_parameters");
  const Section theta_section =
      is_new_spelling && section.section("rope_parameters").has("rope_theta") ? section.section("rope_parameters") : section;
  text.rope_theta = architecture == Architecture::mllama ? 500'000.0f : 10'000.0f;  // transformers' defaults
  if (theta_section.has("rope_theta")) text.rope_theta = theta_section.number("rope_theta", 1, max_theta);

  const char* key = is_new_spelling ? "rope_parameters" : "rope_scaling";
  if (!section.has(key)) return;
  const Section scaling = section.section(key);
  const std::string kind = scaling.has("rope_type") ? scaling.text("rope_type") : scaling.text_or("type", "default");
  if (kind == "default") return;
  if (kind != "llama3") unsupported("rotary scaling of type " + in_quotes(kind) + " is not implemented.", supported_models);
  RopeScaling& rope = text.rope_scaling;
  rope.kind = RopeScaling::Kind::llama3;
  rope.factor = scaling.number("factor", 1, 1e6);
  rope.low_freq_factor = scaling.number("low_freq_factor", 1e-3, 1e6);
  rope.high_freq_factor = scaling.number("high_freq_factor", 1e-3, 1e6);
  rope.original_max_position_embeddings = scaling.integer("original_max_position_embeddings", 1, max_positions);
  if (!(rope.high_freq_factor > rope.low_freq_factor)) scaling.fail("high_freq_factor must be greater than low_freq_factor.");
}

void parse_special_tokens(const Section& section, TextConfig& text) {
  if (section.has("bos_token_id")) text.bos_token = section.integer("bos_token_id", 0, text.vocab_size - 1);
  if (!section.has("eos_token_id")) return;
  for (const int token : section.integers("eos_token_id", max_eos_tokens, 0, text.vocab_size - 1)) text.eos_tokens.push_back(token);
}

TextConfig parse_text(const Section& root, const Section& section, Architecture architecture) {
  TextConfig text;
  text.vocab_size = section.integer("vocab_size", 1, max_vocabulary);
  text.hidden_size = section.integer("hidden_size", 1, max_width);
  text.num_layers = section.integer("num_hidden_layers", 1, max_layers);
  text.num_heads = section.integer("num_attention_heads", 1, max_heads);
  text.num_kv_heads = section.integer_or("num_key_value_heads", text.num_heads, 1, max_heads);
  text.intermediate_size = section.integer("intermediate_size", 1, max_intermediate);
  text.max_position_embeddings = section.integer("max_position_embeddings", 1, max_positions);
  text.rms_norm_eps = section.has("rms_norm_eps") ? section.number("rms_norm_eps", 1e-12, 0.1) : 1e-5f;
  text.tie_word_embeddings = section.boolean_or("tie_word_embeddings", root.boolean_or("tie_word_embeddings", false));
  require_activation(section, "silu");
  refuse_bias(section, "attention_bias");
  refuse_bias(section, "mlp_bias");

  require_divisible("num_attention_heads", text.num_heads, "num_key_value_heads", text.num_kv_heads);
  if (section.has("head_dim")) {
    text.head_dim = section.integer("head_dim", 1, max_head_dim);
  } else {
    require_divisible("hidden_size", text.hidden_size, "num_attention_heads", text.num_heads);
    text.head_dim = text.hidden_size / text.num_heads;
    if (text.head_dim > max_head_dim)
      contradiction("hidden_size / num_attention_heads is " + std::to_string(text.head_dim) + "; the attention kernels take at most " +
                    std::to_string(max_head_dim) + ".");
  }
  // The published vision model derives the width and would ignore another one.
  if (architecture == Architecture::mllama && text.head_dim * text.num_heads != text.hidden_size) {
    contradiction("head_dim (" + std::to_string(text.head_dim) + ") times num_attention_heads (" + std::to_string(text.num_heads) +
                  ") must be hidden_size (" + std::to_string(text.hidden_size) + ").");
  }
  if (text.head_dim % 2 != 0) contradiction("the head width " + std::to_string(text.head_dim) + " is odd; rotary embedding turns pairs.");
  require_kernel_width("hidden_size", text.hidden_size);
  require_kernel_width("intermediate_size", text.intermediate_size);
  require_kernel_width("the text head width", text.head_dim);

  text.embedding_rows = text.vocab_size;
  if (architecture == Architecture::mllama) {
    text.embedding_rows += extra_embedding_rows;
    text.cross_attention_layers = section.ascending("cross_attention_layers", 0, text.num_layers - 1);
    if (text.cross_attention_layers.empty()) contradiction("cross_attention_layers is empty: the text could not see the picture.");
    if (text.tie_word_embeddings) unsupported("tie_word_embeddings is true, which no published vision model has.", supported_models);
  }
  parse_rope(section, architecture, text);
  parse_special_tokens(section, text);
  return text;
}

std::vector<std::array<int, 2>> parse_aspect_ratios(const Section& section, int max_num_tiles) {
  std::vector<std::array<int, 2>> standard = standard_aspect_ratios(max_num_tiles);
  if (!section.has("supported_aspect_ratios")) return standard;
  const json& listed = section.at("supported_aspect_ratios");
  json expected = json::array();
  for (const auto& [height, width] : standard) expected.push_back({height, width});
  if (listed != expected) {
    section.fail("supported_aspect_ratios must be " + expected.dump() + " for " + std::to_string(max_num_tiles) + " tiles.");
  }
  return standard;
}

VisionConfig parse_vision(const Section& section) {
  VisionConfig vision;
  vision.hidden_size = section.integer("hidden_size", 1, max_width);
  vision.num_hidden_layers = section.integer("num_hidden_layers", 1, max_layers);
  vision.num_global_layers = section.integer("num_global_layers", 0, max_layers);
  vision.attention_heads = section.integer(section.has("attention_heads") ? "attention_heads" : "num_attention_heads", 1, max_heads);
  vision.intermediate_size = section.integer("intermediate_size", 1, max_intermediate);
  vision.image_size = section.integer("image_size", 1, max_image_size);
  vision.patch_size = section.integer("patch_size", 1, max_image_size);
  vision.max_num_tiles = section.integer("max_num_tiles", 1, max_tiles);
  vision.intermediate_layers_indices = section.ascending("intermediate_layers_indices", 0, vision.num_hidden_layers - 1);
  vision.norm_eps = section.has("norm_eps") ? section.number("norm_eps", 1e-12, 0.1) : 1e-5f;
  vision.supported_aspect_ratios = parse_aspect_ratios(section, vision.max_num_tiles);
  require_activation(section, "gelu");
  if (section.integer_or("num_channels", 3, 1, 1024) != 3) unsupported("num_channels must be 3 (RGB).", supported_models);

  require_divisible("vision hidden_size", vision.hidden_size, "attention_heads", vision.attention_heads);
  require_divisible("image_size", vision.image_size, "patch_size", vision.patch_size);
  if (vision.head_dim() > max_head_dim)
    section.fail("hidden_size / attention_heads is more than " + std::to_string(max_head_dim) +
                 ", the most that the attention kernels take.");
  if (vision.patches_per_tile() > max_patches_per_tile) {
    section.fail("image_size / patch_size gives " + std::to_string(vision.patches_per_tile()) + " patches a tile; at most " +
                 std::to_string(max_patches_per_tile) + " make sense.");
  }
  const int features = vision.hidden_size * (1 + static_cast<int>(vision.intermediate_layers_indices.size()));
  vision.vision_output_dim = section.integer_or("vision_output_dim", features, 1, max_positions);
  if (vision.vision_output_dim != features) {
    section.fail("vision_output_dim is " + std::to_string(vision.vision_output_dim) +
                 "; hidden_size * (1 + number of intermediate_layers_indices) is " + std::to_string(features) + ".");
  }
  // The patch embedding's inputs (3 * patch_size^2, 588 as published) are padded by us and may have any width.
  require_kernel_width("vision hidden_size", vision.hidden_size);
  require_kernel_width("vision intermediate_size", vision.intermediate_size);
  require_kernel_width("the vision head width", vision.head_dim());
  return vision;
}

void parse_preprocessor(std::string_view text, VisionConfig& vision) {
  const json root = parse_json_object(text, "preprocessor_config.json", ErrorCode::checkpoint_config,
                                      {.max_bytes = max_config_bytes, .spelling = JsonSpelling::lenient});
  const Section section(root, "preprocessor_config.json");
  vision.image_mean = section.rgb_or("image_mean", vision.image_mean, -1e3, 1e3);
  vision.image_std = section.rgb_or("image_std", vision.image_std, 1e-3, 1e3);
  if (section.has("size")) {
    const Section size = section.section("size");
    for (const char* edge : {"height", "width"}) {
      const int pixels = size.integer(edge, 1, max_image_size);
      if (pixels != vision.image_size) {
        size.fail(std::string(edge) + " is " + std::to_string(pixels) + "; config.json says image_size " +
                  std::to_string(vision.image_size) + ".");
      }
    }
  }
  const int tiles = section.integer_or("max_image_tiles", vision.max_num_tiles, 1, max_tiles);
  if (tiles != vision.max_num_tiles) {
    section.fail("max_image_tiles is " + std::to_string(tiles) + "; config.json says max_num_tiles " +
                 std::to_string(vision.max_num_tiles) + ".");
  }
  if (section.has("rescale_factor") && std::abs(section.number("rescale_factor", 0, 1e6) - 1.0f / 255) > 1e-6f) {
    throw Error(ErrorCode::checkpoint_unsupported, "preprocessor_config.json: rescale_factor must be 1/255.", supported_models);
  }
}

Architecture parse_architecture(const Section& root) {
  const std::string type = root.text("model_type");
  if (type == "mllama") return Architecture::mllama;
  if (type == "llama") return Architecture::llama;
  unsupported("model_type " + in_quotes(type) + " is not one that this engine runs.", supported_models);
}

// What transformers' MllamaTextConfig and MllamaVisionConfig fill in. Copies that it has saved leave out whatever equals these,
// also in models that are otherwise as published.
const json& text_defaults() {
  static const json defaults = {{"vocab_size", 128256},
                                {"hidden_size", 4096},
                                {"num_hidden_layers", 40},
                                {"num_attention_heads", 32},
                                {"num_key_value_heads", 8},
                                {"intermediate_size", 14336},
                                {"max_position_embeddings", 131072},
                                {"cross_attention_layers", {3, 8, 13, 18, 23, 28, 33, 38}}};
  return defaults;
}

const json& vision_defaults() {
  static const json defaults = {{"hidden_size", 1280},   {"num_hidden_layers", 32},   {"num_global_layers", 8},
                                {"attention_heads", 16}, {"intermediate_size", 5120}, {"image_size", 448},
                                {"patch_size", 14},      {"max_num_tiles", 4},        {"intermediate_layers_indices", {3, 7, 15, 23, 30}}};
  return defaults;
}

/// Tokens are numbered within a vocabulary, so they are only those of the default one.
const json& token_defaults() {
  static const json defaults = {{"bos_token_id", 128000}, {"eos_token_id", 128001}};
  return defaults;
}

void fill_in(json& section, const json& defaults) {
  for (const auto& [key, value] : defaults.items()) {
    // The same number under its other name.
    if (key == "attention_heads" && section.contains("num_attention_heads")) continue;
    if (!section.contains(key)) section[key] = value;
  }
}

ModelConfig parse_checked(const ConfigSources& sources) {
  json root_json = parse_json_object(sources.config, "config.json", ErrorCode::checkpoint_config,
                                     {.max_bytes = max_config_bytes, .spelling = JsonSpelling::lenient});
  const Section root(root_json, "config.json");

  ModelConfig config;
  config.architecture = parse_architecture(root);
  refuse_quantised(root);
  if (config.architecture == Architecture::mllama) {
    for (const auto& [key, defaults] : {std::pair{"text_config", text_defaults()}, std::pair{"vision_config", vision_defaults()}}) {
      root.section(key);  // says so where there is none
      fill_in(root_json[key], defaults);
    }
    if (root_json["text_config"]["vocab_size"] == text_defaults()["vocab_size"]) {
      fill_in(root_json["text_config"], token_defaults());
      if (!root.has("image_token_index") && !root.has("image_token_id")) root_json["image_token_index"] = text_defaults()["vocab_size"];
    }
    config.text = parse_text(root, root.section("text_config"), config.architecture);
    config.vision = parse_vision(root.section("vision_config"));
    config.vision->image_mean = published_mean;
    config.vision->image_std = published_std;
    const char* key = root.has("image_token_index") ? "image_token_index" : "image_token_id";
    config.image_token_index = root.integer(key, 0, config.text.embedding_rows - 1);
    if (sources.preprocessor) parse_preprocessor(*sources.preprocessor, *config.vision);
  } else {
    config.text = parse_text(root, root, config.architecture);
  }

  std::vector<int>& eos = config.text.eos_tokens;
  if (sources.generation) {
    const json generation = parse_json_object(*sources.generation, "generation_config.json", ErrorCode::checkpoint_config,
                                              {.max_bytes = max_config_bytes, .spelling = JsonSpelling::lenient});
    TextConfig from_generation;
    from_generation.vocab_size = config.text.vocab_size;
    parse_special_tokens(Section(generation, "generation_config.json"), from_generation);
    eos.insert(eos.end(), from_generation.eos_tokens.begin(), from_generation.eos_tokens.end());
    if (!config.text.bos_token) config.text.bos_token = from_generation.bos_token;
  }
  std::sort(eos.begin(), eos.end());
  eos.erase(std::unique(eos.begin(), eos.end()), eos.end());
  return config;
}

std::string_view as_text(const MappedFile& file) { return {reinterpret_cast<const char*>(file.bytes().data()), file.size()}; }

}  // namespace

const char* to_string(Architecture architecture) { return architecture == Architecture::mllama ? "mllama" : "llama"; }

bool TextConfig::is_cross_attention_layer(int layer) const {
  return std::binary_search(cross_attention_layers.begin(), cross_attention_layers.end(), layer);
}

ModelConfig parse_model_config(const ConfigSources& sources) {
  try {
    return parse_checked(sources);
  } catch (const json::exception&) {
    // Every access above is guarded; this keeps the promise of one exception type regardless.
    throw Error(ErrorCode::checkpoint_config, "config.json: a value has an unexpected type.", check_config);
  }
}

ModelConfig load_model_config(const std::filesystem::path& directory) {
  const auto open_if_present = [&](const char* name) -> std::optional<MappedFile> {
    std::error_code ignored;
    if (!std::filesystem::exists(directory / name, ignored)) return std::nullopt;
    return MappedFile(directory / name);
  };
  const std::vector<std::string> names = names_in(directory);
  if (std::find(names.begin(), names.end(), "config.json") == names.end()) {
    refuse_other_layouts(names, path_text(directory));
    throw Error(ErrorCode::file_missing, path_text(directory) + " holds no config.json.",
                "Choose the folder that holds config.json and the *.safetensors files, or finish the download.");
  }
  const MappedFile config(directory / "config.json");
  const std::optional<MappedFile> generation = open_if_present("generation_config.json");
  const std::optional<MappedFile> preprocessor = open_if_present("preprocessor_config.json");
  ConfigSources sources{as_text(config), std::nullopt, std::nullopt};
  if (generation) sources.generation = as_text(*generation);
  if (preprocessor) sources.preprocessor = as_text(*preprocessor);
  try {
    return parse_model_config(sources);
  } catch (const Error& error) {
    throw Error(error.code(), path_text(directory) + ": " + error.what(), error.next_step());
  }
}

std::vector<std::array<int, 2>> standard_aspect_ratios(int max_num_tiles) {
  std::vector<std::array<int, 2>> ratios;
  for (int height = 1; height <= max_num_tiles; ++height) {
    for (int width = 1; height * width <= max_num_tiles; ++width) ratios.push_back({height, width});
  }
  return ratios;
}

}  // namespace loupe
