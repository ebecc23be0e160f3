#include "weights/strict_json.h"

#include <string>
#include <unordered_set>
#include <vector>

#include <nlohmann/json.hpp>

#include "weights/describe.h"

namespace loupe {

using nlohmann::json;

json parse_json_object(std::string_view text, std::string_view file, ErrorCode code, const JsonLimits& limits) {
  const std::string name(file);
  if (text.size() > limits.max_bytes) {
    throw Error(code, name + ": " + std::to_string(text.size()) + " bytes of JSON, more than the " +
                          std::to_string(limits.max_bytes) + " that are plausible.");
  }
  // The parser takes NUL for the end of its input and would not look at what follows.
  if (text.find('\0') != std::string_view::npos) throw Error(code, name + ": the JSON contains a NUL byte.");

  std::size_t values = 0;
  std::vector<std::unordered_set<std::string>> open_objects;
  const auto inspect = [&](int depth, json::parse_event_t event, json& parsed) {
    if (static_cast<std::size_t>(depth) > limits.max_depth) {
      throw Error(code, name + ": the JSON is nested deeper than " + std::to_string(limits.max_depth) + " levels.");
    }
    switch (event) {
      case json::parse_event_t::object_start:
        open_objects.emplace_back();
        break;
      case json::parse_event_t::object_end:
        open_objects.pop_back();
        break;
      case json::parse_event_t::key:
        if (!open_objects.back().insert(parsed.get_ref<const std::string&>()).second) {
          throw Error(code, name + ": the key " + in_quotes(parsed.get_ref<const std::string&>()) + " appears twice.");
        }
        break;
      default:
        break;
    }
    if (++values > limits.max_values) {
      throw Error(code, name + ": more than " + std::to_string(limits.max_values) + " JSON values.");
    }
    return true;
  };

  try {
    json parsed = json::parse(text.begin(), text.end(), inspect);
    if (!parsed.is_object()) throw Error(code, name + ": expected a JSON object, found " + parsed.type_name() + ".");
    return parsed;
  } catch (const json::parse_error& error) {
    // The parser's own words may quote bytes that are no UTF-8; the position says enough.
    throw Error(code, name + ": not valid JSON at byte " + std::to_string(error.byte) + " of " + std::to_string(text.size()) + ".");
  } catch (const json::exception&) {
    throw Error(code, name + ": the JSON holds a number out of range.");
  }
}

}  // namespace loupe
