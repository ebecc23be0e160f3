#include "weights/tensor_names.h"

#include <algorithm>
#include <span>

namespace loupe {
namespace {

struct Rule {
  std::string_view from;
  std::string_view to;
};

// The first match counts, so the bare "model." of text-only files comes last.
constexpr Rule to_canonical[] = {
    {"language_model.model.", "text."},
    {"language_model.lm_head.", "text.lm_head."},
    {"vision_model.", "vision."},
    {"multi_modal_projector.", "projector."},
    {"model.language_model.model.", "text."},
    {"model.language_model.lm_head.", "text.lm_head."},
    {"model.language_model.", "text."},
    {"model.vision_model.", "vision."},
    {"model.multi_modal_projector.", "projector."},
    {"lm_head.", "text.lm_head."},
    {"model.", "text."},
};

constexpr Rule to_published[] = {
    {"text.lm_head.", "language_model.lm_head."},
    {"text.", "language_model.model."},
    {"vision.", "vision_model."},
    {"projector.", "multi_modal_projector."},
};

constexpr Rule to_llama[] = {
    {"text.lm_head.", "lm_head."},
    {"text.", "model."},
};

/// What training and compiling put before the names of the model that they wrap.
constexpr std::string_view wrappers[] = {"module.", "_orig_mod.", "base_model.model."};

/// All wrappers that a name begins with, one inside the other.
std::string_view wrapped_beginning(std::string_view name) {
  std::size_t length = 0;
  for (bool found = true; found;) {
    found = false;
    for (const std::string_view wrapper : wrappers) {
      if (!name.substr(length).starts_with(wrapper)) continue;
      length += wrapper.size();
      found = true;
    }
  }
  return name.substr(0, length);
}

std::string apply(std::span<const Rule> rules, std::string_view name) {
  for (const Rule& rule : rules) {
    if (name.starts_with(rule.from)) return std::string(rule.to).append(name.substr(rule.from.size()));
  }
  return std::string(name);
}

}  // namespace

std::string canonical_name(std::string_view stored) { return apply(to_canonical, stored); }

std::size_t wrapper_length(std::span<const TensorView> tensors) {
  if (tensors.empty()) return 0;
  const std::string_view beginning = wrapped_beginning(tensors[0].stored_name);
  const bool common =
      std::all_of(tensors.begin(), tensors.end(), [&](const TensorView& tensor) { return tensor.stored_name.starts_with(beginning); });
  return common ? beginning.size() : 0;
}

std::string published_name(std::string_view canonical, bool text_only) {
  if (text_only) return apply(to_llama, canonical);
  return apply(to_published, canonical);
}

}  // namespace loupe
