#include "vk/quirks.h"

#include "vk/device.h"

namespace loupe::vk {

Quirks quirks_of(const DeviceInfo& device) {
  Quirks quirks;
  switch (device.kind) {
    case DeviceKind::discrete:
      quirks.assumed_flops = 2e12;
      quirks.assumed_bandwidth = 1e11;
      break;
    case DeviceKind::cpu:
      // A software driver runs a workgroup on one thread: barriers cost, and width does not help.
      quirks.assumed_flops = 2e9;
      quirks.assumed_bandwidth = 2e9;
      quirks.matvec_threads = 32;
      // One matrix of a large model takes a busy processor many seconds.
      quirks.fence_slices = 6000;
      quirks.unwanted_fence_slices = 600;
      break;
    default: break;
  }
  return quirks;
}

}  // namespace loupe::vk
