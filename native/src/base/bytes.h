#pragma once
// Amounts of memory in sentences for people.

#include <cstdint>
#include <string>

namespace loupe {

/// "7.8 GB", "345 MB": powers of 1000, as `formatBytes` in main/contract/bytes.ts writes them.
std::string bytes_text(std::uint64_t bytes);

}  // namespace loupe
