#include "ops/self_test.h"

#include "base/error.h"
#include "ops/cases.h"

namespace loupe {

std::vector<SelfTestItem> run_self_test(vk::Device& device, vk::Memory& memory, vk::Pipelines& pipelines, Activations activations) {
  std::vector<SelfTestItem> items;
  for (const cases::NamedCase& one : cases::self_test_cases()) {
    SelfTestItem item{one.name, false, {}};
    bool lost = false;
    try {
      cases::Bench bench(device, memory, pipelines, activations, cases::Bench::Fill::random);
      const cases::Comparison comparison = cases::compare(one.make(bench));
      item.ok = comparison.ok;
      item.detail = comparison.detail;
    } catch (const Error& error) {
      item.detail = error.what();
      lost = error.code() == ErrorCode::device_lost;
    }
    // Cases of one name are one item; the first that fails speaks for it.
    if (items.empty() || items.back().name != item.name)
      items.push_back(item);
    else if (items.back().ok)
      items.back() = item;
    if (lost) break;
  }
  return items;
}

}  // namespace loupe
