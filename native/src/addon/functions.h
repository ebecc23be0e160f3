#pragma once
// What the addon offers without an engine. main/native-surface.ts documents each.

#include <napi.h>

namespace loupe::addon {

/// devices.cpp
Napi::Value list_devices(const Napi::CallbackInfo& info);

/// process.cpp
Napi::Value activity_now(const Napi::CallbackInfo& info);
Napi::Value wake_without_parent(const Napi::CallbackInfo& info);

/// confine.cpp
Napi::Value confine(const Napi::CallbackInfo& info);
Napi::Value confine_places(const Napi::CallbackInfo& info);

/// files.cpp
Napi::Value read_gguf(const Napi::CallbackInfo& info);
Napi::Value inspect_model(const Napi::CallbackInfo& info);

/// quantise.cpp
Napi::Value start_quantise(const Napi::CallbackInfo& info);

}  // namespace loupe::addon
