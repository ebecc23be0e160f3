#include "addon/engine.h"

#include <chrono>
#include <string>

#include "addon/arguments.h"
#include "addon/values.h"
#include "ops/self_test.h"
#include "session/working_sizes.h"
#include "vk/copy_bandwidth.h"

namespace loupe::addon {

Napi::Function Engine::define(Napi::Env env) {
  return DefineClass(
      env, "Engine",
      {StaticMethod<&Engine::open>("open"), InstanceAccessor<&Engine::device>("device"), InstanceAccessor<&Engine::paths>("paths"),
       InstanceAccessor<&Engine::questions>("questions"), InstanceMethod<&Engine::settle>("settle"),
       InstanceMethod<&Engine::time_variants>("timeVariants"), InstanceMethod<&Engine::estimate>("estimate"),
       InstanceMethod<&Engine::load>("load"), InstanceMethod<&Engine::generate>("generate"), InstanceMethod<&Engine::trace>("trace"),
       InstanceMethod<&Engine::self_test>("selfTest"), InstanceMethod<&Engine::copy_bandwidth>("copyBandwidth"),
       InstanceMethod<&Engine::cancel>("cancel"), InstanceMethod<&Engine::memory>("memory"), InstanceMethod<&Engine::close>("close")});
}

Napi::Value Engine::open(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    const Napi::Object options = options_of(info);
    const std::string activations = one_of(options, "activations", {"auto", "f32", "f16"}, "auto"), device = text(options, "device"),
                      shaders = text(options, "shaderDirectory"), cache = text(options, "cacheDirectory");
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

Engine::Engine(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Engine>(info) {
  translate(info.Env(), [&] {
    if (info.Length() != 1 || !info[0].IsExternal()) throw bad_argument("only Engine.open makes an engine");
    runtime_ = std::move(*info[0].As<Napi::External<std::unique_ptr<Runtime>>>().Data());
  });
}

Engine::~Engine() {
  if (!busy_) return;
  runtime_->cancel = true;
  finished_.wait();
}

Runtime& Engine::runtime() const {
  if (!runtime_) throw bad_argument("the engine is closed");
  return *runtime_;
}

Session& Engine::session() const {
  if (!runtime().session) throw bad_argument("no model is loaded");
  return *runtime().session;
}

Napi::Value Engine::start(Napi::Env env, Work work) {
  if (busy_) throw Error(ErrorCode::internal, "The engine is busy with another request.", "Wait for it, or cancel it.");
  runtime().cancel = false;
  auto [watched, finished] = with_end(std::move(work));
  finished_ = std::move(finished);
  const Napi::Promise promise = run_task(env, std::move(watched), [this](Napi::Env) {
    busy_ = false;
    Unref();
  });
  busy_ = true;
  Ref();
  return promise;
}

Napi::Value Engine::device(const Napi::CallbackInfo& info) {
  return translate(info.Env(), [&] { return to_value(info.Env(), runtime().device.info()); });
}

Napi::Value Engine::paths(const Napi::CallbackInfo& info) {
  return translate(info.Env(), [&] {
    const Runtime& r = runtime();
    return object(info.Env(),
                  {
                      {"activations", r.half() ? "f16" : "f32"},
                      {"matmul", ops::matmul_path(r.device, r.activations)},
                      {"matvec", "float32, " + std::to_string(r.device.quirks().matvec_threads) + " threads"},
                      {"kvCache", r.half() ? "float16" : "float32"},
                      {"kernels", std::string("as for ") + r.device.quirks().architecture + " (" + r.device.quirks().source + ")"},
                  });
  });
}

void Engine::require_no_model() const {
  if (runtime().session) throw bad_argument("kernels are chosen before a model is loaded");
}

Napi::Value Engine::questions(const Napi::CallbackInfo& info) {
  return translate(info.Env(), [&] {
    return list(info.Env(), runtime().questions, [&](const Question& question) {
      return object(info.Env(), {{"name", question.name}, {"values", list(info.Env(), question.values)}});
    });
  });
}

void Engine::settle(const Napi::CallbackInfo& info) {
  translate(info.Env(), [&] {
    if (busy_) throw Error(ErrorCode::internal, "The engine is busy with a request.", "Wait for it, or cancel it.");
    require_no_model();
    const Napi::Object options = options_of(info);
    Answers answers;
    for (const Question& question : runtime().questions)
      if (options.Has(question.name)) answers[question.name] = count(options, question.name.c_str(), 0);
    loupe::settle(runtime().device, runtime().questions, answers);
  });
}

Napi::Value Engine::time_variants(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    const Napi::Object options = options_of(info);
    require_no_model();
    const double budget = number(options, "budgetMs", 0, 1e6, TimingLimits().budget_ms);
    const Callback on_progress = callback(options, "onProgress");
    return start(info.Env(), [this, budget, on_progress](const Post& post) -> MakeValue {
      Runtime& r = runtime();
      const auto now = [] {
        return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
      };
      const TimingLimits limits{budget, &r.cancel, now, progress_to(on_progress, post)};
      const auto found = std::make_shared<const std::vector<VariantTime>>(
          loupe::time_variants(r.device, r.memory, r.pipelines, r.activations, r.questions, limits));
      return [found](Napi::Env env) { return to_value(env, *found); };
    });
  });
}

Napi::Value Engine::estimate(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    const Napi::Object options = options_of(info);
    const ModelSource source = to_source(options);
    const uint32_t wanted = count(options, "contextLength", 0);
    return start(info.Env(), [this, source, wanted](const Post&) -> MakeValue {
      Runtime& r = runtime();
      const ModelFiles files = open_model(source);
      r.memory.refresh_budgets();
      const uint32_t context = usable_context(files.config, r.memory, r.half(), wanted);
      return [this, weights = weight_sizes(files), working = working_sizes(files.config, r.half()), context](Napi::Env env) {
        return to_value(env, weights, working, context, runtime().memory);
      };
    });
  });
}

Napi::Value Engine::load(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    const Napi::Object options = options_of(info);
    const ModelSource source = to_source(options);
    const uint32_t context_length = count(options, "contextLength", 0);
    const LoadPlan wanted = to_plan(options);
    const Callback on_progress = callback(options, "onProgress");
    return start(info.Env(), [this, source, context_length, wanted, on_progress](const Post& post) -> MakeValue {
      Runtime& r = runtime();
      r.rehearsal.reset();
      r.session.reset();
      const auto opened = std::make_shared<const ModelFiles>(open_model(source));
      const ModelFiles& files = *opened;
      auto rehearsal = std::make_unique<Rehearsal>(opened, r.device, r.pipelines, r.activations);
      LoadPlan plan = wanted;
      plan.keep_free = working_sizes(files.config, r.half()).total(usable_context(files.config, r.memory, r.half(), context_length));
      Model model = load_model(files, r.device, r.memory, plan, &r.cancel, progress_to(on_progress, post));
      r.session = std::make_unique<Session>(r.device, r.memory, r.pipelines, std::move(model), r.activations, context_length, r.cancel);
      r.rehearsal = std::move(rehearsal);
      return [this](Napi::Env env) { return to_value(env, session().model(), session().context_length()); };
    });
  });
}

Napi::Value Engine::generate(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    const Napi::Object options = options_of(info);
    GenerateRequest request = to_generate_request(options);
    const Callback on_token = callback(options, "onToken"), on_stage = callback(options, "onStage");
    session();  // throws where no model is loaded
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
      const auto result = std::make_shared<const GenerateResult>(session().generate(request, listener));
      save_pipelines();
      return [result](Napi::Env env) { return to_value(env, *result); };
    });
  });
}

Napi::Value Engine::trace(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    const Napi::Object options = options_of(info);
    session();  // throws where no model is loaded
    return start(info.Env(),
                 [this, prompt = to_prompt(options), continue_for = count(options, "continueFor", 0)](const Post&) -> MakeValue {
                   const auto result = std::make_shared<const TraceResult>(session().trace(prompt, continue_for));
                   return [this, result](Napi::Env env) { return to_value(env, *result, session().model().config); };
                 });
  });
}

Napi::Value Engine::self_test(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    return start(info.Env(), [this](const Post&) -> MakeValue {
      Runtime& r = runtime();
      return [items = run_self_test(r.device, r.memory, r.pipelines, r.activations)](Napi::Env env) { return to_value(env, items); };
    });
  });
}

Napi::Value Engine::copy_bandwidth(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    return start(info.Env(), [this](const Post&) -> MakeValue {
      Runtime& r = runtime();
      return [rate = vk::copy_bandwidth(r.device, r.memory, r.pipelines)](Napi::Env env) { return Napi::Number::New(env, rate); };
    });
  });
}

void Engine::cancel(const Napi::CallbackInfo&) {
  if (runtime_) runtime_->cancel = true;
}

Napi::Value Engine::memory(const Napi::CallbackInfo& info) {
  return translate(info.Env(), [&] {
    const Runtime& r = runtime();
    if (busy_)
      throw Error(ErrorCode::internal, "The engine is busy; its memory is counted between requests.", "Wait for the request to end.");
    return to_value(info.Env(), r.memory.use(), r.session.get(), r.instance->validation_errors());
  });
}

Napi::Value Engine::close(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    if (busy_) throw Error(ErrorCode::internal, "The engine is busy with a request.", "Cancel the request before closing the engine.");
    const auto closing = std::make_shared<std::unique_ptr<Runtime>>(std::move(runtime_));
    const bool save = *closing && !pipelines_saved_;
    return run_waited_task(info.Env(), [closing, save](const Post&) -> MakeValue {
      if (save) (*closing)->pipelines.save();
      closing->reset();
      return [](Napi::Env env) { return env.Undefined(); };
    });
  });
}

void Engine::save_pipelines() {
  if (pipelines_saved_) return;
  runtime().pipelines.save();
  pipelines_saved_ = true;
}

}  // namespace loupe::addon
