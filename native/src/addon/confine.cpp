#include "base/confine.h"

#include "addon/functions.h"

namespace loupe::addon {
namespace {

std::vector<std::string> texts(const Napi::Value& value) {
  const Napi::Array array = value.As<Napi::Array>();
  std::vector<std::string> result;
  for (std::uint32_t at = 0; at < array.Length(); ++at) result.push_back(array.Get(at).As<Napi::String>().Utf8Value());
  return result;
}

Napi::Value to_value(Napi::Env env, const Unconfined& reason) {
  if (!reason) return env.Null();
  return Napi::String::New(env, *reason);
}

}  // namespace

Napi::Value confine(const Napi::CallbackInfo& info) { return to_value(info.Env(), confine_to_memory()); }

Napi::Value confine_places(const Napi::CallbackInfo& info) {
  return to_value(info.Env(), confine_to_places(texts(info[0]), texts(info[1])));
}

}  // namespace loupe::addon
