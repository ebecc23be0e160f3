#pragma once
// Every failure that leaves the engine has a code, words, and a next step.
// The codes are mirrored by `ErrorCode` in main/errors.ts.

#include <stdexcept>
#include <string>
#include <utility>

namespace loupe {

enum class ErrorCode {
  no_vulkan_loader,      ///< libvulkan is not installed
  no_device,             ///< the loader found no Vulkan device, or none matches the request
  device_unsuitable,     ///< the device lacks something that the engine cannot do without
  device_lost,           ///< the driver reset; the process must be restarted
  device_out_of_memory,  ///< device memory or the configured budget is exhausted
  host_out_of_memory,
  shader_missing,          ///< a compiled shader is not where it should be
  file_missing,            ///< a checkpoint file does not exist or cannot be read
  file_unwritable,         ///< a file cannot be made or written to
  disk_full,               ///< the disk has too little room for what is to be written
  file_truncated,          ///< a checkpoint file is shorter than its header says
  checkpoint_header,       ///< malformed safetensors header or shard index
  checkpoint_dtype,        ///< a tensor has a type that this engine cannot use
  checkpoint_tensor,       ///< a tensor is missing
  checkpoint_shape,        ///< a tensor's shape contradicts config.json
  checkpoint_config,       ///< config.json is malformed or contradicts itself
  checkpoint_unsupported,  ///< a well-formed checkpoint of a kind that we do not run
  prompt_invalid,          ///< a token out of range, an empty prompt, images that do not match the tokens
  context_full,            ///< the prompt does not fit the configured context
  cancelled,
  internal,
};

/// The code's spelling, as it crosses the process boundary.
const char* to_string(ErrorCode code);

/// `what()` says what happened and why; `next_step()` says what the reader can do about it.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message, std::string next_step = {})
      : std::runtime_error(message), code_(code), next_step_(std::move(next_step)) {}
  ErrorCode code() const { return code_; }
  const std::string& next_step() const { return next_step_; }

 private:
  ErrorCode code_;
  std::string next_step_;
};

}  // namespace loupe
