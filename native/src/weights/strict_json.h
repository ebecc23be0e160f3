#pragma once
// JSON from files that nobody vouches for: bounded in size, depth and number of values,
// no duplicate keys, and every failure is a loupe::Error.

#include <cstddef>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "base/error.h"

namespace loupe {

struct JsonLimits {
  std::size_t max_bytes;
  std::size_t max_depth = 16;
  /// Keys and values together; bounds memory, since a parsed value is larger than its text.
  std::size_t max_values = 2'000'000;
};

/// The object written in `text`.
/// @param file names the source in messages.
/// @throws Error `code` for malformed text, a top level that is no object, a duplicate key,
///         invalid UTF-8, or a limit exceeded.
nlohmann::json parse_json_object(std::string_view text, std::string_view file, ErrorCode code, const JsonLimits& limits);

}  // namespace loupe
