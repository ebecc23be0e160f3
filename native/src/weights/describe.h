#pragma once
// Words for error messages. Names come from untrusted files, so they are
// shortened and stripped of control characters before they are shown.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace loupe {

/// 'name' in quotes, at most 160 bytes of it, control characters replaced.
std::string in_quotes(std::string_view name);

/// "1 shard", "2 shards"
std::string count_of(std::size_t count, const char* noun);

/// [4096, 1280]
std::string shape_text(std::span<const std::int64_t> shape);

/// The path as UTF-8 on every platform; never throws for odd characters.
std::string path_text(const std::filesystem::path& path);

}  // namespace loupe
