#pragma once
// JSON from untrusted files: bounded in size, depth and number of values,
// no key with two meanings, and every failure is a loupe::Error.

#include <cstddef>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "base/error.h"

namespace loupe {

/// How much of what people's tools write beside JSON's own rules is read.
enum class JsonSpelling {
  strict,
  /// A key may be repeated with the same value, and Python's NaN and Infinity stand for themselves as texts, so that
  /// a reader that expects a number there reports it. For the small files beside the weights.
  lenient,
};

struct JsonLimits {
  std::size_t max_bytes;
  std::size_t max_depth = 16;
  /// Keys and values together; bounds memory, since a parsed value is larger than its text.
  std::size_t max_values = 2'000'000;
  JsonSpelling spelling = JsonSpelling::strict;
};

/// The object written in `text`, which may begin with a byte order mark.
/// @param file names the source in messages.
/// @throws Error `code` for malformed text, a top level that is not an object, a duplicate key (of another value, where lenient),
///         UTF-16, invalid UTF-8, or a limit exceeded.
nlohmann::json parse_json_object(std::string_view text, std::string_view file, ErrorCode code, const JsonLimits& limits);

}  // namespace loupe
