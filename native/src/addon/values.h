#pragma once
// What the engine's results look like in JavaScript; main/native-surface.ts has the types.

#include <napi.h>

#include <algorithm>
#include <functional>
#include <initializer_list>
#include <string>
#include <type_traits>
#include <vector>

#include "model/expected_tensors.h"
#include "model/model.h"
#include "model/quantise_checkpoint.h"
#include "ops/self_test.h"
#include "ops/variants.h"
#include "session/session.h"
#include "session/working_sizes.h"

namespace loupe::addon {

/// A plain value. Whole numbers become doubles: none of ours is beyond 2^53.
template <class T>
Napi::Value plain(Napi::Env env, const T& value) {
  if constexpr (std::is_base_of_v<Napi::Value, T>)
    return value;
  else if constexpr (std::is_same_v<T, bool>)
    return Napi::Boolean::New(env, value);
  else if constexpr (std::is_arithmetic_v<T>)
    return Napi::Number::New(env, static_cast<double>(value));
  else
    return Napi::String::New(env, std::string(value));
}

/// A property of an object. Refers to its value, which must live as long.
struct Field {
  template <class T>
  Field(const char* key, const T& value) : name(key), make([&value](Napi::Env env) { return plain(env, value); }) {}

  const char* name;
  std::function<Napi::Value(Napi::Env)> make;
};

Napi::Object object(Napi::Env env, std::initializer_list<Field> fields);

/// One value an element, by `make`.
template <class Range, class Make>
Napi::Array list(Napi::Env env, const Range& range, Make&& make) {
  Napi::Array array = Napi::Array::New(env);
  for (const auto& element : range) array.Set(array.Length(), make(element));
  return array;
}

/// Plain values.
template <class Range>
Napi::Array list(Napi::Env env, const Range& range) {
  return list(env, range, [env](const auto& element) { return plain(env, element); });
}

template <class Array, class Number>
Array typed_array(Napi::Env env, const std::vector<Number>& values) {
  Array array = Array::New(env, values.size());
  std::copy(values.begin(), values.end(), array.Data());
  return array;
}

const char* to_string(Stage stage);

Napi::Value to_value(Napi::Env env, const vk::DeviceInfo& info);
Napi::Value to_value(Napi::Env env, const GenerateResult& result);
Napi::Value to_value(Napi::Env env, const TraceResult& result, const ModelConfig& config);
Napi::Value to_value(Napi::Env env, const Placement& placement);
Napi::Value to_value(Napi::Env env, const WeightSizes& weights, const WorkingSizes& working, uint32_t context_length,
                     const vk::Memory& memory);
Napi::Value to_value(Napi::Env env, const Model& model, uint32_t context_length);
Napi::Value to_value(Napi::Env env, const std::vector<SelfTestItem>& items);
Napi::Value to_value(Napi::Env env, const std::vector<VariantTime>& times);
/// `session` is null where no model is loaded.
Napi::Value to_value(Napi::Env env, const vk::MemoryUse& use, const Session* session, uint32_t validation_errors);
/// Of GGUF files.
Napi::Value to_value(Napi::Env env, const Checkpoint& checkpoint);
Napi::Value to_value(Napi::Env env, const ModelFiles& model, uint64_t device_bytes);
Napi::Value to_value(Napi::Env env, const QuantiseReport& report);

}  // namespace loupe::addon
