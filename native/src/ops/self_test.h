#pragma once
// A few operations against their scalar twins on the user's own device: what `loupe doctor` runs after a
// driver change. What is compared is in cases.h; the full comparison is tests/test_ops_*.cpp.

#include <string>
#include <vector>

#include "graph/graph.h"

namespace loupe {

struct SelfTestItem {
  std::string name;
  bool ok = false;
  std::string detail;  ///< the measured difference and what is allowed, or the error
};

std::vector<SelfTestItem> run_self_test(vk::Device& device, vk::Memory& memory, vk::Pipelines& pipelines, Activations activations);

}  // namespace loupe
