#include "addon/values.h"

namespace loupe::addon {
namespace {

const char* to_string(Finish finish) {
  switch (finish) {
    case Finish::stop: return "stop";
    case Finish::length: return "length";
    case Finish::context: return "context";
    case Finish::cancelled: return "cancelled";
  }
  return "length";
}

Napi::Value to_value(Napi::Env env, const GenerateStatistics& statistics) {
  const Napi::Value token = object(env, {
                                            {"dispatches", statistics.token_work.dispatches},
                                            {"barriers", statistics.token_work.barriers},
                                            {"submissions", statistics.token_work.submissions},
                                            {"hostUs", statistics.token_host_us},
                                        });
  return object(env, {
                         {"promptTokens", statistics.prompt_tokens},
                         {"reusedTokens", statistics.reused_tokens},
                         {"generatedTokens", statistics.generated_tokens},
                         {"proposedTokens", statistics.proposed_tokens},
                         {"acceptedTokens", statistics.accepted_tokens},
                         {"imagesEncoded", statistics.images_encoded},
                         {"imagesCached", statistics.images_cached},
                         {"encodeMs", statistics.encode_ms},
                         {"prefillMs", statistics.prefill_ms},
                         {"firstTokenMs", statistics.first_token_ms},
                         {"decodeMs", statistics.decode_ms},
                         {"token", token},
                     });
}

Napi::Value vision_of(Napi::Env env, const ModelConfig& config) {
  if (!config.vision) return env.Null();
  return object(env, {
                         {"tileSize", config.vision->image_size},
                         {"maxTiles", config.vision->max_num_tiles},
                         {"patchesPerTile", config.vision->patches_per_tile()},
                     });
}

Napi::Value to_value(Napi::Env env, const GgufValue& value) {
  if (value.type == GgufType::list) {
    Napi::Array elements = Napi::Array::New(env, static_cast<size_t>(value.count));
    uint32_t i = 0;
    value.for_each([&](const GgufValue& element) { elements.Set(i++, to_value(env, element)); });
    return elements;
  }
  if (const auto words = value.as_text()) return Napi::String::New(env, words->data(), words->size());
  if (const auto truth = value.as_boolean()) return Napi::Boolean::New(env, *truth);
  if (const auto number = value.as_number()) return Napi::Number::New(env, *number);
  return env.Null();  // an integer of more than 63 bits
}

}  // namespace

Napi::Object object(Napi::Env env, std::initializer_list<Field> fields) {
  Napi::Object result = Napi::Object::New(env);
  for (const Field& field : fields) result.Set(field.name, field.make(env));
  return result;
}

const char* to_string(Stage stage) {
  switch (stage) {
    case Stage::encode: return "encode";
    case Stage::prefill: return "prefill";
    case Stage::decode: return "decode";
  }
  return "decode";
}

Napi::Value to_value(Napi::Env env, const vk::DeviceInfo& info) {
  const Napi::Object features = object(env, {
                                                {"float16", info.float16},
                                                {"storage16", info.storage16},
                                                {"storage8", info.storage8},
                                                {"int8", info.int8},
                                                {"subgroupArithmetic", info.subgroup_arithmetic},
                                                {"cooperativeMatrix", !info.matrix_shapes.empty()},
                                                {"timestamps", info.timestamps},
                                                {"memoryBudget", info.memory_budget},
                                            });
  return object(env, {
                         {"index", info.index},
                         {"name", info.name},
                         {"kind", vk::to_string(info.kind)},
                         {"driver", info.driver},
                         {"apiVersion", info.api_version},
                         {"vendorId", info.vendor_id},
                         {"deviceId", info.device_id},
                         {"memoryBytes", info.memory_bytes},
                         {"budgetBytes", info.budget_bytes < 0 ? env.Null() : plain(env, info.budget_bytes)},
                         {"maxBindingBytes", info.max_binding_bytes},
                         {"maxSharedMemoryBytes", info.max_shared_bytes},
                         {"subgroupSize", info.subgroup_size},
                         {"features", features},
                         {"suitable", info.suitable},
                         {"reason", info.reason},
                     });
}

Napi::Value to_value(Napi::Env env, const GenerateResult& result) {
  return object(env, {
                         {"tokens", typed_array<Napi::Int32Array>(env, result.tokens)},
                         {"finish", to_string(result.finish)},
                         {"statistics", to_value(env, result.statistics)},
                     });
}

Napi::Value to_value(Napi::Env env, const TraceResult& result, const ModelConfig& config) {
  Napi::Object values = object(env, {
                                        {"hiddenSize", config.text.hidden_size},
                                        {"logits", typed_array<Napi::Float32Array>(env, result.logits)},
                                        {"greedyTokens", typed_array<Napi::Int32Array>(env, result.greedy_tokens)},
                                        {"greedyLogits", typed_array<Napi::Float32Array>(env, result.greedy_logits)},
                                    });
  if (config.vision && !result.vision_output.empty()) {
    values.Set("pixelValues", typed_array<Napi::Float32Array>(env, result.pixel_values));
    values.Set("visionOutput", typed_array<Napi::Float32Array>(env, result.vision_output));
    values.Set("crossAttentionStates", typed_array<Napi::Float32Array>(env, result.cross_attention_states));
    values.Set("visionWidth", config.vision->vision_output_dim);
  }
  return values;
}

Napi::Value to_value(Napi::Env env, const Placement& placement) {
  return object(env, {
                         {"deviceBytes", placement.device_bytes},
                         {"hostBytes", placement.host_bytes},
                         {"hostLayers", list(env, placement.host_layers)},
                         {"embeddingOnHost", placement.embedding_on_host},
                         {"outputOnHost", placement.output_on_host},
                         {"visionOnHost", placement.vision_on_host},
                         {"asPlanned", placement.as_planned},
                     });
}

Napi::Value to_value(Napi::Env env, const WeightSizes& weights, const WorkingSizes& working, uint32_t context_length,
                     const vk::Memory& memory) {
  const auto layer = [env](const WeightSizes::Layer& one) { return object(env, {{"cross", one.cross}, {"bytes", one.bytes}}); };
  return object(env, {
                         {"layers", list(env, weights.layers, layer)},
                         {"embeddingBytes", weights.embedding},
                         {"outputBytes", weights.output},
                         {"visionBytes", weights.vision},
                         {"contextLength", context_length},
                         {"selfKvBytesPerToken", working.self_kv_per_token},
                         {"crossKvBytes", working.cross_kv},
                         {"scratchBytes", working.scratch},
                         {"deviceBudgetBytes", memory.budget_bytes()},
                         {"hostBudgetBytes", memory.host_budget_bytes()},
                         {"hostIsApart", memory.host_is_apart()},
                     });
}

Napi::Value to_value(Napi::Env env, const Model& model, uint32_t context_length) {
  const ModelConfig& config = model.config;
  return object(env, {
                         {"architecture", loupe::to_string(config.architecture)},
                         {"vocabularySize", config.text.vocab_size},
                         {"contextLength", context_length},
                         {"weightBytes", model.placement.device_bytes + model.placement.host_bytes},
                         {"placement", to_value(env, model.placement)},
                         {"parameters", parameter_count(config)},
                         {"imageToken", config.image_token_index ? plain(env, *config.image_token_index) : env.Null()},
                         {"vision", vision_of(env, config)},
                         {"stopTokens", list(env, config.text.eos_tokens)},
                     });
}

Napi::Value to_value(Napi::Env env, const std::vector<SelfTestItem>& items) {
  return list(env, items,
              [env](const SelfTestItem& item) { return object(env, {{"name", item.name}, {"ok", item.ok}, {"detail", item.detail}}); });
}

Napi::Value to_value(Napi::Env env, const std::vector<VariantTime>& times) {
  return list(env, times, [&](const VariantTime& time) {
    const Napi::Array values = list(env, time.values, [&](const VariantTime::Value& one) {
      return object(env, {{"value", one.value}, {"ms", one.ms}, {"whyNot", one.why_not}});
    });
    return object(env, {{"name", time.name}, {"chosen", time.chosen}, {"values", values}});
  });
}

Napi::Value to_value(Napi::Env env, const vk::MemoryUse& use, const Session* session, uint32_t validation_errors) {
  const Placement placement = session ? session->model().placement : Placement{};
  return object(env, {
                         {"deviceBytes", use.device_bytes},
                         {"devicePeakBytes", use.device_peak_bytes},
                         {"hostWeightBytes", use.host_weight_bytes},
                         {"hostVisibleBytes", use.host_visible_bytes},
                         {"largestAllocationBytes", use.largest_allocation_bytes},
                         {"weightBytes", placement.device_bytes + placement.host_bytes},
                         {"selfKvBytes", session ? session->self_kv_bytes() : 0},
                         {"crossKvBytes", session ? session->cross_kv_bytes() : 0},
                         {"longestSubmissionMs", session ? session->longest_submission_ms() : 0.0},
                         {"validationErrors", validation_errors},
                     });
}

Napi::Value to_value(Napi::Env env, const Checkpoint& checkpoint) {
  // Pairs, because a file may call an entry __proto__.
  const auto pair = [env](const auto& entry) {
    Napi::Array result = Napi::Array::New(env, 2);
    result.Set(0u, entry.first);
    result.Set(1u, to_value(env, entry.second));
    return result;
  };
  const auto tensor = [env](const TensorView& view) {
    return object(env, {
                           {"name", view.stored_name},
                           {"type", std::string(to_string(view.dtype))},
                           {"shape", list(env, view.shape)},
                           {"bytes", view.bytes.size()},
                       });
  };
  return object(env, {
                         {"metadata", list(env, *checkpoint.metadata(), pair)},
                         {"tensors", list(env, checkpoint.tensors(), tensor)},
                     });
}

Napi::Value to_value(Napi::Env env, const ModelFiles& model, uint64_t device_bytes) {
  return object(env, {
                         {"architecture", loupe::to_string(model.config.architecture)},
                         {"precision", usual_type(model.checkpoint)},
                         {"files", list(env, model.checkpoint.file_names())},
                         {"fileBytes", model.checkpoint.file_bytes()},
                         {"deviceBytes", device_bytes},
                     });
}

Napi::Value to_value(Napi::Env env, const QuantiseReport& report) {
  const auto tensor_class = [env](const TensorClass& one) {
    return object(env, {
                           {"name", one.name},
                           {"types", one.types},
                           {"tensors", one.tensors},
                           {"elements", one.elements},
                           {"bytes", one.bytes},
                           {"relativeError", one.relative_error},
                       });
  };
  return object(env, {{"bytes", report.bytes}, {"resumed", report.resumed}, {"classes", list(env, report.classes, tensor_class)}});
}

}  // namespace loupe::addon
