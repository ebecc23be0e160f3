// The list of what main/native-surface.ts declares.

#include "addon/engine.h"
#include "addon/functions.h"

namespace loupe::addon {
namespace {

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  exports.Set("activity", Napi::Function::New(env, activity_now));
  exports.Set("wakeWithoutParent", Napi::Function::New(env, wake_without_parent));
  exports.Set("confine", Napi::Function::New(env, confine));
  exports.Set("confineToPlaces", Napi::Function::New(env, confine_places));
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
