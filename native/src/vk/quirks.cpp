#include "vk/quirks.h"

#include "vk/device.h"

namespace loupe::vk {
namespace {

/// Whether a pipeline can demand subgroups of `size`, on a device with matrix units.
bool offers_subgroups(const DeviceInfo& device, uint32_t size) {
  return !device.matrix_shapes.empty() && device.min_subgroup_size <= size && size <= device.max_subgroup_size;
}
bool offers_shape(const DeviceInfo& device, uint32_t m, uint32_t n, uint32_t k) {
  for (const MatrixShape& shape : device.matrix_shapes)
    if (shape.m == m && shape.n == n && shape.k == k) return true;
  return false;
}

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
    // RDNA, which reports 64: an instruction of 64 lanes takes its units two cycles, of 32 one, and a product on matrix units the
    // same time in both. Intel's matrix units want subgroups of a size of their own, which is not the reported 32: 8 on Arc A
    // (fragments of 8 x 8), 16 on Xe2. By counts of their compilers (docs/decisions/0038-products-by-device.md).
    {[](const DeviceInfo& device) { return device.subgroup_size == 64 && offers_subgroups(device, 32); },
     [](const DeviceInfo&, Quirks& quirks) { quirks.matrix_subgroup = 32; }},
    {[](const DeviceInfo& device) { return offers_shape(device, 8, 8, 16) && offers_subgroups(device, 8); },
     [](const DeviceInfo&, Quirks& quirks) { quirks.matrix_subgroup = 8; }},
    {[](const DeviceInfo& device) { return offers_shape(device, 8, 16, 16) && offers_subgroups(device, 16); },
     [](const DeviceInfo&, Quirks& quirks) { quirks.matrix_subgroup = 16; }},
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
       quirks.attention_side = 8;
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
