#include "addon/arguments.h"

#include <algorithm>
#include <cmath>

namespace loupe::addon {
namespace {

/// The elements of a typed array of one kind.
template <class Array>
Array typed_argument(const Napi::Value& value, napi_typedarray_type type, const char* otherwise) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type) throw bad_argument(otherwise);
  return value.As<Array>();
}

PreparedImage to_image(const Napi::Value& value) {
  if (!value.IsObject()) throw bad_argument("a picture is not an object");
  const Napi::Object image = value.As<Napi::Object>();
  const auto tiles = typed_argument<Napi::Uint8Array>(image.Get("tiles"), napi_uint8_array, "a picture's tiles are not a Uint8Array");
  return {text(image, "hash"),
          {tiles.Data(), tiles.Data() + tiles.ElementLength()},
          count(image, "numTiles", 0),
          count(image, "aspectRatioId", 0)};
}

ops::Sampling to_sampling(const Napi::Object& options) {
  ops::Sampling sampling;
  sampling.temperature = static_cast<float>(number(options, "temperature", 0, 100, 0));
  sampling.top_k = count(options, "topK", 0);
  sampling.top_p = static_cast<float>(number(options, "topP", 0, 1, 1));
  sampling.min_p = static_cast<float>(number(options, "minP", 0, 1, 0));
  sampling.repetition_penalty = static_cast<float>(number(options, "repetitionPenalty", 0.01, 100, 1));
  return sampling;
}

}  // namespace

Error bad_argument(const std::string& what) {
  return Error(ErrorCode::internal, "The app called the engine wrongly: " + what + ".", "Run `loupe doctor` and report what it prints.");
}

Napi::Object options_of(const Napi::CallbackInfo& info) {
  if (info.Length() < 1 || !info[0].IsObject()) throw bad_argument("the options are not an object");
  return info[0].As<Napi::Object>();
}

std::string text(const Napi::Object& options, const char* key, const std::string& fallback) {
  const Napi::Value value = options.Get(key);
  if (value.IsUndefined() || value.IsNull()) return fallback;
  if (!value.IsString()) throw bad_argument(std::string(key) + " is not a string");
  return value.As<Napi::String>();
}

std::string one_of(const Napi::Object& options, const char* key, const std::vector<std::string>& choices, const std::string& fallback) {
  const std::string chosen = text(options, key, fallback);
  if (std::find(choices.begin(), choices.end(), chosen) != choices.end()) return chosen;
  std::string listed;
  for (const std::string& choice : choices) listed += (listed.empty() ? "" : ", ") + choice;
  throw bad_argument(std::string(key) + " is none of " + listed);
}

double number(const Napi::Object& options, const char* key, double least, double most, double fallback) {
  const Napi::Value value = options.Get(key);
  if (value.IsUndefined() || value.IsNull()) return fallback;
  const double result = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  if (!(result >= least && result <= most))
    throw bad_argument(std::string(key) + " is not a number from " + std::to_string(least) + " to " + std::to_string(most));
  return result;
}

uint32_t count(const Napi::Object& options, const char* key, uint32_t fallback) {
  return static_cast<uint32_t>(number(options, key, 0, 4294967295.0, fallback));
}

void for_each(const Napi::Value& list, const char* what, const std::function<void(const Napi::Value&)>& each) {
  if (!list.IsArray()) throw bad_argument(std::string(what) + " is not a list");
  const Napi::Array array = list.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) each(array.Get(i));
}

std::vector<std::filesystem::path> paths_in(const Napi::Value& value, const char* what) {
  std::vector<std::filesystem::path> paths;
  for_each(value, what, [&](const Napi::Value& path) {
    if (!path.IsString()) throw bad_argument(std::string(what) + " lists something that is not a string");
    paths.push_back(std::filesystem::u8path(path.As<Napi::String>().Utf8Value()));
  });
  return paths;
}

ModelSource to_source(const Napi::Object& options) {
  if (options.Has("gguf")) return ModelSource(paths_in(options.Get("gguf"), "gguf"));
  return ModelSource(std::filesystem::u8path(text(options, "directory")));
}

LoadPlan to_plan(const Napi::Object& options) {
  LoadPlan plan;
  plan.embedding_on_host = options.Get("embeddingOnHost").ToBoolean();
  const Napi::Value layers = options.Get("hostLayers");
  if (layers.IsUndefined() || layers.IsNull()) return plan;
  for_each(layers, "hostLayers", [&](const Napi::Value& layer) {
    if (!layer.IsNumber()) throw bad_argument("hostLayers lists something that is not a number");
    plan.host_layers.insert(layer.As<Napi::Number>().Uint32Value());
  });
  return plan;
}

Prompt to_prompt(const Napi::Object& options) {
  Prompt prompt;
  const auto tokens = typed_argument<Napi::Int32Array>(options.Get("tokens"), napi_int32_array, "tokens is not an Int32Array");
  prompt.tokens.assign(tokens.Data(), tokens.Data() + tokens.ElementLength());
  for_each(options.Get("images"), "images", [&](const Napi::Value& image) { prompt.images.push_back(to_image(image)); });
  return prompt;
}

GenerateRequest to_generate_request(const Napi::Object& options) {
  GenerateRequest request;
  request.prompt = to_prompt(options);
  request.max_tokens = count(options, "maxTokens", 0);
  for_each(options.Get("stopTokens"), "stopTokens",
           [&](const Napi::Value& token) { request.stop_tokens.push_back(token.ToNumber().Uint32Value()); });
  if (!options.Get("sampling").IsObject()) throw bad_argument("sampling is not an object");
  const Napi::Object sampling = options.Get("sampling").As<Napi::Object>();
  request.sampling = to_sampling(sampling);
  request.seed = static_cast<uint64_t>(number(sampling, "seed", 0, 9007199254740991.0, 0));
  const std::string speculation = one_of(options, "speculation", {"auto", "off", "always"}, "auto");
  request.speculation = speculation == "off" ? Speculation::off : speculation == "always" ? Speculation::always : Speculation::automatic;
  return request;
}

Callback callback(const Napi::Object& options, const char* key) {
  const Napi::Value value = options.Get(key);
  if (!value.IsFunction()) return nullptr;
  return std::make_shared<Napi::FunctionReference>(Napi::Persistent(value.As<Napi::Function>()));
}

std::function<void(uint64_t, uint64_t)> progress_to(const Callback& on_progress, const Post& post) {
  return [on_progress, &post](uint64_t done, uint64_t total) {
    if (!on_progress) return;
    post([on_progress, done, total](Napi::Env env) {
      on_progress->Call({Napi::Number::New(env, static_cast<double>(done)), Napi::Number::New(env, static_cast<double>(total))});
    });
  };
}

}  // namespace loupe::addon
