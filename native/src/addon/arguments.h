#pragma once
// What JavaScript passes in, checked. Each function throws Error `internal` and names the argument that is wrong.

#include <napi.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "addon/task.h"
#include "base/error.h"
#include "model/model.h"
#include "ops/ops.h"
#include "session/session.h"

namespace loupe::addon {

Error bad_argument(const std::string& what);

/// The first argument.
Napi::Object options_of(const Napi::CallbackInfo& info);

std::string text(const Napi::Object& options, const char* key, const std::string& fallback = {});

/// The choice at `key`; `fallback` when absent.
std::string one_of(const Napi::Object& options, const char* key, const std::vector<std::string>& choices, const std::string& fallback = {});

double number(const Napi::Object& options, const char* key, double least, double most, double fallback);

uint32_t count(const Napi::Object& options, const char* key, uint32_t fallback);

/// Calls `each` with every element of a list; `what` names the list in errors.
void for_each(const Napi::Value& list, const char* what, const std::function<void(const Napi::Value&)>& each);

std::vector<std::filesystem::path> paths_in(const Napi::Value& value, const char* what);

/// `directory`, or `gguf` with a list of files.
ModelSource to_source(const Napi::Object& options);

/// `hostLayers` and `embeddingOnHost`.
LoadPlan to_plan(const Napi::Object& options);

/// `tokens` and `images`.
Prompt to_prompt(const Napi::Object& options);

GenerateRequest to_generate_request(const Napi::Object& options);

/// A function of the options, callable from posted work; null when absent.
using Callback = std::shared_ptr<Napi::FunctionReference>;
Callback callback(const Napi::Object& options, const char* key);

/// Posts progress to `on_progress`, which may be null. Lives no longer than `post`.
std::function<void(uint64_t done, uint64_t total)> progress_to(const Callback& on_progress, const Post& post);

}  // namespace loupe::addon
