#pragma once
// The class that JavaScript calls `Engine`: one device, at most one model, one request at a time.

#include <napi.h>

#include <functional>
#include <future>
#include <memory>

#include "addon/runtime.h"
#include "addon/task.h"

namespace loupe::addon {

class Engine : public Napi::ObjectWrap<Engine> {
 public:
  static Napi::Function define(Napi::Env env);
  /// A slow driver takes seconds, so a thread of its own opens the device.
  static Napi::Value open(const Napi::CallbackInfo& info);

  /// Only `open` makes one.
  explicit Engine(const Napi::CallbackInfo& info);
  /// Also called when the process ends in the middle of a request, which then still uses the device.
  ~Engine() override;

 private:
  Napi::Value device(const Napi::CallbackInfo& info);
  Napi::Value paths(const Napi::CallbackInfo& info);
  Napi::Value questions(const Napi::CallbackInfo& info);
  void settle(const Napi::CallbackInfo& info);
  Napi::Value time_variants(const Napi::CallbackInfo& info);
  Napi::Value estimate(const Napi::CallbackInfo& info);
  Napi::Value load(const Napi::CallbackInfo& info);
  Napi::Value generate(const Napi::CallbackInfo& info);
  Napi::Value trace(const Napi::CallbackInfo& info);
  Napi::Value self_test(const Napi::CallbackInfo& info);
  Napi::Value copy_bandwidth(const Napi::CallbackInfo& info);
  Napi::Value memory(const Napi::CallbackInfo& info);
  /// Releases the device on a thread of its own: a driver that hangs holds up nothing else.
  Napi::Value close(const Napi::CallbackInfo& info);
  void cancel(const Napi::CallbackInfo& info);

  Runtime& runtime() const;
  Session& session() const;
  /// Throws where a model is loaded: its session has recorded steps of the kernels that there are.
  void require_no_model() const;
  /// Starts `work` unless something is running; this object lives until it ends.
  Napi::Value start(Napi::Env env, Work work);
  /// Compiled pipelines survive a crash after the first answer.
  void save_pipelines();

  std::unique_ptr<Runtime> runtime_;  // null once closed
  bool busy_ = false;                 // event loop only
  std::future<void> finished_;        // of the running task's work
  bool pipelines_saved_ = false;
};

}  // namespace loupe::addon
