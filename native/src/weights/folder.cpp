#include "weights/folder.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "base/error.h"
#include "weights/describe.h"

namespace loupe {
namespace {

constexpr std::string_view suffix = ".safetensors";
constexpr const char* single = "model.safetensors";

/// NAME-00001-of-00003.safetensors
struct Part {
  std::string stem;
  std::size_t number;
  std::size_t count;
};

std::optional<std::size_t> five_digits(std::string_view text) {
  if (text.size() != 5) return std::nullopt;
  std::size_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = 10 * value + static_cast<std::size_t>(c - '0');
  }
  return value;
}

std::optional<Part> part_of(std::string_view name) {
  constexpr std::size_t tail = std::string_view("-00001-of-00003").size();
  if (!name.ends_with(suffix)) return std::nullopt;
  name.remove_suffix(suffix.size());
  if (name.size() <= tail) return std::nullopt;
  const std::string_view numbers = name.substr(name.size() - tail);
  const std::optional<std::size_t> number = five_digits(numbers.substr(1, 5)), count = five_digits(numbers.substr(10, 5));
  if (numbers[0] != '-' || numbers.substr(6, 4) != "-of-" || !number || !count || *number < 1 || *number > *count) return std::nullopt;
  return Part{std::string(name.substr(0, name.size() - tail)), *number, *count};
}

std::string part_name(const std::string& stem, std::size_t number, std::size_t count) {
  char numbers[32];
  std::snprintf(numbers, sizeof numbers, "-%05zu-of-%05zu", number, count);
  return stem + numbers + std::string(suffix);
}

bool begins_with_any(std::string_view name, std::initializer_list<std::string_view> beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(), [&](std::string_view beginning) { return name.starts_with(beginning); });
}

/// What trainers and other programs leave beside a model, and Meta's own copy of the same weights.
bool is_no_model(std::string_view name) {
  return begins_with_any(name, {"adapter", "optimizer", "scheduler", "random_states", "training_", "consolidated", "."});
}

bool is_adapter(std::string_view name) {
  return name == "adapter_config.json" || (begins_with_any(name, {"adapter_model", "adapters."}) && !name.ends_with(".md"));
}

struct Set {
  std::string stem;
  std::size_t count;
  std::set<std::size_t> here;
  bool whole() const { return here.size() == count; }
};

std::vector<Set> sets_in(const std::vector<std::string>& names) {
  std::map<std::pair<std::string, std::size_t>, std::set<std::size_t>> found;
  for (const std::string& name : names) {
    const std::optional<Part> part = part_of(name);
    if (part && !is_no_model(name)) found[{part->stem, part->count}].insert(part->number);
  }
  std::vector<Set> sets;
  for (const auto& [key, here] : found) sets.push_back({key.first, key.second, here});
  return sets;
}

/// The whole one of several, as where an older download was left behind; null where that leaves a doubt.
const Set* chosen(const std::vector<Set>& sets) {
  if (sets.size() == 1) return &sets[0];
  const Set* found = nullptr;
  for (const Set& set : sets) {
    if (!set.whole()) continue;
    if (found) return nullptr;
    found = &set;
  }
  return found;
}

std::vector<std::string> files_of(const Set& set, const std::string& folder) {
  std::vector<std::string> files, missing;
  for (const std::size_t number : set.here) files.push_back(part_name(set.stem, number, set.count));
  if (set.whole()) return files;
  for (std::size_t number = 1; number <= set.count && missing.size() < most_named; ++number) {
    if (set.here.count(number) == 0) missing.push_back(part_name(set.stem, number, set.count));
  }
  throw Error(ErrorCode::file_missing, folder + ": " + missing_words(files.size(), set.count, "part", missing) + ".",
              "Download what is missing into the same folder.");
}

std::string list_of(const std::vector<std::string>& names) {
  std::string words;
  for (std::size_t i = 0; i < std::min<std::size_t>(names.size(), 4); ++i) words += (i > 0 ? ", " : "") + in_quotes(names[i]);
  return words + (names.size() > 4 ? " ..." : "");
}

}  // namespace

std::string missing_words(std::size_t here, std::size_t all, const char* noun, const std::vector<std::string>& missing) {
  const std::size_t shown = std::min(missing.size(), most_named), more = all - here - shown;
  std::string words = std::to_string(here) + " of " + count_of(all, noun) + (here == 1 ? " is here; " : " are here; ");
  for (std::size_t i = 0; i < shown; ++i) {
    const bool last = i + 1 == shown && more == 0;
    words += (i == 0 ? "" : last ? " and " : ", ") + in_quotes(missing[i]);
  }
  if (more > 0) words += " and " + std::to_string(more) + " more";
  return words + (all - here == 1 ? " is missing" : " are missing");
}

bool has_whole_parts(const std::vector<std::string>& names) {
  const std::vector<Set> sets = sets_in(names);
  const Set* set = chosen(sets);
  return set != nullptr && set->whole();
}

void refuse_other_layouts(const std::vector<std::string>& names, const std::string& folder) {
  const auto any = [&](auto&& test) { return std::any_of(names.begin(), names.end(), test); };
  if (any([](const std::string& name) { return is_adapter(name); })) {
    throw Error(ErrorCode::checkpoint_unsupported, folder + " holds an adapter (LoRA), which is only what training changed of a model.",
                "Merge it into its model first (in PEFT: merge_and_unload, then save_pretrained), and choose the folder with the result.");
  }
  if (any([](const std::string& name) { return name.starts_with("consolidated.") || name == "params.json"; })) {
    throw Error(ErrorCode::checkpoint_unsupported, folder + " holds Meta's original format (consolidated.*), which Loupe does not read.",
                "Get the Hugging Face layout of the same model: config.json and *.safetensors.");
  }
  if (any([](const std::string& name) { return name.ends_with(".bin") || name.ends_with(".pth") || name.ends_with(".pt"); })) {
    throw Error(ErrorCode::checkpoint_unsupported,
                folder + " holds its weights as PyTorch's own files (.bin, .pth), which can run programs and are not read.",
                "Get a copy of the model with *.safetensors.");
  }
}

std::vector<std::string> weight_files(const std::vector<std::string>& names, const std::string& folder) {
  if (std::find(names.begin(), names.end(), single) != names.end()) return {single};
  const std::vector<Set> sets = sets_in(names);
  if (const Set* set = chosen(sets)) return files_of(*set, folder);
  std::vector<std::string> others;
  for (const std::string& name : names) {
    if (name.ends_with(suffix) && name.size() > suffix.size() && !is_no_model(name)) others.push_back(name);
  }
  std::sort(others.begin(), others.end());
  if (others.size() == 1) return others;
  if (others.size() > 1) {
    throw Error(ErrorCode::file_missing,
                folder + " holds several weight files, and nothing says which of them are the model: " + list_of(others) + ".",
                "Keep those of one model only in the folder, or add its model.safetensors.index.json.");
  }
  refuse_other_layouts(names, folder);
  throw Error(ErrorCode::file_missing, folder + " holds no weights: neither model.safetensors nor parts of it.",
              "Choose the folder that holds config.json and the *.safetensors files, or finish the download.");
}

}  // namespace loupe
