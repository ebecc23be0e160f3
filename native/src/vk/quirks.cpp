#include "vk/quirks.h"

#include <string_view>

#include "vk/device.h"

namespace loupe::vk {
namespace {

/// How a row knows its devices by what their drivers report. What is left out holds for any.
struct Signs {
  uint32_t vendor = 0;  ///< PCI's number
  std::optional<DeviceKind> kind = {};
  std::string_view driver = {};            ///< how its name begins
  std::optional<MatrixShape> matrix = {};  ///< that the matrix units offer; {0, 0, 0}: there are none
  uint32_t subgroup = 0;                   ///< that it reports
  uint32_t can_demand = 0;                 ///< a size of subgroups that a pipeline can ask for
};

/// What a row wants otherwise than `Quirks` has it; zeros leave that.
struct Wants {
  uint32_t matrix_subgroup = 0;
  uint32_t matvec_threads = 0;
  uint32_t reduction_threads = 0;
  uint32_t attention_side = 0;
  uint32_t logits_a_part = 0;
  uint32_t loads_ahead = 0;
  uint32_t steps_in_flight = 0;
  bool fast_matrices = true;
  AttentionTile attention_tile = attention_tiles[0];
  bool last_workgroup = true;
  bool timed = true;
};

struct Architecture {
  const char* name;
  Signs signs;
  Wants wants;
  const char* source;
};

constexpr uint32_t amd = 0x1002, intel = 0x8086, nvidia = 0x10de;
constexpr uint32_t one_subgroup = ~0u;
constexpr MatrixShape none{}, squares{16, 16, 16}, arc{8, 8, 16}, xe2{8, 16, 16};

/// The first row whose signs a device shows is its own. Tiles of products follow from the size of subgroups (ops/matrix_tiles.h), the
/// division of attention from the shape of matrices (ops/attention.cpp).
///
/// Subgroups of 64: an instruction takes AMD's units two cycles, of 32 one, and a product on matrix units the same time in both. Intel's
/// matrix units want subgroups of a size of their own, which is not the reported 32. Metal's memory fences end at the workgroup before
/// version 3.2 of its language, whatever SPIR-V asks for. Software drivers run a workgroup on one thread, so that more than one
/// subgroup only adds barriers and shared memory; their matrix units are loops over float16 emulated in float32, at 0.8 of the speed of
/// the float32 tiles, and nothing stands still there while the host looks at a token.
constexpr Architecture table[] = {
    {"software",
     {.kind = DeviceKind::cpu},
     {.matvec_threads = one_subgroup,
      .reduction_threads = 32,
      .attention_side = 8,
      .logits_a_part = 16384,
      .steps_in_flight = 1,
      .fast_matrices = false,
      .timed = false},
     "measured, lavapipe of Mesa 22.3 and 26.1, 2026-11-26: docs/decisions/0020"},
    {"Metal", {.driver = "MoltenVK"}, {.last_workgroup = false}, "Metal Shading Language 3.1, 2026-11-26: docs/decisions/0031"},
    {"AMD RDNA3, RDNA4",
     {.vendor = amd, .matrix = squares, .can_demand = 32},
     {.matrix_subgroup = 32, .loads_ahead = 16},
     "counted, RADV 26.1.6 for Navi 31 and GFX1200, 2026-11-28: docs/decisions/0038, 0045"},
    {"AMD RDNA1, RDNA2",
     {.vendor = amd, .matrix = none, .can_demand = 32},
     {},
     "counted, RADV 22.3.6 and 26.1.6 for Navi 21, 2026-11-28: docs/decisions/0020"},
    {"AMD GCN, CDNA", {.vendor = amd}, {}, "no measurement: as devices that are not known"},
    {"NVIDIA Turing and later",
     {.vendor = nvidia, .driver = "NVIDIA", .matrix = squares, .subgroup = 32},
     {.attention_tile = attention_tiles[1]},
     "measured, H200 with driver 580.159, 2026-11-28: docs/decisions/0053"},
    {"NVIDIA Turing and later, NVK",
     {.vendor = nvidia, .matrix = squares, .subgroup = 32},
     {},
     "counted, NVK 26.1.6 for AD102 and GA106, 2026-11-28: docs/decisions/0038"},
    {"NVIDIA before Turing", {.vendor = nvidia}, {}, "no measurement: as devices that are not known"},
    {"Intel Xe2",
     {.vendor = intel, .matrix = xe2, .can_demand = 16},
     {.matrix_subgroup = 16},
     "counted, ANV 26.1.6 for BMG, 2026-11-28: docs/decisions/0038"},
    {"Intel Arc A",
     {.vendor = intel, .matrix = arc, .can_demand = 8},
     {.matrix_subgroup = 8},
     "counted, ANV 26.1.6 for DG2, 2026-11-28: docs/decisions/0038"},
    {"Intel without matrix units", {.vendor = intel, .matrix = none}, {}, "no measurement: as devices that are not known"},
    // Of other vendors, by the shape of their matrices.
    {"unknown, matrices as AMD's",
     {.matrix = squares, .subgroup = 64, .can_demand = 32},
     {.matrix_subgroup = 32},
     "what the driver reports, as RDNA3"},
    {"unknown, matrices as Xe2's", {.matrix = xe2, .can_demand = 16}, {.matrix_subgroup = 16}, "what the driver reports, as Xe2"},
    {"unknown, matrices as Arc A's", {.matrix = arc, .can_demand = 8}, {.matrix_subgroup = 8}, "what the driver reports, as Arc A"},
};

bool offers(const DeviceInfo& device, const MatrixShape& wanted) {
  if (wanted.m == 0) return device.matrix_shapes.empty();
  for (const MatrixShape& shape : device.matrix_shapes)
    if (shape.m == wanted.m && shape.n == wanted.n && shape.k == wanted.k) return true;
  return false;
}

bool shows(const DeviceInfo& device, const Signs& signs) {
  return (!signs.vendor || signs.vendor == device.vendor_id) && (!signs.kind || *signs.kind == device.kind) &&
         device.driver.starts_with(signs.driver) && (!signs.matrix || offers(device, *signs.matrix)) &&
         (!signs.subgroup || signs.subgroup == device.subgroup_size) &&
         (!signs.can_demand || (device.min_subgroup_size <= signs.can_demand && signs.can_demand <= device.max_subgroup_size));
}

void take(uint32_t wanted, uint32_t& value) {
  if (wanted) value = wanted;
}

}  // namespace

Quirks quirks_of(const DeviceInfo& device) {
  Quirks quirks;
  // Discrete cards: the slowest that hold a model at all. From data sheets: a GTX 1650 has 3 TFLOP/s and 128 GB/s.
  if (device.kind == DeviceKind::discrete) {
    quirks.assumed_flops = 2e12;
    quirks.assumed_bandwidth = 1e11;
  }
  if (device.kind == DeviceKind::cpu) {
    quirks.assumed_flops = 2e9;
    quirks.assumed_bandwidth = 2e9;
    // One matrix of a large model takes a busy processor many seconds.
    quirks.fence_slices = 6000;
    quirks.unwanted_fence_slices = 600;
  }
  for (const auto& [name, signs, wants, source] : table) {
    if (!shows(device, signs)) continue;
    quirks.architecture = name;
    quirks.source = source;
    if (wants.matrix_subgroup != device.subgroup_size) quirks.matrix_subgroup = wants.matrix_subgroup;
    take(wants.matvec_threads == one_subgroup ? device.subgroup_size : wants.matvec_threads, quirks.matvec_threads);
    take(wants.reduction_threads, quirks.reduction_threads);
    take(wants.attention_side, quirks.attention_side);
    take(wants.logits_a_part, quirks.logits_a_part);
    take(wants.loads_ahead, quirks.loads_ahead);
    take(wants.steps_in_flight, quirks.steps_in_flight);
    quirks.attention_tile = wants.attention_tile;
    quirks.fast_matrices = wants.fast_matrices;
    quirks.last_workgroup = wants.last_workgroup;
    quirks.timed = wants.timed;
    break;
  }
  return quirks;
}

}  // namespace loupe::vk
