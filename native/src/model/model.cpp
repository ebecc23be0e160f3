#include "model/model.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <numeric>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/error.h"
#include "model/expected_tensors.h"
#include "weights/gguf_names.h"

namespace loupe {
namespace {

VisionLayer load_vision_layer(Uploader& up, const std::string& prefix, bool gated) {
  VisionLayer layer;
  layer.input_norm_weight = up.vector(prefix + "input_layernorm.weight");
  layer.input_norm_bias = up.vector(prefix + "input_layernorm.bias");
  layer.qkv = up.stacked({prefix + "self_attn.q_proj.weight", prefix + "self_attn.k_proj.weight", prefix + "self_attn.v_proj.weight"});
  layer.output = up.matrix(prefix + "self_attn.o_proj.weight");
  layer.post_norm_weight = up.vector(prefix + "post_attention_layernorm.weight");
  layer.post_norm_bias = up.vector(prefix + "post_attention_layernorm.bias");
  layer.fc1 = up.matrix(prefix + "mlp.fc1.weight");
  layer.fc1_bias = up.vector(prefix + "mlp.fc1.bias");
  layer.fc2 = up.matrix(prefix + "mlp.fc2.weight");
  layer.fc2_bias = up.vector(prefix + "mlp.fc2.bias");
  if (gated) {
    layer.attention_gate = up.gate(prefix + "gate_attn");
    layer.mlp_gate = up.gate(prefix + "gate_ffn");
  }
  return layer;
}

VisionWeights load_vision(Uploader& up, const VisionConfig& config) {
  VisionWeights weights;
  weights.patch_embedding = up.matrix("vision.patch_embedding.weight");
  weights.class_embedding = up.vector("vision.class_embedding");
  weights.position_gate = up.gate("vision.gated_positional_embedding.gate");
  weights.position_embedding =
      up.vector("vision.gated_positional_embedding.embedding", up.scalar(position_factor_name).value_or(1 - weights.position_gate));
  std::vector<Matrix> tables =
      up.tables({"vision.gated_positional_embedding.tile_embedding.weight", "vision.pre_tile_positional_embedding.embedding.weight"});
  weights.tile_position_embedding = std::move(tables[0]);
  weights.pre_tile_embedding = std::move(tables[1]);
  weights.pre_tile_gate = up.gate("vision.pre_tile_positional_embedding.gate");
  weights.post_tile_embedding = std::move(up.tables({"vision.post_tile_positional_embedding.embedding.weight"})[0]);
  weights.post_tile_gate = up.gate("vision.post_tile_positional_embedding.gate");
  weights.pre_norm_weight = up.vector("vision.layernorm_pre.weight");
  weights.pre_norm_bias = up.vector("vision.layernorm_pre.bias");
  weights.post_norm_weight = up.vector("vision.layernorm_post.weight");
  weights.post_norm_bias = up.vector("vision.layernorm_post.bias");
  for (int i = 0; i < config.num_hidden_layers; ++i)
    weights.local_layers.push_back(load_vision_layer(up, "vision.transformer.layers." + std::to_string(i) + ".", false));
  for (int i = 0; i < config.num_global_layers; ++i)
    weights.global_layers.push_back(load_vision_layer(up, "vision.global_transformer.layers." + std::to_string(i) + ".", true));
  weights.projector = up.matrix("projector.weight");
  weights.projector_bias = up.vector("projector.bias");
  return weights;
}

TextMlp load_mlp(Uploader& up, const std::string& prefix) {
  return {up.vector(prefix + "post_attention_layernorm.weight"),
          up.interleaved(prefix + "mlp.gate_proj.weight", prefix + "mlp.up_proj.weight"), up.matrix(prefix + "mlp.down_proj.weight")};
}

SelfAttentionLayer load_self_attention(Uploader& up, const std::string& prefix) {
  const std::string attention = prefix + "self_attn.";
  return {up.vector(prefix + "input_layernorm.weight"),
          up.stacked({attention + "q_proj.weight", attention + "k_proj.weight", attention + "v_proj.weight"}),
          up.matrix(attention + "o_proj.weight"), load_mlp(up, prefix)};
}

CrossAttentionLayer load_cross_attention(Uploader& up, const std::string& prefix) {
  const std::string attention = prefix + "cross_attn.";
  CrossAttentionLayer layer;
  layer.norm = up.vector(prefix + "input_layernorm.weight");
  layer.query = up.matrix(attention + "q_proj.weight");
  layer.key = up.matrix(attention + "k_proj.weight");
  layer.value = up.matrix(attention + "v_proj.weight");
  layer.query_norm = up.vector(attention + "q_norm.weight");
  layer.key_norm = up.vector(attention + "k_norm.weight");
  layer.output = up.matrix(attention + "o_proj.weight");
  layer.attention_gate = up.gate(prefix + "cross_attn_attn_gate");
  layer.mlp_gate = up.gate(prefix + "cross_attn_mlp_gate");
  layer.mlp = load_mlp(up, prefix);
  return layer;
}

/// Whether `load` left any weight in the host's memory.
template <class Load>
bool reaches_host(const Uploader& up, Load&& load) {
  const uint64_t before = up.host_bytes();
  load();
  return up.host_bytes() > before;
}

void load_layer(Uploader& up, const TextConfig& config, int i, TextWeights& weights) {
  const std::string prefix = "text.layers." + std::to_string(i) + ".";
  if (config.is_cross_attention_layer(i))
    weights.layers.emplace_back(load_cross_attention(up, prefix));
  else
    weights.layers.emplace_back(load_self_attention(up, prefix));
}

TextWeights load_text(Uploader& up, const TextConfig& config, const LoadPlan& plan, Placement& placement) {
  TextWeights weights;
  const auto place = [&](bool on_host) { up.place(on_host ? Place::host : Place::device); };
  place(plan.embedding_on_host && !config.tie_word_embeddings);
  placement.embedding_on_host = reaches_host(up, [&] { weights.embedding = up.matrix("text.embed_tokens.weight"); });
  for (int i = 0; i < config.num_layers; ++i) {
    const uint32_t layer = static_cast<uint32_t>(i);
    place(plan.host_layers.count(layer) > 0);
    if (reaches_host(up, [&] { load_layer(up, config, i, weights); })) placement.host_layers.push_back(layer);
  }
  place(false);
  placement.output_on_host = reaches_host(up,
                                          [&] {
                                            weights.norm = up.vector("text.norm.weight");
                                            if (!config.tie_word_embeddings) weights.lm_head = up.matrix("text.lm_head.weight");
                                          }) ||
                             (config.tie_word_embeddings && placement.embedding_on_host);
  return weights;
}

/// Refuses a model that cannot fit before the first byte is read.
void require_room(uint64_t weights, const vk::Device& device, const vk::Memory& memory) {
  const uint64_t room = memory.budget_bytes() + memory.host_budget_bytes();
  if (weights <= room) return;
  throw Error(ErrorCode::device_out_of_memory,
              "The weights take " + bytes_text(weights) + ", but " + device.info().name + " has room for " +
                  bytes_text(memory.budget_bytes()) + " and the computer's memory for " + bytes_text(memory.host_budget_bytes()) + ": " +
                  bytes_text(weights - room) + " are missing.",
              "Choose a smaller copy of the model, or a device with more memory.");
}

/// Gate and up are one matrix on the device, of one type; null for others.
const TensorView* interleaved_with(const Checkpoint& checkpoint, std::string_view name) {
  constexpr std::string_view gate = "mlp.gate_proj.weight", up = "mlp.up_proj.weight";
  for (const auto& [one, other] : {std::pair{gate, up}, std::pair{up, gate}})
    if (name.ends_with(one)) return checkpoint.find(std::string(name.substr(0, name.size() - one.size())) + std::string(other));
  return nullptr;
}

/// Null for what is not loaded.
uint64_t* part_of(std::string_view name, bool tied, WeightSizes& sizes) {
  constexpr std::string_view layers = "text.layers.";
  if (name.starts_with(layers)) {
    name.remove_prefix(layers.size());
    size_t layer = 0;
    const bool known = std::from_chars(name.data(), name.data() + name.size(), layer).ec == std::errc() && layer < sizes.layers.size();
    return known ? &sizes.layers[layer].bytes : nullptr;
  }
  if (name.starts_with("text.embed_tokens.")) return tied ? &sizes.output : &sizes.embedding;
  if (name.starts_with("text.lm_head.")) return tied ? nullptr : &sizes.output;
  return name.starts_with("text.") ? &sizes.output : &sizes.vision;
}

}  // namespace

ops::HeadShape Model::text_heads() const {
  return {static_cast<uint32_t>(config.text.num_heads), static_cast<uint32_t>(config.text.num_kv_heads),
          static_cast<uint32_t>(config.text.head_dim)};
}

ops::HeadShape Model::vision_heads() const {
  const uint32_t heads = static_cast<uint32_t>(config.vision->attention_heads);
  return {heads, heads, static_cast<uint32_t>(config.vision->head_dim())};
}

Checkpoint open_checkpoint(const ModelSource& source) {
  if (!source.gguf.empty()) return Checkpoint::open_gguf(source.gguf);
  return Checkpoint::open(source.directory);
}

ModelFiles open_model(const ModelSource& source) {
  // A folder's config.json is read first: without it nothing can be said about its weights.
  ModelConfig config;
  if (source.gguf.empty()) config = load_model_config(source.directory);
  Checkpoint checkpoint = open_checkpoint(source);
  if (checkpoint.metadata()) config = gguf_model_config(checkpoint);
  check_tensors(config, checkpoint);
  return {std::move(config), std::move(checkpoint)};
}

uint64_t WeightSizes::total() const {
  return std::accumulate(layers.begin(), layers.end(), embedding + output + vision,
                         [](uint64_t sum, const Layer& layer) { return sum + layer.bytes; });
}

WeightSizes weight_sizes(const ModelFiles& files) {
  const TextConfig& text = files.config.text;
  WeightSizes sizes;
  for (int i = 0; i < text.num_layers; ++i) sizes.layers.push_back({text.is_cross_attention_layer(i), 0});
  for (const TensorView& tensor : files.checkpoint.tensors())
    if (uint64_t* part = part_of(tensor.name, text.tie_word_embeddings, sizes))
      *part += bytes_on_device(tensor, interleaved_with(files.checkpoint, tensor.name));
  return sizes;
}

std::string usual_type(const Checkpoint& checkpoint) {
  std::map<DType, std::size_t> counts;
  for (const TensorView& tensor : checkpoint.tensors())
    if (tensor.shape.size() >= 2) ++counts[tensor.dtype];
  const auto most = std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == counts.end() ? "" : std::string(to_string(most->first));
}

Model load_model(const ModelFiles& files, vk::Device& device, vk::Memory& memory, const LoadPlan& plan, const std::atomic<bool>* cancel,
                 const std::function<void(uint64_t, uint64_t)>& progress) {
  Model model;
  model.config = files.config;
  memory.refresh_budgets();
  const uint64_t total = weight_sizes(files).total();
  require_room(total, device, memory);
  Uploader up(device, memory, files.checkpoint, plan.keep_free, cancel, [&](uint64_t done) {
    if (progress) progress(std::min(done, total), total);
  });
  Placement& placement = model.placement;
  if (model.config.vision) placement.vision_on_host = reaches_host(up, [&] { model.vision = load_vision(up, *model.config.vision); });
  model.text = load_text(up, model.config.text, plan, placement);
  up.finish();
  placement.device_bytes = up.device_bytes();
  placement.host_bytes = up.host_bytes();
  placement.as_planned = up.as_placed();
  if (progress) progress(total, total);
  return model;
}

Model load_model(const ModelSource& source, vk::Device& device, vk::Memory& memory, const std::atomic<bool>* cancel,
                 const std::function<void(uint64_t, uint64_t)>& progress) {
  return load_model(open_model(source), device, memory, {}, cancel, progress);
}

}  // namespace loupe
