#include "base/error.h"

namespace loupe {

const char* to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::no_vulkan_loader: return "no_vulkan_loader";
    case ErrorCode::no_device: return "no_device";
    case ErrorCode::device_unsuitable: return "device_unsuitable";
    case ErrorCode::device_lost: return "device_lost";
    case ErrorCode::device_out_of_memory: return "device_out_of_memory";
    case ErrorCode::host_out_of_memory: return "host_out_of_memory";
    case ErrorCode::shader_missing: return "shader_missing";
    case ErrorCode::file_missing: return "file_missing";
    case ErrorCode::file_unwritable: return "file_unwritable";
    case ErrorCode::disk_full: return "disk_full";
    case ErrorCode::file_truncated: return "file_truncated";
    case ErrorCode::checkpoint_header: return "checkpoint_header";
    case ErrorCode::checkpoint_dtype: return "checkpoint_dtype";
    case ErrorCode::checkpoint_tensor: return "checkpoint_tensor";
    case ErrorCode::checkpoint_shape: return "checkpoint_shape";
    case ErrorCode::checkpoint_config: return "checkpoint_config";
    case ErrorCode::checkpoint_unsupported: return "checkpoint_unsupported";
    case ErrorCode::prompt_invalid: return "prompt_invalid";
    case ErrorCode::context_full: return "context_full";
    case ErrorCode::cancelled: return "cancelled";
    case ErrorCode::internal: return "internal";
  }
  return "internal";
}

}  // namespace loupe
