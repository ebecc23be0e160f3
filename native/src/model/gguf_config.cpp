// The metadata of GGUF files as the configuration that published checkpoints state in config.json, so that one set of
// checks serves both.

#include <cmath>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "model/config.h"
#include "weights/convert.h"
#include "weights/describe.h"
#include "weights/gguf_names.h"

namespace loupe {
namespace {

using nlohmann::json;

// More than any list of layers or end tokens; the configuration's own checks are stricter.
constexpr std::uint64_t max_list = 1024;

constexpr const char* another_copy = "The file is damaged or of another kind; use another copy of the model.";
constexpr const char* supported = "Use a GGUF file of Llama 3.2 Vision (architecture mllama) or of a Llama 3 text model (llama).";

/// The entries of one architecture.
class Entries {
 public:
  Entries(const Checkpoint& checkpoint, std::string architecture) : checkpoint_(checkpoint), architecture_(std::move(architecture)) {}

  const GgufValue* find(const std::string& key) const {
    const auto found = checkpoint_.metadata()->find(key);
    return found == checkpoint_.metadata()->end() ? nullptr : &found->second;
  }
  const GgufValue* own(const std::string& key) const { return find(architecture_ + "." + key); }

  std::int64_t integer(const std::string& key) const {
    const GgufValue* value = own(key);
    if (!value) fail(key, "is missing");
    const std::optional<std::int64_t> integer = value->as_integer();
    if (!integer) fail(key, "is not a whole number");
    return *integer;
  }
  double number(const std::string& key) const {
    const GgufValue* value = own(key);
    if (!value) fail(key, "is missing");
    const std::optional<double> number = value->as_number();
    if (!number || !std::isfinite(*number)) fail(key, "is not a number");
    return *number;
  }
  json integers(const std::string& key) const {
    const GgufValue* value = own(key);
    if (!value) fail(key, "is missing");
    if (value->count > max_list) fail(key, "has " + std::to_string(value->count) + " elements");
    json list = json::array();
    value->for_each([&](const GgufValue& element) {
      const std::optional<std::int64_t> integer = element.as_integer();
      if (!integer) fail(key, "lists something that is not a whole number");
      list.push_back(*integer);
    });
    return list;
  }

  [[noreturn]] void fail(const std::string& key, const std::string& words) const {
    throw Error(ErrorCode::checkpoint_config, checkpoint_.source() + ": " + architecture_ + "." + key + " " + words + ".", another_copy);
  }

 private:
  const Checkpoint& checkpoint_;
  std::string architecture_;
};

/// Where a text stands in the token list.
std::optional<std::int64_t> token_named(const Entries& entries, std::string_view text) {
  const GgufValue* tokens = entries.find("tokenizer.ggml.tokens");
  std::optional<std::int64_t> found;
  std::int64_t number = 0;
  if (tokens && tokens->element == GgufType::text)
    tokens->for_each([&](const GgufValue& token) {
      if (!found && token.as_text() == text) found = number;
      ++number;
    });
  return found;
}

json end_tokens(const Entries& entries) {
  json list = json::array();
  for (const char* key : {"eos_token_ids", "eos_token_id", "eot_token_id", "eom_token_id"}) {
    const GgufValue* value = entries.find(std::string("tokenizer.ggml.") + key);
    if (!value || value->count > max_list) continue;
    value->for_each([&](const GgufValue& token) {
      if (const std::optional<std::int64_t> integer = token.as_integer()) list.push_back(*integer);
    });
  }
  return list;
}

void refuse_variants(const Entries& entries, const std::string& source) {
  const GgufValue* experts = entries.own("expert_count");
  if (experts && experts->as_integer().value_or(0) > 0)
    throw Error(ErrorCode::checkpoint_unsupported, source + ": a mixture of experts, which this engine does not run.", supported);
  const GgufValue* scaling = entries.own("rope.scaling.type");
  const std::string_view type = scaling ? scaling->as_text().value_or("") : "none";
  if (type != "none")
    throw Error(ErrorCode::checkpoint_unsupported, source + ": rotary scaling of type " + in_quotes(type) + " is not implemented.",
                supported);
}

json text_section(const Entries& entries, const Checkpoint& checkpoint) {
  json text = {{"hidden_size", entries.integer("embedding_length")},
               {"num_hidden_layers", entries.integer("block_count")},
               {"num_attention_heads", entries.integer("attention.head_count")},
               {"intermediate_size", entries.integer("feed_forward_length")},
               {"max_position_embeddings", entries.integer("context_length")},
               {"rms_norm_eps", entries.number("attention.layer_norm_rms_epsilon")},
               {"tie_word_embeddings", checkpoint.find("text.lm_head.weight") == nullptr},
               {"eos_token_id", end_tokens(entries)}};
  if (entries.own("attention.head_count_kv")) text["num_key_value_heads"] = entries.integer("attention.head_count_kv");
  if (entries.own("attention.key_length")) text["head_dim"] = entries.integer("attention.key_length");
  if (entries.own("rope.freq_base")) text["rope_theta"] = entries.number("rope.freq_base");
  const TensorView* logits = checkpoint.find("text.lm_head.weight");
  const TensorView* table = checkpoint.find("text.embed_tokens.weight");
  const TensorView* rows = logits ? logits : table;
  if (entries.own("vocab_size"))
    text["vocab_size"] = entries.integer("vocab_size");
  else if (rows && !rows->shape.empty())
    text["vocab_size"] = rows->shape[0];
  const GgufValue* bos = entries.find("tokenizer.ggml.bos_token_id");
  if (bos && bos->as_integer()) text["bos_token_id"] = *bos->as_integer();
  return text;
}

json vision_section(const Entries& entries) {
  json vision = {{"hidden_size", entries.integer("vision.embedding_length")},
                 {"num_hidden_layers", entries.integer("vision.block_count")},
                 {"num_global_layers", entries.integer("vision.global.block_count")},
                 {"attention_heads", entries.integer("vision.attention.head_count")},
                 {"intermediate_size", entries.integer("vision.feed_forward_length")},
                 {"image_size", entries.integer("vision.image_size")},
                 {"patch_size", entries.integer("vision.patch_size")},
                 {"max_num_tiles", entries.integer("vision.max_num_tiles")},
                 {"norm_eps", entries.number("vision.attention.layer_norm_epsilon")},
                 {"intermediate_layers_indices", entries.integers("vision.intermediate_layers_indices")}};
  if (entries.own("vision.num_channels")) vision["num_channels"] = entries.integer("vision.num_channels");
  return vision;
}

/// How pixels are normalised, where the file says so; Ollama's do not, and mean the published numbers.
json preprocessor_section(const Entries& entries) {
  json section = json::object();
  for (const char* key : {"image_mean", "image_std"}) {
    const GgufValue* value = entries.own(std::string("vision.") + key);
    if (!value) continue;
    json list = json::array();
    if (value->count <= 3) value->for_each([&](const GgufValue& one) { list.push_back(one.as_number().value_or(NAN)); });
    section[key] = list;
  }
  return section;
}

json config_of(const Checkpoint& checkpoint, const std::string& architecture) {
  const Entries entries(checkpoint, architecture);
  refuse_variants(entries, checkpoint.source());
  if (architecture == "llama") {
    json config = text_section(entries, checkpoint);
    config["model_type"] = "llama";
    return config;
  }
  const bool has_text = entries.own("block_count"), has_vision = entries.own("vision.block_count");
  if (has_text != has_vision) {
    throw Error(ErrorCode::file_missing,
                checkpoint.source() + " is one of two files of a vision model; the " +
                    (has_text ? "projector, which holds the vision tower," : "text file") + " is missing.",
                "Name both files with a comma between them: TEXT.gguf,PROJECTOR.gguf.");
  }
  json config = {{"model_type", "mllama"}, {"text_config", text_section(entries, checkpoint)}, {"vision_config", vision_section(entries)}};
  config["text_config"]["cross_attention_layers"] = entries.integers("attention.cross_attention_layers");
  // The token list has one entry more than there are logits.
  config["image_token_index"] = token_named(entries, "<|image|>").value_or(config["text_config"].value("vocab_size", std::int64_t{0}));
  return config;
}

void require_whole_rotation(const Entries& entries, const TextConfig& text, const std::string& source) {
  const GgufValue* rotated = entries.own("rope.dimension_count");
  if (rotated && rotated->as_integer() != text.head_dim)
    throw Error(ErrorCode::checkpoint_unsupported,
                source + ": rope.dimension_count is not the head width " + std::to_string(text.head_dim) + ".", supported);
}

void take_rope_factors(const Checkpoint& checkpoint, TextConfig& text) {
  const TensorView* tensor = checkpoint.find(rope_factors_name);
  if (!tensor) return;
  std::vector<float> factors = read_floats(*tensor);
  bool sound = static_cast<int>(factors.size()) == text.head_dim / 2;
  for (const float factor : factors) sound = sound && factor >= 1e-3f && factor <= 1e6f;
  if (!sound)
    throw Error(ErrorCode::checkpoint_config,
                checkpoint.file_of(*tensor) + ": " + in_quotes(tensor->stored_name) + " must hold " + std::to_string(text.head_dim / 2) +
                    " positive factors.",
                another_copy);
  text.rope_scaling.kind = RopeScaling::Kind::factors;
  text.rope_scaling.factors = std::move(factors);
}

}  // namespace

ModelConfig gguf_model_config(const Checkpoint& checkpoint) {
  const auto architecture = checkpoint.metadata()->find("general.architecture");
  const std::string name(architecture->second.as_text().value());
  const std::string text = config_of(checkpoint, name).dump(), preprocessor = preprocessor_section(Entries(checkpoint, name)).dump();
  ModelConfig config;
  try {
    config = parse_model_config({text, std::nullopt, preprocessor});
  } catch (const Error& error) {
    // Its keys are those of config.json, which say what is meant as well.
    std::string words = error.what();
    for (const std::string_view file : {"config.json", "preprocessor_config.json"}) {
      if (words.starts_with(file)) words = checkpoint.source() + " (metadata)" + words.substr(file.size());
    }
    throw Error(error.code(), words, error.code() == ErrorCode::checkpoint_config ? another_copy : supported);
  }
  require_whole_rotation(Entries(checkpoint, name), config.text, checkpoint.source());
  take_rope_factors(checkpoint, config.text);
  return config;
}

}  // namespace loupe
