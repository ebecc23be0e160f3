#pragma once
// Everything that we do differently because of one device or driver, and why. Nowhere else.

#include <cstdint>
#include <optional>

namespace loupe::vk {

struct DeviceInfo;

/// How a product on matrix units is divided: outputs of a workgroup, and of each of its subgroups.
struct MatrixTile {
  uint32_t rows = 0, columns = 0, subgroup_rows = 0, subgroup_columns = 0;
  /// What the next step needs is loaded while this one is multiplied: 0 no, 1 into registers, 2 and from there into another half of
  /// shared memory, so that a step has one barrier instead of two.
  uint32_t ahead = 1;
};

/// How the subgroups of a workgroup divide attention on matrix units (attention_coopmat.comp).
struct AttentionSplit {
  uint32_t subgroups = 0;
  uint32_t sharers = 1;       ///< subgroups that have the same rows
  bool keep_queries = false;  ///< in registers
};

/// What a workgroup of it has at a time of the keys and values.
struct AttentionTile {
  uint32_t keys = 32;
  bool apart = false;  ///< keys and values each have their own place in shared memory, which saves barriers
  bool ahead = false;  ///< the next tile is loaded while one is computed, into registers
  bool operator==(const AttentionTile&) const = default;
};
/// Those that any device uses.
constexpr AttentionTile attention_tiles[] = {{32, false, false}, {32, true, true}, {64, false, true}};

struct Quirks {
  /// Of the table's row: which devices it is for, and where what it says comes from.
  const char* architecture = "unknown";
  const char* source = "what the driver reports";
  /// Rate that the submission splitter assumes before it has measured anything, in FLOP/s and bytes/s.
  double assumed_flops = 5e11;
  double assumed_bandwidth = 2e10;
  /// Bytes/s from the host's memory: half of PCIe 3.0 x16, because a card may sit in a lesser slot.
  double assumed_bus_bandwidth = 6e9;
  /// How long a submission may keep its fence waiting before the device counts as lost, and how long once nobody wants
  /// the result any more. In slices of the wait, so that a computer that slept has not waited.
  uint32_t fence_slices = 600, unwanted_fence_slices = 50;
  /// Threads of a matrix-vector workgroup.
  uint32_t matvec_threads = 64;
  /// How a thread of a matrix-vector product takes 32 weights of a block, of bits (matvec_blocks.comp, READING): 1: neighbours read x in
  /// different orders; 2: quants become numbers without a conversion.
  uint32_t unit_reading = 0;
  /// Threads of a workgroup that reduces one wide row.
  uint32_t reduction_threads = 256;
  /// Whether the last workgroup of a dispatch may read what the others wrote, once it has counted them.
  bool last_workgroup = true;
  /// Whether cooperative matrices, where the driver offers them, are faster than float32 tiles.
  bool fast_matrices = true;
  /// Size of the subgroups of kernels for matrix units, where it is not the one that the driver reports.
  uint32_t matrix_subgroup = 0;
  /// Instead of the tiles that fit the size of the subgroups (ops/matrix_tiles.h).
  std::optional<MatrixTile> matrix_tile;
  /// Instead of the large one of those.
  std::optional<MatrixTile> large_matrix_tile;
  /// Attention of many rows in float32: side of the square of threads that is a workgroup, 8 or 16.
  uint32_t attention_side = 16;
  /// Instead of the division that fits the shape of matrices and heads (ops/attention.cpp).
  std::optional<AttentionSplit> attention_split;
  AttentionTile attention_tile = attention_tiles[0];
  /// Loads of 16 bytes that a thread has on their way where few workgroups run beside it: values of decode attention, the norm behind
  /// a product. 8 or 16.
  uint32_t loads_ahead = 8;
  /// Decode steps that are submitted before the first of them is waited for, where nothing on the host decides about the next: 1 or 2.
  uint32_t steps_in_flight = 2;
  /// Of a vocabulary, what one workgroup looks through while a token is drawn: eight loads a thread.
  uint32_t logits_a_part = 2048;
  /// Whether kernels that compute the same are timed on the device where several are right for it (ops/variants.h).
  bool timed = true;
};

/// From the table of devices; what no row knows gets what suits most, by what its driver reports.
Quirks quirks_of(const DeviceInfo& device);

}  // namespace loupe::vk
