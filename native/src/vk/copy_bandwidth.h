#pragma once
// What the device's memory gives at best, to compare kernels with.

#include "vk/memory.h"

namespace loupe::vk {

/// Bytes a second that copies within the device's memory move, read and written, the best of five rounds. Takes two buffers of up to
/// 256 MiB, larger than caches, and about half a second. Throws device_out_of_memory and what a recorder throws.
double copy_bandwidth(Device& device, Memory& memory);

}  // namespace loupe::vk
