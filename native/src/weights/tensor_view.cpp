#include "weights/tensor_view.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "weights/describe.h"

namespace loupe {

std::int64_t TensorView::elements() const {
  // Cannot overflow: the byte size was computed with checks.
  std::int64_t count = 1;
  for (const std::int64_t dimension : shape) {
    if (dimension == 0) return 0;
  }
  for (const std::int64_t dimension : shape) count *= dimension;
  return count;
}

std::int64_t TensorView::stored_row(std::int64_t row) const {
  if (paired_head == 0) return row;
  const std::int64_t half = paired_head / 2, in_head = row % paired_head;
  return row - in_head + in_head % half * 2 + in_head / half;
}

std::optional<std::uint64_t> checked_product(std::uint64_t a, std::uint64_t b) {
  if (b != 0 && a > std::numeric_limits<std::uint64_t>::max() / b) return std::nullopt;
  return a * b;
}

void sort_and_refuse_overlaps(const std::string& file, std::vector<TensorView>& tensors) {
  std::stable_sort(tensors.begin(), tensors.end(),
                   [](const TensorView& a, const TensorView& b) { return a.bytes.data() < b.bytes.data(); });
  const TensorView* previous = nullptr;
  for (const TensorView& tensor : tensors) {
    if (tensor.bytes.empty()) continue;
    if (previous != nullptr && tensor.bytes.data() < previous->bytes.data() + previous->bytes.size()) {
      throw Error(ErrorCode::checkpoint_header,
                  file + ": tensors " + in_quotes(previous->name) + " and " + in_quotes(tensor.name) + " overlap.",
                  "The file is damaged; download it again.");
    }
    previous = &tensor;
  }
}

void sort_by_name(std::vector<TensorView>& tensors) {
  std::sort(tensors.begin(), tensors.end(), [](const TensorView& a, const TensorView& b) { return a.name < b.name; });
}

const TensorView* find_by_name(const std::vector<TensorView>& sorted, std::string_view name) {
  const auto found = std::lower_bound(sorted.begin(), sorted.end(), name,
                                      [](const TensorView& tensor, std::string_view wanted) { return tensor.name < wanted; });
  return found != sorted.end() && found->name == name ? &*found : nullptr;
}

}  // namespace loupe
