#pragma once
// What the device's memory gives at best, to compare kernels with.

#include "vk/memory.h"
#include "vk/pipeline.h"

namespace loupe::vk {

/// Bytes a second that are moved within the device's memory, read and written: by a kernel (copy.comp) or by a transfer, whichever is faster,
/// the best of four rounds. On an H200 kernels are faster by far, on lavapipe transfers. Takes two buffers of up to 256 MiB, larger than
/// caches, and about half a second. Throws device_out_of_memory, shader_missing and what a recorder throws.
double copy_bandwidth(Device& device, Memory& memory, Pipelines& pipelines);

}  // namespace loupe::vk
