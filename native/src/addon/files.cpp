// What model files say; no device is needed.

#include <memory>

#include "addon/arguments.h"
#include "addon/functions.h"
#include "addon/values.h"

namespace loupe::addon {

Napi::Value read_gguf(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    if (info.Length() < 1) throw bad_argument("no files were given");
    return run_waited_task(info.Env(), [files = paths_in(info[0], "the argument")](const Post&) -> MakeValue {
      const auto checkpoint = std::make_shared<const Checkpoint>(Checkpoint::open_gguf(files));
      return [checkpoint](Napi::Env env) { return to_value(env, *checkpoint); };
    });
  });
}

Napi::Value inspect_model(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    return run_waited_task(info.Env(), [source = to_source(options_of(info))](const Post&) -> MakeValue {
      const auto model = std::make_shared<const ModelFiles>(open_model(source));
      const uint64_t device_bytes = weight_sizes(*model).total();
      return [model, device_bytes](Napi::Env env) { return to_value(env, *model, device_bytes); };
    });
  });
}

}  // namespace loupe::addon
