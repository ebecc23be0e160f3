#pragma once
// Which tensors a model has, by its configuration, and whether a checkpoint holds them.

#include <cstdint>
#include <string>
#include <vector>

#include "model/config.h"
#include "weights/checkpoint.h"

namespace loupe {

struct ExpectedTensor {
  std::string name;  ///< canonical (weights/tensor_names.h)
  std::vector<std::int64_t> shape;
};

/// Every tensor that a checkpoint of this configuration must hold.
std::vector<ExpectedTensor> expected_tensors(const ModelConfig& config);

/// Name of the matrix that makes logits: text.lm_head.weight, or the embedding when tied.
const char* output_weight_name(const ModelConfig& config);

/// Elements of all expected tensors.
std::int64_t parameter_count(const ModelConfig& config);

/// Compares the checkpoint with `expected_tensors`. Other tensors are ignored.
/// @throws Error checkpoint_tensor: one is missing; checkpoint_shape, checkpoint_dtype: one is not
///         as expected, naming expected and found; checkpoint_unsupported: stored as this engine does not read it
///         (quantised, an adapter), named.
void check_tensors(const ModelConfig& config, const Checkpoint& checkpoint);

}  // namespace loupe
