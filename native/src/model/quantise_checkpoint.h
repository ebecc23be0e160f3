#pragma once
// A published checkpoint -> one GGUF file in Ollama's unified layout, quantised, in bounded memory: weights are read from
// mapped files a few megabytes at a time, and what has been read leaves the process again.

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "model/config.h"

namespace loupe {

enum class TextPrecision {
  q4_k_m,  ///< Q4_K; Q6_K for the output and, in half of the layers, for value and down projections
  q8_0,
};
enum class VisionPrecision { f16, q8_0 };

/// A metadata entry that the configuration does not give: tokens, merges, a chat template.
using GgufEntry =
    std::pair<std::string, std::variant<std::string, std::vector<std::string>, bool, std::uint32_t, float, std::vector<std::int32_t>>>;

struct QuantiseRequest {
  std::filesystem::path source;  ///< a folder in the published layout
  /// Written as FILE.part and renamed when whole. Its name begins with "Llama", as the licence asks.
  std::filesystem::path target;
  TextPrecision text = TextPrecision::q4_k_m;
  VisionPrecision vision = VisionPrecision::f16;
  std::vector<GgufEntry> entries;
  unsigned threads = 0;  ///< 0 = all of the computer's
  /// Bytes between two syncs to the disk, and what is made again when resuming: a power cut may have taken them.
  std::uint64_t sync_bytes = std::uint64_t{256} << 20;
};

/// Tensors that do the same work: what rounding them cost.
struct TensorClass {
  std::string name;   ///< "feed-forward down", "vision attention"
  std::string types;  ///< "Q4_K, Q6_K"
  std::uint64_t tensors = 0, elements = 0, bytes = 0;
  double relative_error = 0;  ///< square root of the sum of squared differences over the sum of squares
};

struct QuantiseReport {
  std::uint64_t bytes = 0;  ///< of the file
  bool resumed = false;     ///< a part was there already
  std::vector<TensorClass> classes;
};

/// Resumes FILE.part where it was made from the same weights by the same request; what was written last, and a power cut may
/// have taken, is made again. After `cancelled` the part stays.
/// `progress(done, total)` counts bytes of weights read; may be null.
/// @throws Error as load_model_config, Checkpoint::open and check_tensors; file_unwritable, disk_full, cancelled.
QuantiseReport quantise_checkpoint(const QuantiseRequest& request, const std::atomic<bool>* cancel,
                                   const std::function<void(std::uint64_t, std::uint64_t)>& progress);

/// The divisors of base frequencies that GGUF files hold in place of the scaling's four numbers; empty without scaling.
std::vector<float> rope_factors(const TextConfig& text);

}  // namespace loupe
