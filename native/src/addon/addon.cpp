// The native surface of main/process/addon.ts: argument checking and translation, nothing else.

#include <array>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <vector>

#ifdef __linux__
#include <sys/prctl.h>

#include <csignal>
#endif

#include "addon/task.h"
#include "base/activity.h"
#include "model/quantise_checkpoint.h"
#include "ops/self_test.h"
#include "session/session.h"
#include "session/working_sizes.h"

namespace loupe::addon {
namespace {

Error bad_argument(const std::string& what) { return Error(ErrorCode::internal, "The engine was called wrongly: " + what + "."); }

std::string text(const Napi::Object& options, const char* key, const std::string& fallback = {}) {
  const Napi::Value value = options.Get(key);
  if (value.IsUndefined() || value.IsNull()) return fallback;
  if (!value.IsString()) throw bad_argument(std::string(key) + " is not a string");
  return value.As<Napi::String>();
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

std::vector<std::filesystem::path> paths_in(const Napi::Value& value, const char* what) {
  if (!value.IsArray()) throw bad_argument(std::string(what) + " is not a list of files");
  const Napi::Array list = value.As<Napi::Array>();
  std::vector<std::filesystem::path> paths;
  for (uint32_t i = 0; i < list.Length(); ++i) {
    const Napi::Value path = list.Get(i);
    if (!path.IsString()) throw bad_argument(std::string(what) + " lists something that is no text");
    paths.push_back(std::filesystem::u8path(path.As<Napi::String>().Utf8Value()));
  }
  return paths;
}

/// `directory`, or `gguf` with a list of files.
ModelSource to_source(const Napi::Object& options) {
  if (options.Has("gguf")) return ModelSource(paths_in(options.Get("gguf"), "gguf"));
  return ModelSource(std::filesystem::u8path(text(options, "directory")));
}

/// `hostLayers` and `embeddingOnHost`.
LoadPlan to_plan(const Napi::Object& options) {
  LoadPlan plan;
  plan.embedding_on_host = options.Get("embeddingOnHost").ToBoolean();
  const Napi::Value layers = options.Get("hostLayers");
  if (layers.IsUndefined() || layers.IsNull()) return plan;
  if (!layers.IsArray()) throw bad_argument("hostLayers is not a list");
  for (uint32_t i = 0; i < layers.As<Napi::Array>().Length(); ++i) {
    const Napi::Value layer = layers.As<Napi::Array>().Get(i);
    if (!layer.IsNumber()) throw bad_argument("hostLayers lists something that is no number");
    plan.host_layers.insert(layer.As<Napi::Number>().Uint32Value());
  }
  return plan;
}

/// A function of the options, callable from posted work; null when absent.
std::shared_ptr<Napi::FunctionReference> callback(const Napi::Object& options, const char* key) {
  const Napi::Value value = options.Get(key);
  if (!value.IsFunction()) return nullptr;
  return std::make_shared<Napi::FunctionReference>(Napi::Persistent(value.As<Napi::Function>()));
}

Prompt to_prompt(const Napi::Object& options) {
  Prompt prompt;
  const Napi::Value tokens = options.Get("tokens");
  if (!tokens.IsTypedArray() || tokens.As<Napi::TypedArray>().TypedArrayType() != napi_int32_array)
    throw bad_argument("tokens is not an Int32Array");
  const Napi::Int32Array list = tokens.As<Napi::Int32Array>();
  for (size_t i = 0; i < list.ElementLength(); ++i) prompt.tokens.push_back(static_cast<uint32_t>(list[i]));
  const Napi::Value images = options.Get("images");
  if (!images.IsArray()) throw bad_argument("images is not an array");
  for (uint32_t i = 0; i < images.As<Napi::Array>().Length(); ++i) {
    const Napi::Value entry = images.As<Napi::Array>().Get(i);
    if (!entry.IsObject()) throw bad_argument("a picture is not an object");
    const Napi::Object object = entry.As<Napi::Object>();
    const Napi::Value tiles = object.Get("tiles");
    if (!tiles.IsTypedArray() || tiles.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array)
      throw bad_argument("a picture's tiles are not a Uint8Array");
    const Napi::Uint8Array bytes = tiles.As<Napi::Uint8Array>();
    prompt.images.push_back({text(object, "hash"),
                             {bytes.Data(), bytes.Data() + bytes.ElementLength()},
                             count(object, "numTiles", 0),
                             count(object, "aspectRatioId", 0)});
  }
  return prompt;
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

template <class Array, class Number>
Array typed_array(Napi::Env env, const std::vector<Number>& values) {
  Array array = Array::New(env, values.size());
  std::copy(values.begin(), values.end(), array.Data());
  return array;
}

Napi::Object to_object(Napi::Env env, const vk::DeviceInfo& info) {
  Napi::Object object = Napi::Object::New(env), features = Napi::Object::New(env);
  object.Set("index", info.index);
  object.Set("name", info.name);
  object.Set("kind", vk::to_string(info.kind));
  object.Set("driver", info.driver);
  object.Set("apiVersion", info.api_version);
  object.Set("vendorId", info.vendor_id);
  object.Set("deviceId", info.device_id);
  object.Set("memoryBytes", static_cast<double>(info.memory_bytes));
  object.Set("budgetBytes", info.budget_bytes < 0 ? env.Null() : Napi::Number::New(env, static_cast<double>(info.budget_bytes)));
  object.Set("maxBindingBytes", static_cast<double>(info.max_binding_bytes));
  object.Set("maxSharedMemoryBytes", info.max_shared_bytes);
  object.Set("subgroupSize", info.subgroup_size);
  features.Set("float16", info.float16);
  features.Set("storage16", info.storage16);
  features.Set("storage8", info.storage8);
  features.Set("int8", info.int8);
  features.Set("subgroupArithmetic", info.subgroup_arithmetic);
  features.Set("cooperativeMatrix", !info.matrix_shapes.empty());
  features.Set("timestamps", info.timestamps);
  features.Set("memoryBudget", info.memory_budget);
  object.Set("features", features);
  object.Set("suitable", info.suitable);
  object.Set("reason", info.reason);
  return object;
}

const char* to_string(Finish finish) {
  switch (finish) {
    case Finish::stop: return "stop";
    case Finish::length: return "length";
    case Finish::context: return "context";
    case Finish::cancelled: return "cancelled";
  }
  return "length";
}

const char* to_string(Stage stage) {
  switch (stage) {
    case Stage::encode: return "encode";
    case Stage::prefill: return "prefill";
    case Stage::decode: return "decode";
  }
  return "decode";
}

Napi::Value to_value(Napi::Env env, const GenerateResult& result) {
  Napi::Object object = Napi::Object::New(env), statistics = Napi::Object::New(env);
  const GenerateStatistics& s = result.statistics;
  statistics.Set("promptTokens", s.prompt_tokens);
  statistics.Set("reusedTokens", s.reused_tokens);
  statistics.Set("generatedTokens", s.generated_tokens);
  statistics.Set("imagesEncoded", s.images_encoded);
  statistics.Set("imagesCached", s.images_cached);
  statistics.Set("encodeMs", s.encode_ms);
  statistics.Set("prefillMs", s.prefill_ms);
  statistics.Set("firstTokenMs", s.first_token_ms);
  statistics.Set("decodeMs", s.decode_ms);
  object.Set("tokens", typed_array<Napi::Int32Array>(env, result.tokens));
  object.Set("finish", to_string(result.finish));
  object.Set("statistics", statistics);
  return object;
}

Napi::Value to_value(Napi::Env env, const TraceResult& result, const ModelConfig& config) {
  Napi::Object object = Napi::Object::New(env);
  if (config.vision && !result.vision_output.empty()) {
    object.Set("pixelValues", typed_array<Napi::Float32Array>(env, result.pixel_values));
    object.Set("visionOutput", typed_array<Napi::Float32Array>(env, result.vision_output));
    object.Set("crossAttentionStates", typed_array<Napi::Float32Array>(env, result.cross_attention_states));
    object.Set("visionWidth", config.vision->vision_output_dim);
  }
  object.Set("hiddenSize", config.text.hidden_size);
  object.Set("logits", typed_array<Napi::Float32Array>(env, result.logits));
  object.Set("greedyTokens", typed_array<Napi::Int32Array>(env, result.greedy_tokens));
  object.Set("greedyLogits", typed_array<Napi::Float32Array>(env, result.greedy_logits));
  return object;
}

Napi::Value to_value(Napi::Env env, const Placement& placement) {
  Napi::Object object = Napi::Object::New(env);
  Napi::Array layers = Napi::Array::New(env);
  for (const uint32_t layer : placement.host_layers) layers.Set(layers.Length(), layer);
  object.Set("deviceBytes", static_cast<double>(placement.device_bytes));
  object.Set("hostBytes", static_cast<double>(placement.host_bytes));
  object.Set("hostLayers", layers);
  object.Set("embeddingOnHost", placement.embedding_on_host);
  object.Set("outputOnHost", placement.output_on_host);
  object.Set("visionOnHost", placement.vision_on_host);
  object.Set("asPlanned", placement.as_planned);
  return object;
}

Napi::Value to_value(Napi::Env env, const WeightSizes& weights, const WorkingSizes& working, uint32_t context_length,
                     const vk::Memory& memory) {
  Napi::Object object = Napi::Object::New(env);
  Napi::Array layers = Napi::Array::New(env);
  for (const WeightSizes::Layer& layer : weights.layers) {
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("cross", layer.cross);
    entry.Set("bytes", static_cast<double>(layer.bytes));
    layers.Set(layers.Length(), entry);
  }
  object.Set("layers", layers);
  object.Set("embeddingBytes", static_cast<double>(weights.embedding));
  object.Set("outputBytes", static_cast<double>(weights.output));
  object.Set("visionBytes", static_cast<double>(weights.vision));
  object.Set("contextLength", context_length);
  object.Set("selfKvBytesPerToken", static_cast<double>(working.self_kv_per_token));
  object.Set("crossKvBytes", static_cast<double>(working.cross_kv));
  object.Set("scratchBytes", static_cast<double>(working.scratch));
  object.Set("deviceBudgetBytes", static_cast<double>(memory.budget_bytes()));
  object.Set("hostBudgetBytes", static_cast<double>(memory.host_budget_bytes()));
  object.Set("hostIsApart", memory.host_is_apart());
  return object;
}

Napi::Value to_value(Napi::Env env, const Model& model, uint32_t context_length) {
  const ModelConfig& config = model.config;
  Napi::Object object = Napi::Object::New(env);
  object.Set("architecture", loupe::to_string(config.architecture));
  object.Set("vocabularySize", config.text.vocab_size);
  object.Set("contextLength", context_length);
  object.Set("weightBytes", static_cast<double>(model.placement.device_bytes + model.placement.host_bytes));
  object.Set("placement", to_value(env, model.placement));
  object.Set("parameters", static_cast<double>(parameter_count(config)));
  object.Set("imageToken", config.image_token_index ? Napi::Number::New(env, *config.image_token_index) : env.Null());
  if (config.vision) {
    Napi::Object vision = Napi::Object::New(env);
    vision.Set("tileSize", config.vision->image_size);
    vision.Set("maxTiles", config.vision->max_num_tiles);
    vision.Set("patchesPerTile", config.vision->patches_per_tile());
    object.Set("vision", vision);
  } else {
    object.Set("vision", env.Null());
  }
  Napi::Array stop = Napi::Array::New(env);
  for (size_t i = 0; i < config.text.eos_tokens.size(); ++i) stop.Set(static_cast<uint32_t>(i), config.text.eos_tokens[i]);
  object.Set("stopTokens", stop);
  return object;
}

/// Everything that lives on the device, in the order of construction.
struct Runtime {
  std::shared_ptr<vk::Instance> instance;
  vk::Device device;
  vk::Memory memory;
  vk::Pipelines pipelines;
  Activations activations;
  std::atomic<bool> cancel{false};
  std::unique_ptr<Session> session;

  Runtime(std::shared_ptr<vk::Instance> vulkan, const vk::DeviceInfo& info, uint64_t budget, const std::string& shaders,
          const std::string& cache, const std::string& wanted)
      : instance(std::move(vulkan)),
        device(instance, info),
        memory(device, budget),
        pipelines(device, shaders, cache),
        activations(Activations::f32) {
    const bool possible = ops::has_half_matmul(device, pipelines);
    if (wanted == "f16" && !possible)
      throw Error(ErrorCode::device_unsuitable, info.name + " has no cooperative matrices that this engine can use.",
                  "Leave the precision at f32.");
    if (wanted != "f32" && possible) activations = Activations::f16;
  }
};

/// What `translate` throws, as a rejected promise: an asynchronous function has one way to fail.
template <class Body>
Napi::Value promised(Napi::Env env, Body&& body) {
  try {
    return translate(env, body);
  } catch (const Napi::Error& error) {
    const Napi::Promise::Deferred deferred(env);
    deferred.Reject(error.Value());
    return deferred.Promise();
  }
}

class Engine : public Napi::ObjectWrap<Engine> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(
        env, "Engine",
        {StaticMethod<&Engine::open>("open"), InstanceAccessor<&Engine::device>("device"), InstanceAccessor<&Engine::paths>("paths"),
         InstanceMethod<&Engine::weigh>("weigh"), InstanceMethod<&Engine::load>("load"), InstanceMethod<&Engine::generate>("generate"),
         InstanceMethod<&Engine::trace>("trace"), InstanceMethod<&Engine::self_test>("selfTest"), InstanceMethod<&Engine::cancel>("cancel"),
         InstanceMethod<&Engine::memory>("memory"), InstanceMethod<&Engine::close>("close")});
  }

  /// A slow driver takes seconds, so a thread of its own does it.
  static Napi::Value open(const Napi::CallbackInfo& info) {
    return promised(info.Env(), [&]() -> Napi::Value {
      const Napi::Object options = object_argument(info);
      const std::string activations = text(options, "activations", "auto"), device = text(options, "device"),
                        shaders = text(options, "shaderDirectory"), cache = text(options, "cacheDirectory");
      if (activations != "auto" && activations != "f32" && activations != "f16")
        throw bad_argument("activations is none of auto, f32, f16");
      const auto budget = static_cast<uint64_t>(number(options, "memoryBudgetBytes", 0, 1e15, 0));
      const bool validation = options.Get("validation").ToBoolean();
      const auto constructor = std::make_shared<Napi::FunctionReference>(Napi::Persistent(info.This().As<Napi::Function>()));
      return run_waited_task(info.Env(), [=](const Post&) -> MakeValue {
        auto instance = std::make_shared<vk::Instance>(validation);
        const vk::DeviceInfo chosen = instance->choose(device);
        const auto opened = std::make_shared<std::unique_ptr<Runtime>>(
            std::make_unique<Runtime>(std::move(instance), chosen, budget, shaders, cache, activations));
        return [constructor, opened](Napi::Env env) -> Napi::Value {
          return constructor->New({Napi::External<std::unique_ptr<Runtime>>::New(env, opened.get())});
        };
      });
    });
  }

  /// By `open` alone.
  explicit Engine(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Engine>(info) {
    translate(info.Env(), [&] {
      if (info.Length() != 1 || !info[0].IsExternal()) throw bad_argument("an engine is made by Engine.open");
      runtime_ = std::move(*info[0].As<Napi::External<std::unique_ptr<Runtime>>>().Data());
    });
  }

  /// Also called when the process ends in the middle of a request, which then still uses the device.
  ~Engine() override {
    if (!busy_) return;
    runtime_->cancel = true;
    finished_.wait();
  }

 private:
  static Napi::Object object_argument(const Napi::CallbackInfo& info) {
    if (info.Length() < 1 || !info[0].IsObject()) throw bad_argument("the options are not an object");
    return info[0].As<Napi::Object>();
  }

  Runtime& runtime() const {
    if (!runtime_) throw bad_argument("the engine is closed");
    return *runtime_;
  }

  Session& session() const {
    if (!runtime().session) throw bad_argument("no model is loaded");
    return *runtime().session;
  }

  /// Starts `work` unless something is running; this object lives until it ends.
  Napi::Value start(Napi::Env env, std::function<MakeValue(const Post&)> work) {
    if (busy_) throw Error(ErrorCode::internal, "The engine is busy with another request.", "Wait for it, or cancel it.");
    runtime().cancel = false;
    auto finished = std::make_shared<std::promise<void>>();
    finished_ = finished->get_future();
    const Napi::Promise promise = run_task(
        env,
        [work = std::move(work), finished](const Post& post) {
          struct Signal {
            std::promise<void>& finished;
            ~Signal() { finished.set_value(); }
          } const signal{*finished};
          return work(post);
        },
        [this](Napi::Env) {
          busy_ = false;
          Unref();
        });
    busy_ = true;
    Ref();
    return promise;
  }

  Napi::Value device(const Napi::CallbackInfo& info) {
    return translate(info.Env(), [&] { return to_object(info.Env(), runtime().device.info()); });
  }

  Napi::Value paths(const Napi::CallbackInfo& info) {
    return translate(info.Env(), [&] {
      Napi::Object object = Napi::Object::New(info.Env());
      const Runtime& r = runtime();
      object.Set("activations", r.activations == Activations::f16 ? "f16" : "f32");
      object.Set("matmul", ops::matmul_path(r.device, r.activations));
      object.Set("matvec", "float32, " + std::to_string(r.device.quirks().matvec_threads) + " threads");
      object.Set("kvCache", r.activations == Activations::f16 ? "float16" : "float32");
      return object;
    });
  }

  Napi::Value weigh(const Napi::CallbackInfo& info) {
    return promised(info.Env(), [&]() -> Napi::Value {
      const Napi::Object options = object_argument(info);
      const ModelSource source = to_source(options);
      const uint32_t wanted = count(options, "contextLength", 0);
      return start(info.Env(), [this, source, wanted](const Post&) -> MakeValue {
        Runtime& r = runtime();
        const ModelFiles files = open_model(source);
        r.memory.refresh_budgets();
        const bool half = r.activations == Activations::f16;
        const uint32_t context = usable_context(files.config, r.memory, half, wanted);
        return [this, weights = weight_sizes(files), working = working_sizes(files.config, half), context](Napi::Env env) {
          return to_value(env, weights, working, context, runtime().memory);
        };
      });
    });
  }

  Napi::Value load(const Napi::CallbackInfo& info) {
    return promised(info.Env(), [&]() -> Napi::Value {
      const Napi::Object options = object_argument(info);
      const ModelSource source = to_source(options);
      const uint32_t context_length = count(options, "contextLength", 0);
      const LoadPlan wanted = to_plan(options);
      const auto on_progress = callback(options, "onProgress");
      return start(info.Env(), [this, source, context_length, wanted, on_progress](const Post& post) -> MakeValue {
        Runtime& r = runtime();
        r.session.reset();
        const ModelFiles files = open_model(source);
        const bool half = r.activations == Activations::f16;
        LoadPlan plan = wanted;
        plan.keep_free = working_sizes(files.config, half).total(usable_context(files.config, r.memory, half, context_length));
        Model model = load_model(files, r.device, r.memory, plan, &r.cancel, [&](uint64_t done, uint64_t total) {
          if (on_progress)
            post([on_progress, done, total](Napi::Env env) {
              on_progress->Call({Napi::Number::New(env, static_cast<double>(done)), Napi::Number::New(env, static_cast<double>(total))});
            });
        });
        r.session = std::make_unique<Session>(r.device, r.memory, r.pipelines, std::move(model), r.activations, context_length, r.cancel);
        return [this](Napi::Env env) { return to_value(env, session().model(), session().context_length()); };
      });
    });
  }

  Napi::Value generate(const Napi::CallbackInfo& info) {
    return promised(info.Env(), [&]() -> Napi::Value {
      const Napi::Object options = object_argument(info);
      GenerateRequest request;
      request.prompt = to_prompt(options);
      request.max_tokens = count(options, "maxTokens", 0);
      const Napi::Value stop = options.Get("stopTokens");
      if (!stop.IsArray()) throw bad_argument("stopTokens is not an array");
      for (uint32_t i = 0; i < stop.As<Napi::Array>().Length(); ++i)
        request.stop_tokens.push_back(stop.As<Napi::Array>().Get(i).ToNumber().Uint32Value());
      const Napi::Value sampling = options.Get("sampling");
      if (!sampling.IsObject()) throw bad_argument("sampling is not an object");
      request.sampling = to_sampling(sampling.As<Napi::Object>());
      request.seed = static_cast<uint64_t>(number(sampling.As<Napi::Object>(), "seed", 0, 9007199254740991.0, 0));
      const auto on_token = callback(options, "onToken"), on_stage = callback(options, "onStage");
      session();
      return start(info.Env(), [this, request = std::move(request), on_token, on_stage](const Post& post) -> MakeValue {
        Listener listener;
        if (on_token)
          listener.on_token = [&](uint32_t token) {
            post([on_token, token](Napi::Env env) { on_token->Call({Napi::Number::New(env, token)}); });
          };
        if (on_stage)
          listener.on_stage = [&](Stage stage, uint32_t done, uint32_t total) {
            post([on_stage, stage, done, total](Napi::Env env) {
              on_stage->Call({Napi::String::New(env, to_string(stage)), Napi::Number::New(env, done), Napi::Number::New(env, total)});
            });
          };
        auto result = std::make_shared<GenerateResult>(session().generate(request, listener));
        save_pipelines();
        return [result](Napi::Env env) { return to_value(env, *result); };
      });
    });
  }

  Napi::Value trace(const Napi::CallbackInfo& info) {
    return promised(info.Env(), [&]() -> Napi::Value {
      const Napi::Object options = object_argument(info);
      session();
      return start(info.Env(),
                   [this, prompt = to_prompt(options), continue_for = count(options, "continueFor", 0)](const Post&) -> MakeValue {
                     auto result = std::make_shared<TraceResult>(session().trace(prompt, continue_for));
                     return [this, result](Napi::Env env) { return to_value(env, *result, session().model().config); };
                   });
    });
  }

  Napi::Value self_test(const Napi::CallbackInfo& info) {
    return promised(info.Env(), [&]() -> Napi::Value {
      return start(info.Env(), [this](const Post&) -> MakeValue {
        Runtime& r = runtime();
        auto items = std::make_shared<std::vector<SelfTestItem>>(run_self_test(r.device, r.memory, r.pipelines, r.activations));
        return [items](Napi::Env env) {
          Napi::Array list = Napi::Array::New(env);
          for (const SelfTestItem& item : *items) {
            Napi::Object object = Napi::Object::New(env);
            object.Set("name", item.name);
            object.Set("ok", item.ok);
            object.Set("detail", item.detail);
            list.Set(list.Length(), object);
          }
          return list;
        };
      });
    });
  }

  void cancel(const Napi::CallbackInfo&) {
    if (runtime_) runtime_->cancel = true;
  }

  Napi::Value memory(const Napi::CallbackInfo& info) {
    return translate(info.Env(), [&] {
      const Runtime& r = runtime();
      if (busy_) throw Error(ErrorCode::internal, "The engine is busy; its memory is counted between requests.");
      Napi::Object object = Napi::Object::New(info.Env());
      const vk::MemoryUse use = r.memory.use();
      object.Set("deviceBytes", static_cast<double>(use.device_bytes));
      object.Set("devicePeakBytes", static_cast<double>(use.device_peak_bytes));
      object.Set("hostWeightBytes", static_cast<double>(use.host_weight_bytes));
      object.Set("hostVisibleBytes", static_cast<double>(use.host_visible_bytes));
      object.Set("largestAllocationBytes", static_cast<double>(use.largest_allocation_bytes));
      object.Set(
          "weightBytes",
          r.session ? static_cast<double>(r.session->model().placement.device_bytes + r.session->model().placement.host_bytes) : 0.0);
      object.Set("selfKvBytes", r.session ? static_cast<double>(r.session->self_kv_bytes()) : 0.0);
      object.Set("crossKvBytes", r.session ? static_cast<double>(r.session->cross_kv_bytes()) : 0.0);
      object.Set("longestSubmissionMs", r.session ? r.session->longest_submission_ms() : 0.0);
      object.Set("validationErrors", r.instance->validation_errors());
      return object;
    });
  }

  /// The device is given back on a thread of its own: a driver that hangs holds up nobody else.
  Napi::Value close(const Napi::CallbackInfo& info) {
    return promised(info.Env(), [&]() -> Napi::Value {
      if (busy_) throw Error(ErrorCode::internal, "The engine is busy; cancel the request before closing.");
      const auto closing = std::make_shared<std::unique_ptr<Runtime>>(std::move(runtime_));
      const bool save = *closing && !pipelines_saved_;
      return run_waited_task(info.Env(), [closing, save](const Post&) -> MakeValue {
        if (save) (*closing)->pipelines.save();
        closing->reset();
        return [](Napi::Env env) { return env.Undefined(); };
      });
    });
  }

  /// Compiled pipelines survive a crash after the first answer.
  void save_pipelines() {
    if (pipelines_saved_) return;
    runtime().pipelines.save();
    pipelines_saved_ = true;
  }

  std::unique_ptr<Runtime> runtime_;
  bool busy_ = false;           // event loop only
  std::future<void> finished_;  // of the running task's work
  bool pipelines_saved_ = false;
};

Napi::Value list_devices(const Napi::CallbackInfo& info) {
  return run_waited_task(info.Env(), [](const Post&) -> MakeValue {
    return [devices = vk::Instance(false).devices()](Napi::Env env) {
      Napi::Array list = Napi::Array::New(env);
      for (const vk::DeviceInfo& device : devices) list.Set(list.Length(), to_object(env, device));
      return list;
    };
  });
}

/// { steps, waiting }: what the engine's threads have done so far, and whether one waits for a device that does not answer.
Napi::Value activity_now(const Napi::CallbackInfo& info) {
  Napi::Object object = Napi::Object::New(info.Env());
  object.Set("steps", static_cast<double>(activity::steps()));
  object.Set("waiting", activity::waiting());
  return object;
}

/// Whether this system wakes a stopped process when its parent ends. A signal that wakes, not one that kills: the system
/// sends it whenever the parent's thread ends that started this process, and that may be one of many.
Napi::Value wake_without_parent(const Napi::CallbackInfo& info) {
#ifdef __linux__
  return Napi::Boolean::New(info.Env(), prctl(PR_SET_PDEATHSIG, SIGCONT) == 0);
#else
  return Napi::Boolean::New(info.Env(), false);
#endif
}

Napi::Value to_value(Napi::Env env, const GgufValue& value) {
  if (value.type == GgufType::list) {
    Napi::Array list = Napi::Array::New(env, static_cast<size_t>(value.count));
    uint32_t i = 0;
    value.for_each([&](const GgufValue& element) { list.Set(i++, to_value(env, element)); });
    return list;
  }
  if (const auto words = value.as_text()) return Napi::String::New(env, words->data(), words->size());
  if (const auto truth = value.as_boolean()) return Napi::Boolean::New(env, *truth);
  if (const auto number = value.as_number()) return Napi::Number::New(env, *number);
  return env.Null();  // an integer of more than 63 bits
}

Napi::Value to_value(Napi::Env env, const Checkpoint& checkpoint) {
  Napi::Object result = Napi::Object::New(env);
  // Pairs, because a file may call an entry __proto__.
  Napi::Array metadata = Napi::Array::New(env);
  for (const auto& [key, value] : *checkpoint.metadata()) {
    Napi::Array entry = Napi::Array::New(env, 2);
    entry.Set(0u, key);
    entry.Set(1u, to_value(env, value));
    metadata.Set(metadata.Length(), entry);
  }
  Napi::Array tensors = Napi::Array::New(env);
  for (const TensorView& tensor : checkpoint.tensors()) {
    Napi::Object object = Napi::Object::New(env);
    Napi::Array shape = Napi::Array::New(env);
    for (const int64_t size : tensor.shape) shape.Set(shape.Length(), static_cast<double>(size));
    object.Set("name", tensor.stored_name);
    object.Set("type", std::string(to_string(tensor.dtype)));
    object.Set("shape", shape);
    object.Set("bytes", static_cast<double>(tensor.bytes.size()));
    tensors.Set(tensors.Length(), object);
  }
  result.Set("metadata", metadata);
  result.Set("tensors", tensors);
  return result;
}

Napi::Value read_gguf(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    if (info.Length() < 1) throw bad_argument("no files were given");
    return run_waited_task(info.Env(), [files = paths_in(info[0], "the argument")](const Post&) -> MakeValue {
      const auto checkpoint = std::make_shared<const Checkpoint>(Checkpoint::open_gguf(files));
      return [checkpoint](Napi::Env env) { return to_value(env, *checkpoint); };
    });
  });
}

/// All that a load checks before the device sees a byte.
Napi::Value inspect_model(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    if (info.Length() < 1 || !info[0].IsObject()) throw bad_argument("the options are not an object");
    return run_waited_task(info.Env(), [source = to_source(info[0].As<Napi::Object>())](const Post&) -> MakeValue {
      const auto model = std::make_shared<const ModelFiles>(open_model(source));
      const double device_bytes = static_cast<double>(weight_sizes(*model).total());
      return [model, device_bytes](Napi::Env env) {
        Napi::Array files = Napi::Array::New(env);
        for (const std::string& name : model->checkpoint.file_names()) files.Set(files.Length(), name);
        Napi::Object result = Napi::Object::New(env);
        result.Set("architecture", loupe::to_string(model->config.architecture));
        result.Set("precision", usual_type(model->checkpoint));
        result.Set("files", files);
        result.Set("fileBytes", static_cast<double>(model->checkpoint.file_bytes()));
        result.Set("deviceBytes", device_bytes);
        return result;
      };
    });
  });
}

/// A text, a list of texts or of whole numbers, a truth value, a number.
GgufEntry to_entry(const Napi::Value& pair) {
  if (!pair.IsArray() || pair.As<Napi::Array>().Length() != 2 || !pair.As<Napi::Array>().Get(0u).IsString())
    throw bad_argument("an entry is no pair of a key and a value");
  const std::string key = pair.As<Napi::Array>().Get(0u).As<Napi::String>();
  const Napi::Value value = pair.As<Napi::Array>().Get(1u);
  if (value.IsString()) return {key, value.As<Napi::String>().Utf8Value()};
  if (value.IsBoolean()) return {key, value.As<Napi::Boolean>().Value()};
  if (value.IsNumber()) {
    const double number = value.As<Napi::Number>();
    if (number >= 0 && number <= 4294967295.0 && number == std::floor(number)) return {key, static_cast<std::uint32_t>(number)};
    return {key, static_cast<float>(number)};
  }
  if (!value.IsArray()) throw bad_argument("the entry " + key + " is of no kind that GGUF has");
  const Napi::Array list = value.As<Napi::Array>();
  if (list.Length() > 0 && list.Get(0u).IsNumber()) {
    std::vector<std::int32_t> numbers;
    for (uint32_t i = 0; i < list.Length(); ++i) numbers.push_back(list.Get(i).ToNumber().Int32Value());
    return {key, std::move(numbers)};
  }
  std::vector<std::string> texts;
  for (uint32_t i = 0; i < list.Length(); ++i) texts.push_back(list.Get(i).ToString().Utf8Value());
  return {key, std::move(texts)};
}

QuantiseRequest to_quantise_request(const Napi::Object& options) {
  QuantiseRequest request;
  request.source = std::filesystem::u8path(text(options, "directory"));
  request.target = std::filesystem::u8path(text(options, "target"));
  const std::string precision = text(options, "text"), vision = text(options, "vision");
  if (precision != "q4_k_m" && precision != "q8_0") throw bad_argument("text is neither q4_k_m nor q8_0");
  if (vision != "f16" && vision != "q8_0") throw bad_argument("vision is neither f16 nor q8_0");
  request.text = precision == "q8_0" ? TextPrecision::q8_0 : TextPrecision::q4_k_m;
  request.vision = vision == "q8_0" ? VisionPrecision::q8_0 : VisionPrecision::f16;
  request.threads = static_cast<unsigned>(number(options, "threads", 0, 1024, 0));
  const Napi::Value entries = options.Get("entries");
  if (!entries.IsArray()) throw bad_argument("entries is not a list");
  for (uint32_t i = 0; i < entries.As<Napi::Array>().Length(); ++i) request.entries.push_back(to_entry(entries.As<Napi::Array>().Get(i)));
  return request;
}

Napi::Value to_value(Napi::Env env, const QuantiseReport& report) {
  Napi::Object object = Napi::Object::New(env);
  Napi::Array classes = Napi::Array::New(env);
  for (const TensorClass& one : report.classes) {
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("name", one.name);
    entry.Set("types", one.types);
    entry.Set("tensors", static_cast<double>(one.tensors));
    entry.Set("elements", static_cast<double>(one.elements));
    entry.Set("bytes", static_cast<double>(one.bytes));
    entry.Set("relativeError", one.relative_error);
    classes.Set(classes.Length(), entry);
  }
  object.Set("bytes", static_cast<double>(report.bytes));
  object.Set("resumed", report.resumed);
  object.Set("classes", classes);
  return object;
}

/// { done, cancel }; needs no device.
Napi::Value start_quantise(const Napi::CallbackInfo& info) {
  return translate(info.Env(), [&] {
    Napi::Env env = info.Env();
    if (info.Length() < 1 || !info[0].IsObject()) throw bad_argument("the options are not an object");
    const Napi::Object options = info[0].As<Napi::Object>();
    const auto request = std::make_shared<const QuantiseRequest>(to_quantise_request(options));
    const auto on_progress = callback(options, "onProgress");
    const auto cancel = std::make_shared<std::atomic<bool>>(false);
    // A process that ends in the middle waits for the piece that is being written.
    const Napi::Promise done = run_waited_task(
        env,
        [request, cancel, on_progress](const Post& post) -> MakeValue {
          auto report =
              std::make_shared<QuantiseReport>(quantise_checkpoint(*request, cancel.get(), [&](std::uint64_t read, std::uint64_t total) {
                if (on_progress)
                  post([on_progress, read, total](Napi::Env loop) {
                    on_progress->Call(
                        {Napi::Number::New(loop, static_cast<double>(read)), Napi::Number::New(loop, static_cast<double>(total))});
                  });
              }));
          return [report](Napi::Env loop) { return to_value(loop, *report); };
        },
        [cancel] { *cancel = true; });
    Napi::Object result = Napi::Object::New(env);
    result.Set("done", done);
    result.Set("cancel", Napi::Function::New(env, [cancel](const Napi::CallbackInfo&) { *cancel = true; }));
    return result;
  });
}

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  exports.Set("activity", Napi::Function::New(env, activity_now));
  exports.Set("wakeWithoutParent", Napi::Function::New(env, wake_without_parent));
  exports.Set("listDevices", Napi::Function::New(env, list_devices));
  exports.Set("readGguf", Napi::Function::New(env, read_gguf));
  exports.Set("inspectModel", Napi::Function::New(env, inspect_model));
  exports.Set("quantise", Napi::Function::New(env, start_quantise));
  exports.Set("Engine", Engine::define(env));
  return exports;
}

NODE_API_MODULE(loupe, initialise)

}  // namespace
}  // namespace loupe::addon
