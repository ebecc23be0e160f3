#include "model/expected_tensors.h"

#include <algorithm>
#include <string_view>

#include "base/error.h"
#include "weights/describe.h"
#include "weights/gguf_names.h"
#include "weights/tensor_names.h"

namespace loupe {
namespace {

void expect_mlp_and_norms(std::vector<ExpectedTensor>& list, const std::string& layer, const TextConfig& text) {
  const std::int64_t hidden = text.hidden_size;
  const std::int64_t inner = text.intermediate_size;
  list.push_back({layer + "input_layernorm.weight", {hidden}});
  list.push_back({layer + "post_attention_layernorm.weight", {hidden}});
  list.push_back({layer + "mlp.gate_proj.weight", {inner, hidden}});
  list.push_back({layer + "mlp.up_proj.weight", {inner, hidden}});
  list.push_back({layer + "mlp.down_proj.weight", {hidden, inner}});
}

void expect_projections(std::vector<ExpectedTensor>& list, const std::string& attention, std::int64_t hidden, std::int64_t q_rows,
                        std::int64_t kv_rows) {
  list.push_back({attention + "q_proj.weight", {q_rows, hidden}});
  list.push_back({attention + "k_proj.weight", {kv_rows, hidden}});
  list.push_back({attention + "v_proj.weight", {kv_rows, hidden}});
  list.push_back({attention + "o_proj.weight", {hidden, q_rows}});
}

void expect_text(std::vector<ExpectedTensor>& list, const TextConfig& text) {
  const std::int64_t hidden = text.hidden_size;
  const std::int64_t q_rows = std::int64_t{text.num_heads} * text.head_dim;
  const std::int64_t kv_rows = std::int64_t{text.num_kv_heads} * text.head_dim;
  list.push_back({"text.embed_tokens.weight", {text.embedding_rows, hidden}});
  for (int i = 0; i < text.num_layers; ++i) {
    const std::string layer = "text.layers." + std::to_string(i) + ".";
    expect_mlp_and_norms(list, layer, text);
    if (text.is_cross_attention_layer(i)) {
      expect_projections(list, layer + "cross_attn.", hidden, q_rows, kv_rows);
      list.push_back({layer + "cross_attn.q_norm.weight", {text.head_dim}});
      list.push_back({layer + "cross_attn.k_norm.weight", {text.head_dim}});
      list.push_back({layer + "cross_attn_attn_gate", {1}});
      list.push_back({layer + "cross_attn_mlp_gate", {1}});
    } else {
      expect_projections(list, layer + "self_attn.", hidden, q_rows, kv_rows);
    }
  }
  list.push_back({"text.norm.weight", {hidden}});
  if (!text.tie_word_embeddings) list.push_back({"text.lm_head.weight", {text.vocab_size, hidden}});
}

void expect_layer_norm(std::vector<ExpectedTensor>& list, const std::string& name, std::int64_t width) {
  list.push_back({name + ".weight", {width}});
  list.push_back({name + ".bias", {width}});
}

void expect_vision_layer(std::vector<ExpectedTensor>& list, const std::string& layer, const VisionConfig& vision) {
  const std::int64_t hidden = vision.hidden_size;
  const std::int64_t inner = vision.intermediate_size;
  expect_layer_norm(list, layer + "input_layernorm", hidden);
  expect_projections(list, layer + "self_attn.", hidden, hidden, hidden);
  expect_layer_norm(list, layer + "post_attention_layernorm", hidden);
  list.push_back({layer + "mlp.fc1.weight", {inner, hidden}});
  list.push_back({layer + "mlp.fc1.bias", {inner}});
  list.push_back({layer + "mlp.fc2.weight", {hidden, inner}});
  list.push_back({layer + "mlp.fc2.bias", {hidden}});
}

void expect_vision(std::vector<ExpectedTensor>& list, const VisionConfig& vision) {
  const std::int64_t hidden = vision.hidden_size;
  const std::int64_t patch = vision.patch_size;
  const std::int64_t tokens = vision.tokens_per_tile();
  const std::int64_t tiles = vision.max_num_tiles;
  const std::int64_t ids = static_cast<std::int64_t>(vision.supported_aspect_ratios.size()) + 1;
  list.push_back({"vision.patch_embedding.weight", {hidden, 3, patch, patch}});
  list.push_back({"vision.class_embedding", {hidden}});
  list.push_back({"vision.gated_positional_embedding.gate", {1}});
  list.push_back({"vision.gated_positional_embedding.embedding", {tokens, hidden}});
  list.push_back({"vision.gated_positional_embedding.tile_embedding.weight", {ids, tiles * tokens * hidden}});
  for (const char* table : {"vision.pre_tile_positional_embedding.", "vision.post_tile_positional_embedding."}) {
    list.push_back({std::string(table) + "gate", {1}});
    list.push_back({std::string(table) + "embedding.weight", {ids, tiles * hidden}});
  }
  expect_layer_norm(list, "vision.layernorm_pre", hidden);
  expect_layer_norm(list, "vision.layernorm_post", hidden);
  for (int i = 0; i < vision.num_hidden_layers; ++i) {
    expect_vision_layer(list, "vision.transformer.layers." + std::to_string(i) + ".", vision);
  }
  for (int i = 0; i < vision.num_global_layers; ++i) {
    const std::string layer = "vision.global_transformer.layers." + std::to_string(i) + ".";
    expect_vision_layer(list, layer, vision);
    list.push_back({layer + "gate_attn", {1}});
    list.push_back({layer + "gate_ffn", {1}});
  }
}

/// How weights are stored that no config.json announces: by the names and types of their tensors.
struct Storage {
  const char* words;
  const char* next_step;
  bool (*is_shown_by)(std::string_view name, DType dtype);
};

constexpr Storage other_storages[] = {
    {"weights quantised with bitsandbytes", take_another_copy,
     [](std::string_view name, DType) {
       return name.ends_with(".absmax") || name.ends_with(".quant_map") || name.ends_with(".nested_absmax") ||
              name.ends_with(".nested_quant_map") || name.ends_with(".SCB") || name.find(".quant_state") != std::string_view::npos;
     }},
    {"weights in FP8", take_another_copy, [](std::string_view, DType dtype) { return dtype == DType::f8_e4m3 || dtype == DType::f8_e5m2; }},
    {"weights quantised with GPTQ or AWQ", take_another_copy,
     [](std::string_view name, DType) { return name.ends_with(".qweight") || name.ends_with(".qzeros"); }},
    {"weights quantised with compressed-tensors", take_another_copy,
     [](std::string_view name, DType) { return name.ends_with(".weight_packed"); }},
    {"weights quantised with HQQ", take_another_copy, [](std::string_view name, DType) { return name.ends_with(".W_q"); }},
    {"weights quantised for MLX (Apple's library)", take_another_copy,
     [](std::string_view name, DType dtype) { return dtype == DType::u32 && name.ends_with(".weight"); }},
    {"weights in MLX's own arrangement (Apple's library)", take_another_copy,
     [](std::string_view name, DType) { return name.find("vision_tower.") != std::string_view::npos; }},
    {"an adapter (LoRA) that is not merged into the model's weights",
     "Merge it (in PEFT: merge_and_unload, then save_pretrained), and choose the folder with the result.",
     [](std::string_view name, DType) {
       return name.find(".lora_A.") != std::string_view::npos || name.find(".lora_B.") != std::string_view::npos;
     }},
};

void refuse_other_storages(const Checkpoint& checkpoint) {
  for (const Storage& storage : other_storages) {
    for (const TensorView& tensor : checkpoint.tensors()) {
      if (!storage.is_shown_by(tensor.stored_name, tensor.dtype)) continue;
      throw Error(
          ErrorCode::checkpoint_unsupported,
          checkpoint.file_of(tensor) + " holds " + storage.words + " (" + in_quotes(tensor.stored_name) + "), which Loupe does not read.",
          storage.next_step);
    }
  }
}

}  // namespace

std::vector<ExpectedTensor> expected_tensors(const ModelConfig& config) {
  std::vector<ExpectedTensor> list;
  expect_text(list, config.text);
  if (config.vision) {
    expect_vision(list, *config.vision);
    list.push_back({"projector.weight", {config.text.hidden_size, config.vision->vision_output_dim}});
    list.push_back({"projector.bias", {config.text.hidden_size}});
  }
  return list;
}

const char* output_weight_name(const ModelConfig& config) {
  return config.text.tie_word_embeddings ? "text.embed_tokens.weight" : "text.lm_head.weight";
}

std::int64_t parameter_count(const ModelConfig& config) {
  std::int64_t total = 0;
  for (const ExpectedTensor& tensor : expected_tensors(config)) {
    std::int64_t elements = 1;
    for (const std::int64_t dimension : tensor.shape) elements *= dimension;
    total += elements;
  }
  return total;
}

void check_tensors(const ModelConfig& config, const Checkpoint& checkpoint) {
  if (!checkpoint.metadata()) refuse_other_storages(checkpoint);

  const bool text_only = config.architecture == Architecture::llama;
  const std::vector<ExpectedTensor> expected = expected_tensors(config);
  const auto is_missing = [&](const ExpectedTensor& tensor) { return checkpoint.find(tensor.name) == nullptr; };
  const auto first_missing = std::find_if(expected.begin(), expected.end(), is_missing);
  if (first_missing != expected.end()) {
    const auto missing = std::count_if(expected.begin(), expected.end(), is_missing);
    const std::string published = published_name(first_missing->name, text_only),
                      stored_spelling = checkpoint.metadata() ? gguf_name(first_missing->name).value_or(published) : published;
    throw Error(ErrorCode::checkpoint_tensor,
                checkpoint.source() + ": tensor " + in_quotes(stored_spelling) + " " + shape_text(first_missing->shape) + " is missing (" +
                    std::to_string(missing) + " of " + std::to_string(expected.size()) + " are).",
                "The weights and config.json belong to different models, or the download is incomplete; download both again.");
  }
  for (const ExpectedTensor& tensor : expected) {
    const TensorView& found = checkpoint.at(tensor.name);
    const std::string place = checkpoint.file_of(found) + ": tensor " + in_quotes(found.stored_name);
    const char* download_both = checkpoint.metadata() ? "The file is damaged or of another kind; use another copy of the model."
                                                      : "The weights and config.json belong to different models; download both again.";
    if (!is_weight_type(found.dtype)) {
      throw Error(ErrorCode::checkpoint_dtype, place + " has type " + std::string(to_string(found.dtype)) + "; expected BF16, F16 or F32.",
                  take_another_copy);
    }
    if (found.shape != tensor.shape) {
      throw Error(ErrorCode::checkpoint_shape,
                  place + " has the shape " + shape_text(found.shape) + "; " +
                      (checkpoint.metadata() ? "the metadata make" : "config.json makes") + " it " + shape_text(tensor.shape) + ".",
                  download_both);
    }
  }
}

}  // namespace loupe
