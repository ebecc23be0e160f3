#include "vk/quirks.h"

#include "vk/device.h"

namespace loupe::vk {
namespace {

/// What some devices need done differently. Every entry that matches a device applies, in this order.
struct Entry {
  bool (*fits)(const DeviceInfo&);
  void (*apply)(const DeviceInfo&, Quirks&);
};

constexpr Entry table[] = {
    // Discrete cards: the slowest that hold a model at all. From data sheets: a GTX 1650 has 3 TFLOP/s and 128 GB/s.
    {[](const DeviceInfo& device) { return device.kind == DeviceKind::discrete; },
     [](const DeviceInfo&, Quirks& quirks) {
       quirks.assumed_flops = 2e12;
       quirks.assumed_bandwidth = 1e11;
     }},
    // Metal's memory fences end at the workgroup before version 3.2 of its language, whatever SPIR-V asks for.
    {[](const DeviceInfo& device) { return device.driver.starts_with("MoltenVK"); },
     [](const DeviceInfo&, Quirks& quirks) { quirks.last_workgroup = false; }},
    // Software drivers run a workgroup on one thread, so that more than one subgroup only adds barriers and shared memory.
    // Measured on lavapipe of Mesa 22.3 and 26.1, 2026-11-26 (docs/decisions/0020-kernels-by-device.md).
    {[](const DeviceInfo& device) { return device.kind == DeviceKind::cpu; },
     [](const DeviceInfo& device, Quirks& quirks) {
       quirks.assumed_flops = 2e9;
       quirks.assumed_bandwidth = 2e9;
       quirks.matvec_threads = device.subgroup_size;
       quirks.reduction_threads = 32;
       quirks.logits_a_part = 16384;
       // Matrix units that are loops over float16 emulated in float32: 0.8 of the speed of the float32 tiles.
       quirks.fast_matrices = false;
       // One matrix of a large model takes a busy processor many seconds.
       quirks.fence_slices = 6000;
       quirks.unwanted_fence_slices = 600;
     }},
};

}  // namespace

Quirks quirks_of(const DeviceInfo& device) {
  Quirks quirks;
  for (const Entry& entry : table)
    if (entry.fits(device)) entry.apply(device, quirks);
  return quirks;
}

}  // namespace loupe::vk
