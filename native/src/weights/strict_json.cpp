#include "weights/strict_json.h"

#include <array>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <nlohmann/json.hpp>

#include "weights/describe.h"

namespace loupe {

using nlohmann::json;

namespace {

constexpr const char* download_again = "The file is damaged; download it again.";

/// Python's spellings of numbers that JSON lacks become texts. Empty where there are none.
std::optional<std::string> with_quoted_numbers(std::string_view text) {
  constexpr std::array<std::string_view, 3> words = {"-Infinity", "Infinity", "NaN"};
  std::string result;
  std::size_t copied = 0;
  bool in_text = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (in_text && text[at] == '\\')
      ++at;
    else if (text[at] == '"')
      in_text = !in_text;
    if (in_text || at >= text.size()) continue;
    for (const std::string_view word : words) {
      if (text.substr(at, word.size()) != word) continue;
      result.append(text.substr(copied, at - copied)).append("\"").append(word).append("\"");
      copied = at + word.size();
      at = copied - 1;
      break;
    }
  }
  if (copied == 0) return std::nullopt;
  return result.append(text.substr(copied));
}

void refuse_utf16(std::string_view text, const std::string& name, ErrorCode code) {
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff")) throw Error(code, name + ": the text is UTF-16.", "Save it as UTF-8.");
}

/// An object that is being read: its keys, and with JsonSpelling::lenient what they have meant so far.
struct OpenObject {
  std::unordered_map<std::string, json> values;
  std::string key;
  bool repeated = false;
};

}  // namespace

json parse_json_object(std::string_view original, std::string_view file, ErrorCode code, const JsonLimits& limits) {
  const std::string name(file);
  const bool lenient = limits.spelling == JsonSpelling::lenient;
  if (original.size() > limits.max_bytes) {
    throw Error(code, name + ": " + std::to_string(original.size()) + " bytes of JSON, more than the " + std::to_string(limits.max_bytes) +
                          " that are plausible.");
  }
  refuse_utf16(original, name, code);
  // The parser takes NUL for the end of its input and would not look at what follows.
  if (original.find('\0') != std::string_view::npos) throw Error(code, name + ": the JSON contains a NUL byte.", download_again);
  const std::optional<std::string> rewritten = lenient ? with_quoted_numbers(original) : std::nullopt;
  const std::string_view text = rewritten ? *rewritten : original;

  std::size_t values = 0;
  std::vector<OpenObject> open_objects;
  // Whether the innermost open container is an object, so that the current value belongs to its key.
  std::vector<bool> in_object;
  const auto twice = [&](const std::string& key) {
    return Error(code, name + ": the key " + in_quotes(key) + " appears twice" + (lenient ? ", with two values" : "") + ".",
                 lenient ? "Keep the right one." : download_again);
  };
  const auto take_value = [&](const json& value) {
    if (!lenient || in_object.empty() || !in_object.back()) return;
    OpenObject& object = open_objects.back();
    if (object.repeated && object.values[object.key] != value) throw twice(object.key);
    object.values[object.key] = value;
  };
  const auto inspect = [&](int depth, json::parse_event_t event, json& parsed) {
    if (static_cast<std::size_t>(depth) > limits.max_depth) {
      throw Error(code, name + ": the JSON is nested deeper than " + std::to_string(limits.max_depth) + " levels.");
    }
    switch (event) {
      case json::parse_event_t::object_start:
        open_objects.emplace_back();
        in_object.push_back(true);
        break;
      case json::parse_event_t::array_start: in_object.push_back(false); break;
      case json::parse_event_t::object_end:
        open_objects.pop_back();
        in_object.pop_back();
        take_value(parsed);
        break;
      case json::parse_event_t::array_end:
        in_object.pop_back();
        take_value(parsed);
        break;
      case json::parse_event_t::key: {
        OpenObject& object = open_objects.back();
        object.key = parsed.get_ref<const std::string&>();
        object.repeated = !object.values.try_emplace(object.key).second;
        if (object.repeated && !lenient) throw twice(object.key);
        break;
      }
      case json::parse_event_t::value: take_value(parsed); break;
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
    // The parser's own words may quote bytes that are not UTF-8; the position says enough.
    throw Error(code, name + ": not valid JSON at byte " + std::to_string(error.byte) + " of " + std::to_string(text.size()) + ".",
                download_again);
  } catch (const json::exception&) {
    throw Error(code, name + ": the JSON holds a number out of range.");
  }
}

}  // namespace loupe
