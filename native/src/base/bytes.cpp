#include "base/bytes.h"

#include <cstdio>
#include <iterator>

namespace loupe {

std::string bytes_text(std::uint64_t bytes) {
  constexpr const char* units[] = {"B", "kB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  // What rounds to a thousand is one of the next unit.
  for (; value >= 999.5 && unit + 1 < std::size(units); ++unit) value /= 1000;
  char text[40];
  std::snprintf(text, sizeof text, unit > 0 && value < 99.95 ? "%.1f %s" : "%.0f %s", value, units[unit]);
  return text;
}

}  // namespace loupe
