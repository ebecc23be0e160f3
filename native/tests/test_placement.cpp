// Weights in the host's memory: which memory they get on real devices, that every mix computes the same, and what
// happens when the device has less than it said.

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "fixtures.h"
#include "session/session.h"
#include "session/working_sizes.h"
#include "support.h"

namespace loupe {
namespace {

using test::engine;

constexpr uint64_t mib = 1 << 20, gib = 1 << 30;

// --- the choice ---------------------------------------------------------------------------------

constexpr VkMemoryPropertyFlags local = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, visible = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT,
                                coherent = VK_MEMORY_PROPERTY_HOST_COHERENT_BIT, cached = VK_MEMORY_PROPERTY_HOST_CACHED_BIT,
                                lazy = VK_MEMORY_PROPERTY_LAZILY_ALLOCATED_BIT, hidden = VK_MEMORY_PROPERTY_PROTECTED_BIT;

struct Layout {
  std::string name;
  std::vector<VkMemoryHeapFlags> heaps;
  std::vector<std::pair<VkMemoryPropertyFlags, uint32_t>> types;  ///< flags, heap
  int weights, host_weights, upload, readback;                    ///< expected type
};
void PrintTo(const Layout& layout, std::ostream* out) { *out << layout.name; }

VkPhysicalDeviceMemoryProperties properties_of(const Layout& layout) {
  VkPhysicalDeviceMemoryProperties properties{};
  for (const VkMemoryHeapFlags flags : layout.heaps) properties.memoryHeaps[properties.memoryHeapCount++] = {8 * gib, flags};
  for (const auto& [flags, heap] : layout.types) properties.memoryTypes[properties.memoryTypeCount++] = {flags, heap};
  return properties;
}

class MemoryTypes : public ::testing::TestWithParam<Layout> {};

TEST_P(MemoryTypes, FollowTheIntent) {
  const Layout& layout = GetParam();
  const VkPhysicalDeviceMemoryProperties properties = properties_of(layout);
  EXPECT_EQ(vk::choose_memory_type(properties, ~0u, vk::Intent::weights), layout.weights);
  EXPECT_EQ(vk::choose_memory_type(properties, ~0u, vk::Intent::activations), layout.weights);
  EXPECT_EQ(vk::choose_memory_type(properties, ~0u, vk::Intent::host_weights), layout.host_weights);
  EXPECT_EQ(vk::choose_memory_type(properties, ~0u, vk::Intent::upload), layout.upload);
  EXPECT_EQ(vk::choose_memory_type(properties, ~0u, vk::Intent::readback), layout.readback);
  EXPECT_EQ(vk::choose_memory_type(properties, 0, vk::Intent::weights), -1);
}

constexpr VkMemoryHeapFlags on_device = VK_MEMORY_HEAP_DEVICE_LOCAL_BIT;
INSTANTIATE_TEST_SUITE_P(
    , MemoryTypes,
    ::testing::Values(
        Layout{"NvidiaSmallBar",
               {on_device, 0, on_device},
               {{0, 1}, {local, 0}, {visible | coherent, 1}, {visible | coherent | cached, 1}, {local | visible | coherent, 2}},
               1,
               2,
               2,
               3},
        Layout{"NvidiaResizableBar",
               {on_device, 0},
               {{0, 1}, {local, 0}, {visible | coherent, 1}, {visible | coherent | cached, 1}, {local | visible | coherent, 0}},
               1,
               2,
               2,
               3},
        Layout{"AmdDiscrete",
               {on_device, 0},
               {{local, 0},
                {local, 0},
                {visible | coherent, 1},
                {local | visible | coherent, 0},
                {local | visible | coherent, 0},
                {visible | coherent | cached, 1}},
               0,
               2,
               2,
               5},
        Layout{
            "AmdDiscreteSmallBar",
            {on_device, 0, on_device},
            {{local, 0}, {visible | coherent, 1}, {local | visible | coherent, 2}, {visible | coherent | cached, 1}, {local | hidden, 0}},
            0,
            1,
            1,
            3},
        Layout{"AmdIntegrated",
               {0, on_device},
               {{local, 1}, {visible | coherent, 0}, {local | visible | coherent, 1}, {visible | coherent | cached, 0}},
               0,
               1,
               1,
               3},
        Layout{"IntelArc", {on_device, 0}, {{local, 0}, {visible | coherent | cached, 1}, {local | visible | coherent, 0}}, 0, 1, 2, 1},
        Layout{"IntelIntegrated", {on_device}, {{local | visible | coherent, 0}, {local | visible | coherent | cached, 0}}, 0, 0, 0, 1},
        Layout{"Apple", {on_device}, {{local | lazy, 0}, {local, 0}, {local | visible | coherent | cached, 0}}, 1, 2, 2, 2},
        Layout{"Lavapipe", {on_device}, {{local | visible | coherent | cached, 0}}, 0, 0, 0, 0}),
    [](const auto& info) { return info.param.name; });

// --- a discrete card, played by the device under test -------------------------------------------

/// Two heaps, one of them the host's, whatever the device has; and a driver that may promise more than it gives.
/// While it lives, only Memory objects made meanwhile may allocate.
class DiscreteCard {
 public:
  explicit DiscreteCard(uint64_t says_bytes) : says(says_bytes), gives(says_bytes), api_(engine().instance->api()), real_(api_) {
    VkPhysicalDeviceMemoryProperties properties;
    real_.vkGetPhysicalDeviceMemoryProperties(engine().device->physical(), &properties);
    device_type_ = static_cast<uint32_t>(vk::choose_memory_type(properties, ~0u, vk::Intent::weights));
    host_type_ = static_cast<uint32_t>(vk::choose_memory_type(properties, ~0u, vk::Intent::readback));
    active = this;
    api_.vkGetPhysicalDeviceMemoryProperties = describe;
    api_.vkGetPhysicalDeviceMemoryProperties2 = describe2;
    api_.vkGetBufferMemoryRequirements = requirements;
    api_.vkAllocateMemory = allocate;
    api_.vkFreeMemory = free;
    api_.vkQueueSubmit = submit;
    api_.vkCmdCopyBuffer = copy;
  }
  ~DiscreteCard() {
    api_ = real_;
    active = nullptr;
  }
  DiscreteCard(const DiscreteCard&) = delete;
  DiscreteCard& operator=(const DiscreteCard&) = delete;

  uint64_t held() const {
    return std::accumulate(sizes_.begin(), sizes_.end(), uint64_t{0}, [](uint64_t sum, const auto& entry) { return sum + entry.second; });
  }

  uint64_t says, gives;  ///< bytes of the device's own memory
  int submissions = 0;
  uint64_t copied_bytes = 0;

 private:
  static void fill(VkPhysicalDeviceMemoryProperties* properties) {
    *properties = {};
    properties->memoryHeapCount = 2;
    properties->memoryHeaps[0] = {active->says, VK_MEMORY_HEAP_DEVICE_LOCAL_BIT};
    properties->memoryHeaps[1] = {gib, 0};
    properties->memoryTypeCount = 3;
    properties->memoryTypes[0] = {local, 0};
    properties->memoryTypes[1] = {visible | coherent, 1};
    properties->memoryTypes[2] = {visible | coherent | cached, 1};
  }
  static VKAPI_ATTR void VKAPI_CALL describe(VkPhysicalDevice, VkPhysicalDeviceMemoryProperties* properties) { fill(properties); }
  static VKAPI_ATTR void VKAPI_CALL describe2(VkPhysicalDevice, VkPhysicalDeviceMemoryProperties2* properties) {
    fill(&properties->memoryProperties);
    for (auto* next = static_cast<VkBaseOutStructure*>(properties->pNext); next; next = next->pNext) {
      if (next->sType != VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT) continue;
      auto* budget = reinterpret_cast<VkPhysicalDeviceMemoryBudgetPropertiesEXT*>(next);
      budget->heapBudget[0] = active->says;
      budget->heapUsage[0] = active->held();
      budget->heapBudget[1] = gib;
      budget->heapUsage[1] = 0;
    }
  }
  static VKAPI_ATTR void VKAPI_CALL requirements(VkDevice device, VkBuffer buffer, VkMemoryRequirements* needs) {
    active->real_.vkGetBufferMemoryRequirements(device, buffer, needs);
    needs->memoryTypeBits = 7;
  }
  static VKAPI_ATTR VkResult VKAPI_CALL allocate(VkDevice device, const VkMemoryAllocateInfo* info, const VkAllocationCallbacks* callbacks,
                                                 VkDeviceMemory* memory) {
    const bool device_local = info->memoryTypeIndex == 0;
    if (device_local && active->held() + info->allocationSize > active->gives) return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    VkMemoryAllocateInfo real = *info;
    real.memoryTypeIndex = device_local ? active->device_type_ : active->host_type_;
    const VkResult result = active->real_.vkAllocateMemory(device, &real, callbacks, memory);
    if (result == VK_SUCCESS && device_local) active->sizes_[*memory] = info->allocationSize;
    return result;
  }
  static VKAPI_ATTR void VKAPI_CALL free(VkDevice device, VkDeviceMemory memory, const VkAllocationCallbacks* callbacks) {
    active->sizes_.erase(memory);
    active->real_.vkFreeMemory(device, memory, callbacks);
  }
  static VKAPI_ATTR VkResult VKAPI_CALL submit(VkQueue queue, uint32_t count, const VkSubmitInfo* infos, VkFence fence) {
    ++active->submissions;
    return active->real_.vkQueueSubmit(queue, count, infos, fence);
  }

  static VKAPI_ATTR void VKAPI_CALL copy(VkCommandBuffer commands, VkBuffer from, VkBuffer to, uint32_t count,
                                         const VkBufferCopy* regions) {
    for (uint32_t i = 0; i < count; ++i) active->copied_bytes += regions[i].size;
    active->real_.vkCmdCopyBuffer(commands, from, to, count, regions);
  }

  static inline DiscreteCard* active = nullptr;
  vk::Api& api_;
  vk::Api real_;
  uint32_t device_type_ = 0, host_type_ = 0;
  std::map<VkDeviceMemory, uint64_t> sizes_;
};

void expect_error(ErrorCode code, const std::function<void()>& action) {
  try {
    action();
    ADD_FAILURE() << "nothing was thrown; expected " << to_string(code);
  } catch (const Error& error) {
    EXPECT_STREQ(to_string(error.code()), to_string(code)) << error.what();
    EXPECT_FALSE(error.next_step().empty()) << error.what();
  }
}

/// Takes what is left of the device, to the last slot.
std::vector<vk::Buffer> fill_up(vk::Memory& memory, DiscreteCard& card) {
  card.gives = card.held();
  std::vector<vk::Buffer> taken;
  for (uint64_t size = mib; size >= 256; size /= 16) {
    try {
      while (true) taken.push_back(memory.allocate(size, vk::Intent::activations));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::device_out_of_memory) << error.what();
    }
  }
  return taken;
}

// --- memory -------------------------------------------------------------------------------------

TEST(HostWeights, AreCountedApartAndMapped) {
  vk::Memory memory(*engine().device, 64 * mib, 64 * mib);
  const vk::Buffer device = memory.allocate(mib, vk::Intent::weights), host = memory.allocate(40 * mib, vk::Intent::host_weights);
  EXPECT_EQ(device.mapped(), nullptr);
  ASSERT_NE(host.mapped(), nullptr);
  EXPECT_EQ(memory.use().device_bytes, 64 * mib);
  EXPECT_EQ(memory.use().host_weight_bytes, 40 * mib);
  EXPECT_EQ(memory.use().host_visible_bytes, 0u);
  EXPECT_EQ(host.slice().over_bus, memory.host_is_apart());
  EXPECT_EQ(host.slice().part(256, 256).over_bus, memory.host_is_apart());
  EXPECT_FALSE(device.slice().over_bus);
  expect_error(ErrorCode::host_out_of_memory, [&] { memory.allocate(25 * mib, vk::Intent::host_weights); });
}

TEST(HostWeights, WhereOneHeapServesBothTheHostGetsWhatTheDeviceLeaves) {
  const vk::Memory whole(*engine().device, 0);
  if (whole.host_is_apart()) GTEST_SKIP() << "SKIPPED: " << engine().device->info().name << " has memory of its own";
  EXPECT_EQ(whole.host_budget_bytes(), 0u);
  const vk::Memory half(*engine().device, whole.budget_bytes() / 2);
  // The driver may count anew in between.
  EXPECT_NEAR(static_cast<double>(half.budget_bytes() + half.host_budget_bytes()), static_cast<double>(whole.budget_bytes()),
              0.1 * static_cast<double>(whole.budget_bytes()));
}

TEST(HostWeights, ACardHasTwoBudgets) {
  DiscreteCard card(100 * mib);
  vk::Memory memory(*engine().device, 0);
  EXPECT_TRUE(memory.host_is_apart());
  EXPECT_EQ(memory.budget_bytes(), 90 * mib);
  EXPECT_EQ(memory.host_budget_bytes(), gib / 10 * 9);
  const vk::Buffer host = memory.allocate(mib, vk::Intent::host_weights);
  EXPECT_TRUE(host.slice().over_bus);
  EXPECT_EQ(card.held(), 0u);
  expect_error(ErrorCode::device_out_of_memory, [&] { memory.allocate(50 * mib, vk::Intent::weights, 50 * mib); });
  const vk::Buffer device = memory.allocate(50 * mib, vk::Intent::weights, 40 * mib);
  EXPECT_EQ(card.held(), 50 * mib);
}

TEST(HostWeights, APromiseThatWasBrokenIsNotCountedOnAgain) {
  DiscreteCard card(100 * mib);
  card.gives = 48 * mib;
  vk::Memory memory(*engine().device, 0);
  const vk::Buffer first = memory.allocate(40 * mib, vk::Intent::weights);
  expect_error(ErrorCode::device_out_of_memory, [&] { memory.allocate(40 * mib, vk::Intent::weights); });
  EXPECT_EQ(memory.budget_bytes(), 40 * mib);
  memory.refresh_budgets();
  EXPECT_EQ(memory.budget_bytes(), 40 * mib);
  EXPECT_EQ(memory.host_budget_bytes(), gib / 10 * 9);
}

// --- models -------------------------------------------------------------------------------------

std::atomic<bool> cancel_flag{false};

struct Source {
  std::string name;
  ModelSource place;
};
void PrintTo(const Source& source, std::ostream* out) { *out << source.name; }

const Source published{"Published", test::reference() / "tiny"};
const Source quantised{"Quantised", std::vector<std::filesystem::path>{test::reference() / "gguf/unified-q4_0.gguf"}};

PreparedImage picture(uint64_t seed) {
  Random random(seed);
  PreparedImage image{"picture " + std::to_string(seed), {}, 2, 2};
  for (size_t i = 0; i < 2 * 56 * 56 * 3; ++i) image.tiles.push_back(static_cast<uint8_t>(random.below(256)));
  return image;
}

/// A picture after some text, and more rows than the matrix-vector kernels take.
Prompt question(uint64_t seed = 1) {
  Prompt prompt;
  for (uint32_t i = 0; i < 5; ++i) prompt.tokens.push_back(i + 60);
  prompt.tokens.push_back(320);
  for (uint32_t i = 0; i < 90; ++i) prompt.tokens.push_back(i * 7 % 240);
  prompt.images.push_back(picture(seed));
  return prompt;
}

std::unique_ptr<Session> open_session(const ModelFiles& files, vk::Memory& memory, const LoadPlan& plan, uint32_t context = 256,
                                      Activations activations = Activations::f32) {
  cancel_flag = false;
  auto& e = engine();
  return std::make_unique<Session>(*e.device, memory, *e.pipelines, load_model(files, *e.device, memory, plan, nullptr, nullptr),
                                   activations, context, cancel_flag);
}

GenerateRequest greedy(const Prompt& prompt) { return {prompt, 8, {}, {}, 0}; }

void expect_same_trace(const TraceResult& found, const TraceResult& expected, const std::string& what) {
  test::expect_same(found.vision_output, expected.vision_output, what + ": vision output");
  test::expect_same(found.cross_attention_states, expected.cross_attention_states, what + ": cross-attention states");
  test::expect_same(found.logits, expected.logits, what + ": logits");
  test::expect_same(found.greedy_logits, expected.greedy_logits, what + ": logits of decode steps");
}

class Mixes : public ::testing::TestWithParam<Source> {};

TEST_P(Mixes, ComputeTheSame) {
  const ModelFiles files = open_model(GetParam().place);
  const WeightSizes sizes = weight_sizes(files);
  ASSERT_EQ(sizes.layers.size(), 6u);
  ASSERT_TRUE(sizes.layers[1].cross && sizes.layers[4].cross && !sizes.layers[0].cross);
  vk::Memory usual(*engine().device, 0);
  const auto reference = open_session(files, usual, {});
  const TraceResult expected = reference->trace(question(), 4);
  EXPECT_EQ(reference->model().placement.host_bytes, 0u);
  EXPECT_TRUE(reference->model().placement.as_planned);
  EXPECT_NEAR(static_cast<double>(reference->model().placement.device_bytes), static_cast<double>(sizes.total()),
              0.02 * static_cast<double>(sizes.total()));

  const LoadPlan everything{{0, 1, 2, 3, 4, 5}, true};
  for (const bool as_card : {true, false})
    for (const LoadPlan& plan :
         as_card ? std::vector{LoadPlan{}, LoadPlan{{0}, false}, LoadPlan{{1}, true}, LoadPlan{{2, 4, 5}, false}, everything}
                 : std::vector{everything}) {
      const std::string what = std::to_string(plan.host_layers.size()) + " layers in host memory" + (as_card ? " of a card" : "");
      std::optional<DiscreteCard> card;
      if (as_card) card.emplace(gib);
      vk::Memory memory(*engine().device, as_card ? 0 : 256 * mib, as_card ? 0 : 256 * mib);
      const auto session = open_session(files, memory, plan);
      const Placement& placement = session->model().placement;
      EXPECT_TRUE(placement.as_planned) << what;
      EXPECT_EQ(std::set<uint32_t>(placement.host_layers.begin(), placement.host_layers.end()), plan.host_layers) << what;
      EXPECT_EQ(placement.embedding_on_host, plan.embedding_on_host) << what;
      EXPECT_FALSE(placement.output_on_host || placement.vision_on_host) << what;
      EXPECT_EQ(placement.device_bytes + placement.host_bytes, reference->model().placement.device_bytes) << what;
      uint64_t wanted = plan.embedding_on_host ? sizes.embedding : 0;
      for (const uint32_t layer : plan.host_layers) wanted += sizes.layers[layer].bytes;
      EXPECT_NEAR(static_cast<double>(placement.host_bytes), static_cast<double>(wanted), 0.02 * static_cast<double>(sizes.total()))
          << what;
      EXPECT_EQ(memory.use().host_weight_bytes > 0, wanted > 0) << what;
      expect_same_trace(session->trace(question(), 4), expected, what);
    }
}

TEST_P(Mixes, ComputeTheSameWithHalves) {
  if (!ops::has_half_matmul(*engine().device, *engine().pipelines))
    GTEST_SKIP() << "SKIPPED: " << engine().device->info().name << " has no cooperative matrices that the engine can use";
  const ModelFiles files = open_model(GetParam().place);
  DiscreteCard card(gib);
  vk::Memory memory(*engine().device, 0);
  const TraceResult expected = open_session(files, memory, {}, 256, Activations::f16)->trace(question(), 4);
  const auto session = open_session(files, memory, {{0, 1, 2, 3, 4, 5}, true}, 256, Activations::f16);
  expect_same_trace(session->trace(question(), 4), expected, "all layers in host memory");
}

INSTANTIATE_TEST_SUITE_P(, Mixes, ::testing::Values(published, quantised), [](const auto& info) { return info.param.name; });

TEST(Placement, WhatDoesNotFitGoesToTheHost) {
  const ModelFiles files = open_model(published.place);
  vk::Memory usual(*engine().device, 0);
  const TraceResult expected = open_session(files, usual, {})->trace(question(), 4);
  for (const uint64_t room : {uint64_t{0}, 2 * mib, 4 * mib}) {
    DiscreteCard card(gib);
    vk::Memory memory(*engine().device, 40 * mib + room);
    const auto session = open_session(files, memory, {{}, false, 40 * mib});
    const Placement& placement = session->model().placement;
    EXPECT_FALSE(placement.as_planned);
    EXPECT_LE(placement.device_bytes, room);
    EXPECT_GE(placement.device_bytes, room - room / 4);
    EXPECT_GT(placement.host_bytes, 0u);
    EXPECT_FALSE(placement.host_layers.empty());
    EXPECT_LE(memory.use().device_bytes, memory.budget_bytes());
    expect_same_trace(session->trace(question(), 4), expected, std::to_string(room >> 20) + " MiB for weights");
    EXPECT_LE(memory.use().device_peak_bytes, memory.budget_bytes());
  }
}

TEST(Placement, ADriverThatGivesLessThanItSaysEndsNoLoad) {
  const ModelFiles files = open_model(quantised.place);
  const uint64_t total = weight_sizes(files).total();
  DiscreteCard card(60 * mib);  // less than a shared block, so that every matrix is an allocation
  card.gives = total / 2;
  vk::Memory memory(*engine().device, 0);
  const Model model = load_model(files, *engine().device, memory, {}, nullptr, nullptr);
  EXPECT_FALSE(model.placement.as_planned);
  EXPECT_GT(model.placement.device_bytes, total / 4);
  EXPECT_LE(model.placement.device_bytes, card.gives);
  EXPECT_NEAR(static_cast<double>(model.placement.device_bytes + model.placement.host_bytes), static_cast<double>(total),
              0.03 * static_cast<double>(total));
  EXPECT_LE(memory.budget_bytes(), card.gives);
}

TEST(Placement, AFullDeviceEndsARequestAndAnotherLoadLeavesRoom) {
  const ModelFiles files = open_model(published.place);
  vk::Memory usual(*engine().device, 0);
  const std::vector<uint32_t> expected = open_session(files, usual, {})->generate(greedy(question()), {}).tokens;
  DiscreteCard card(gib);
  vk::Memory memory(*engine().device, 0);
  auto session = open_session(files, memory, {});
  {
    const std::vector<vk::Buffer> others = fill_up(memory, card);
    for (int i = 0; i < 2; ++i) expect_error(ErrorCode::device_out_of_memory, [&] { session->generate(greedy(question()), {}); });
  }
  // What others gave back is there again.
  EXPECT_EQ(session->generate(greedy(question()), {}).tokens, expected);
  session.reset();
  memory.refresh_budgets();
  EXPECT_LE(memory.budget_bytes(), card.gives);
  session = open_session(files, memory, {{}, false, working_sizes(files.config, false).total(256)});
  EXPECT_EQ(session->generate(greedy(question()), {}).tokens, expected);
}

TEST(Placement, PicturesThatAreOnlyKeptMakeRoom) {
  const ModelFiles files = open_model(published.place);
  vk::Memory usual(*engine().device, 0);
  const std::vector<uint32_t> expected = open_session(files, usual, {})->generate(greedy(question(2)), {}).tokens;
  DiscreteCard card(gib);
  vk::Memory memory(*engine().device, 0);
  const auto session = open_session(files, memory, {});
  session->generate(greedy(question(1)), {});
  const uint64_t one_picture = session->cross_kv_bytes();
  const std::vector<vk::Buffer> others = fill_up(memory, card);
  const GenerateResult second = session->generate(greedy(question(2)), {});
  EXPECT_EQ(second.statistics.images_encoded, 1u);
  EXPECT_EQ(second.tokens, expected);
  EXPECT_EQ(session->cross_kv_bytes(), one_picture);
}

TEST(Placement, WhatAConversationTakesIsKnownBefore) {
  const ModelFiles files = open_model(published.place);
  DiscreteCard card(gib);
  vk::Memory memory(*engine().device, 0);
  constexpr uint32_t context = 1024;
  const auto session = open_session(files, memory, {}, context);
  const uint64_t before = memory.use().device_bytes;
  Prompt prompt = question();
  while (prompt.tokens.size() < context - 10) prompt.tokens.push_back(17);
  session->generate({prompt, 20, {}, {}, 0}, {});
  const WorkingSizes sizes = working_sizes(files.config, false);
  EXPECT_LE(memory.use().device_peak_bytes - before, sizes.total(context));
  EXPECT_LE(session->self_kv_bytes(), sizes.self_kv_per_token * context);
  EXPECT_EQ(session->cross_kv_bytes(), sizes.cross_kv / 2) << "two tiles of four";
}

TEST(Placement, ReadsOverTheBusAreCutIntoSubmissions) {
  const ModelFiles files = open_model(published.place);
  DiscreteCard card(gib);
  vk::Quirks& quirks = const_cast<vk::Quirks&>(engine().device->quirks());
  const vk::Quirks real = quirks;
  quirks.assumed_bus_bandwidth = 1e6;  // the layers' five megabytes: a hundred submissions
  const auto count = [&](const LoadPlan& plan) {
    vk::Memory memory(*engine().device, 0);
    const auto session = open_session(files, memory, plan);
    const int before = card.submissions;
    session->generate({{{1, 2, 3, 4}, {}}, 2, {}, {}, 0}, {});
    return card.submissions - before;
  };
  const int on_device = count({}), on_host = count({{0, 1, 2, 3, 4, 5}, false});
  quirks = real;
  EXPECT_GT(on_host, on_device + 10);
}

TEST(Placement, ALongPromptTakesWeightsOverTheBusOnce) {
  const ModelFiles files = open_model(published.place);
  DiscreteCard card(gib);
  const auto copied = [&](const LoadPlan& plan, uint32_t rows) {
    vk::Memory memory(*engine().device, 0);
    const auto session = open_session(files, memory, plan);
    Prompt prompt;
    for (uint32_t i = 0; i < rows; ++i) prompt.tokens.push_back(i % 240);
    const uint64_t before = card.copied_bytes;
    session->generate({prompt, 1, {}, {}, 0}, {});
    return card.copied_bytes - before;
  };
  const LoadPlan on_host{{0, 1, 2, 3, 4, 5}, false};
  uint64_t read = 0;  // cross-attention layers are not, without a picture
  for (const WeightSizes::Layer& layer : weight_sizes(files).layers) read += layer.cross ? 0 : layer.bytes;
  const uint64_t extra = copied(on_host, 200) - copied({}, 200);
  EXPECT_NEAR(static_cast<double>(extra), static_cast<double>(read), 0.02 * static_cast<double>(read));
  EXPECT_EQ(copied(on_host, 60), copied({}, 60)) << "few rows read them where they lie";
}

}  // namespace
}  // namespace loupe
