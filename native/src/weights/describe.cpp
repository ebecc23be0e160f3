#include "weights/describe.h"

namespace loupe {

std::string in_quotes(std::string_view name) {
  constexpr std::size_t limit = 160;
  std::size_t length = name.size();
  if (length > limit) {
    length = limit;
    // Do not cut inside a UTF-8 sequence: continuation bytes are 10xxxxxx.
    while (length > 0 && (static_cast<unsigned char>(name[length]) & 0xC0) == 0x80) --length;
  }
  std::string text = "'";
  for (const char c : name.substr(0, length)) {
    const bool is_control = static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
    text += is_control ? '?' : c;
  }
  if (length < name.size()) text += "...";
  return text + "'";
}

std::string count_of(std::size_t count, const char* noun) { return std::to_string(count) + " " + noun + (count == 1 ? "" : "s"); }

std::string shape_text(std::span<const std::int64_t> shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(shape[i]);
  }
  return text + "]";
}

std::string path_text(const std::filesystem::path& path) {
  const std::u8string text = path.u8string();
  return std::string(text.begin(), text.end());
}

}  // namespace loupe
