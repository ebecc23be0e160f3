#include "addon/functions.h"
#include "addon/task.h"
#include "addon/values.h"

namespace loupe::addon {

Napi::Value list_devices(const Napi::CallbackInfo& info) {
  return run_waited_task(info.Env(), [](const Post&) -> MakeValue {
    return [devices = vk::Instance(false).devices()](Napi::Env env) {
      return list(env, devices, [env](const vk::DeviceInfo& device) { return to_value(env, device); });
    };
  });
}

}  // namespace loupe::addon
