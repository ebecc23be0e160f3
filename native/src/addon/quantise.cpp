// A published checkpoint becomes one quantised GGUF file; no device is needed.

#include <atomic>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "addon/arguments.h"
#include "addon/functions.h"
#include "addon/values.h"

namespace loupe::addon {
namespace {

/// A string, a list of strings or of whole numbers, a boolean, a number.
GgufEntry to_entry(const Napi::Value& pair) {
  if (!pair.IsArray() || pair.As<Napi::Array>().Length() != 2 || !pair.As<Napi::Array>().Get(0u).IsString())
    throw bad_argument("an entry is not a pair of a key and a value");
  const std::string key = pair.As<Napi::Array>().Get(0u).As<Napi::String>();
  const Napi::Value value = pair.As<Napi::Array>().Get(1u);
  if (value.IsString()) return {key, value.As<Napi::String>().Utf8Value()};
  if (value.IsBoolean()) return {key, value.As<Napi::Boolean>().Value()};
  if (value.IsNumber()) {
    const double number = value.As<Napi::Number>();
    if (number >= 0 && number <= 4294967295.0 && number == std::floor(number)) return {key, static_cast<std::uint32_t>(number)};
    return {key, static_cast<float>(number)};
  }
  if (!value.IsArray()) throw bad_argument("the entry " + key + " has a type that GGUF does not have");
  const Napi::Array list = value.As<Napi::Array>();
  if (list.Length() > 0 && list.Get(0u).IsNumber()) {
    std::vector<std::int32_t> numbers;
    for_each(value, "the entry", [&](const Napi::Value& element) { numbers.push_back(element.ToNumber().Int32Value()); });
    return {key, std::move(numbers)};
  }
  std::vector<std::string> texts;
  for_each(value, "the entry", [&](const Napi::Value& element) { texts.push_back(element.ToString().Utf8Value()); });
  return {key, std::move(texts)};
}

QuantiseRequest to_request(const Napi::Object& options) {
  QuantiseRequest request;
  request.source = std::filesystem::u8path(text(options, "directory"));
  request.target = std::filesystem::u8path(text(options, "target"));
  request.text = one_of(options, "text", {"q4_k_m", "q8_0"}) == "q8_0" ? TextPrecision::q8_0 : TextPrecision::q4_k_m;
  request.vision = one_of(options, "vision", {"f16", "q8_0"}) == "q8_0" ? VisionPrecision::q8_0 : VisionPrecision::f16;
  request.threads = static_cast<unsigned>(number(options, "threads", 0, 1024, 0));
  for_each(options.Get("entries"), "entries", [&](const Napi::Value& entry) { request.entries.push_back(to_entry(entry)); });
  return request;
}

}  // namespace

Napi::Value start_quantise(const Napi::CallbackInfo& info) {
  return translate(info.Env(), [&] {
    Napi::Env env = info.Env();
    const Napi::Object options = options_of(info);
    const auto request = std::make_shared<const QuantiseRequest>(to_request(options));
    const Callback on_progress = callback(options, "onProgress");
    const auto cancel = std::make_shared<std::atomic<bool>>(false);
    // A process that ends in the middle waits for the piece that is being written.
    const Napi::Promise done = run_waited_task(
        env,
        [request, cancel, on_progress](const Post& post) -> MakeValue {
          return [report = quantise_checkpoint(*request, cancel.get(), progress_to(on_progress, post))](Napi::Env loop) {
            return to_value(loop, report);
          };
        },
        [cancel] { *cancel = true; });
    const auto stop = Napi::Function::New(env, [cancel](const Napi::CallbackInfo&) { *cancel = true; });
    return object(env, {{"done", done}, {"cancel", stop}});
  });
}

}  // namespace loupe::addon
