// What stays alive, and what is forgotten, when work ends half-way: cancelled, refused, or lost with its device.

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>

#include "base/error.h"
#include "fixtures.h"
#include "model/upload.h"
#include "session/session.h"
#include "support.h"

namespace loupe {
namespace {

using test::engine;

/// Listens in on the driver, and may answer in its place. While it lives, no other test's Vulkan calls may run.
class Driver {
 public:
  Driver() : api_(engine().instance->api()), real_(api_) {
    active = this;
    api_.vkQueueSubmit = submit;
    api_.vkWaitForFences = wait;
    api_.vkDestroyBuffer = destroy_buffer;
    api_.vkCmdCopyBuffer = copy;
    api_.vkCmdDispatch = dispatch;
    api_.vkMapMemory = map;
    api_.vkBindBufferMemory = bind;
    api_.vkUpdateDescriptorSets = update;
  }
  ~Driver() {
    api_ = real_;
    active = nullptr;
  }
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  std::function<bool()> loses_submission;      ///< true = the device is lost instead
  std::function<void()> on_copy, on_dispatch;  ///< while recording
  int submissions = 0;
  size_t most_in_flight = 0;
  size_t in_flight() const { return pending_.size(); }
  /// Buffers in memory that the host has mapped since, by what dispatches name.
  std::set<VkBuffer> mapped_and_bound;
  int destroyed_in_flight = 0;  ///< buffers destroyed before the host waited for all submissions

 private:
  static VKAPI_ATTR VkResult VKAPI_CALL submit(VkQueue queue, uint32_t count, const VkSubmitInfo* infos, VkFence fence) {
    if (active->loses_submission && active->loses_submission()) return VK_ERROR_DEVICE_LOST;
    ++active->submissions;
    active->pending_.insert(fence);
    active->most_in_flight = std::max(active->most_in_flight, active->pending_.size());
    return active->real_.vkQueueSubmit(queue, count, infos, fence);
  }
  static VKAPI_ATTR VkResult VKAPI_CALL wait(VkDevice device, uint32_t count, const VkFence* fences, VkBool32 all, uint64_t timeout) {
    for (uint32_t i = 0; i < count; ++i) active->pending_.erase(fences[i]);
    return active->real_.vkWaitForFences(device, count, fences, all, timeout);
  }
  static VKAPI_ATTR void VKAPI_CALL destroy_buffer(VkDevice device, VkBuffer buffer, const VkAllocationCallbacks* callbacks) {
    if (!active->pending_.empty()) ++active->destroyed_in_flight;
    active->mapped_.erase(buffer);
    active->memory_of_.erase(buffer);
    active->real_.vkDestroyBuffer(device, buffer, callbacks);
  }
  static VKAPI_ATTR void VKAPI_CALL copy(VkCommandBuffer commands, VkBuffer from, VkBuffer to, uint32_t count,
                                         const VkBufferCopy* regions) {
    if (active->on_copy) active->on_copy();
    active->real_.vkCmdCopyBuffer(commands, from, to, count, regions);
  }
  static VKAPI_ATTR void VKAPI_CALL dispatch(VkCommandBuffer commands, uint32_t x, uint32_t y, uint32_t z) {
    if (active->on_dispatch) active->on_dispatch();
    active->real_.vkCmdDispatch(commands, x, y, z);
  }

  static VKAPI_ATTR VkResult VKAPI_CALL map(VkDevice device, VkDeviceMemory memory, VkDeviceSize offset, VkDeviceSize size,
                                            VkMemoryMapFlags flags, void** address) {
    for (const auto& [buffer, where] : active->memory_of_)
      if (where == memory) active->mapped_.insert(buffer);
    return active->real_.vkMapMemory(device, memory, offset, size, flags, address);
  }
  static VKAPI_ATTR VkResult VKAPI_CALL bind(VkDevice device, VkBuffer buffer, VkDeviceMemory memory, VkDeviceSize offset) {
    active->memory_of_[buffer] = memory;
    return active->real_.vkBindBufferMemory(device, buffer, memory, offset);
  }
  static VKAPI_ATTR void VKAPI_CALL update(VkDevice device, uint32_t count, const VkWriteDescriptorSet* writes, uint32_t copies,
                                           const VkCopyDescriptorSet* copied) {
    for (uint32_t i = 0; i < count; ++i)
      if (active->mapped_.contains(writes[i].pBufferInfo->buffer)) active->mapped_and_bound.insert(writes[i].pBufferInfo->buffer);
    active->real_.vkUpdateDescriptorSets(device, count, writes, copies, copied);
  }

  static inline Driver* active = nullptr;
  vk::Api& api_;
  vk::Api real_;
  std::set<VkFence> pending_;
  std::map<VkBuffer, VkDeviceMemory> memory_of_;
  std::set<VkBuffer> mapped_;
};

/// As many steps in flight as a card has, whatever the device here.
class StepsInFlight {
 public:
  explicit StepsInFlight(uint32_t count) { quirks_.steps_in_flight = count; }
  ~StepsInFlight() { quirks_.steps_in_flight = real_; }
  StepsInFlight(const StepsInFlight&) = delete;
  StepsInFlight& operator=(const StepsInFlight&) = delete;

 private:
  vk::Quirks& quirks_ = const_cast<vk::Quirks&>(engine().device->quirks());
  uint32_t real_ = quirks_.steps_in_flight;
};

std::filesystem::path tiny() { return test::reference() / "tiny"; }

std::atomic<bool> cancel_flag{false};

std::unique_ptr<Session> open_session(vk::Memory& memory) {
  cancel_flag = false;
  auto& e = engine();
  return std::make_unique<Session>(*e.device, memory, *e.pipelines, load_model(tiny(), *e.device, memory, nullptr, nullptr),
                                   Activations::f32, 2048, cancel_flag);
}

GenerateRequest request(uint32_t tokens, uint32_t max_tokens, uint32_t first = 1) {
  GenerateRequest r;
  for (uint32_t i = 0; i < tokens; ++i) r.prompt.tokens.push_back(first + i * 7 % 240);
  r.max_tokens = max_tokens;
  return r;
}

std::vector<uint32_t> expected_tokens(const GenerateRequest& r) { return open_session(*engine().memory)->generate(r, {}).tokens; }

TEST(Lifetimes, ARefusedTensorWaitsForTheCopiesBeforeIt) {
  // "a" fills both staging buffers, so that copies into it are in flight when "b" is refused for its shape.
  const auto folder =
      std::filesystem::temp_directory_path() / ("loupe-lifetimes-" + std::to_string(::testing::UnitTest::GetInstance()->random_seed()));
  std::filesystem::create_directories(folder);
  constexpr uint64_t rows = 24 << 10, bytes = rows * 1024 * 4;
  const std::string header = R"({"a":{"dtype":"F32","shape":[)" + std::to_string(rows) + R"(,1024],"data_offsets":[0,)" +
                             std::to_string(bytes) + R"(]},"b":{"dtype":"F16","shape":[1,1024],"data_offsets":[)" + std::to_string(bytes) +
                             "," + std::to_string(bytes + 2048) + "]}}";
  {
    std::ofstream file(folder / "model.safetensors", std::ios::binary);
    const uint64_t length = header.size();
    file.write(reinterpret_cast<const char*>(&length), 8);
    file << header;
  }
  std::filesystem::resize_file(folder / "model.safetensors", 8 + header.size() + bytes + 2048);
  {
    const Checkpoint checkpoint = Checkpoint::open(folder);
    vk::Memory memory(*engine().device, 0);
    Driver driver;
    Uploader up(*engine().device, memory, checkpoint, 0, nullptr, nullptr);
    try {
      const Matrix a = up.matrix("a");
      up.interleaved("a", "b");
      ADD_FAILURE() << "two shapes in one matrix";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::checkpoint_shape);
    }
    EXPECT_GE(driver.submissions, 2);
    EXPECT_EQ(driver.destroyed_in_flight, 0);
  }
  std::filesystem::remove_all(folder);
}

TEST(Lifetimes, AStepCancelledWhileItIsRecordedIsRecordedAgain) {
  const GenerateRequest r = request(12, 6);
  const std::vector<uint32_t> expected = expected_tokens(r);
  const auto session = open_session(*engine().memory);
  // So slow a device that every dispatch is a submission of its own, and notices the flag.
  vk::Quirks& quirks = const_cast<vk::Quirks&>(engine().device->quirks());
  const vk::Quirks real = quirks;
  quirks.assumed_bandwidth = quirks.assumed_flops = 1;
  {
    Driver driver;
    int dispatches = -1;  // since the first token
    driver.on_dispatch = [&] { cancel_flag = dispatches >= 0 && ++dispatches == 5; };
    const GenerateResult cut = session->generate(r, {[&](uint32_t) { dispatches = std::max(dispatches, 0); }, nullptr});
    EXPECT_EQ(cut.finish, Finish::cancelled);
    EXPECT_EQ(cut.tokens.size(), 1u);
    EXPECT_EQ(dispatches, 5);
  }
  quirks = real;
  cancel_flag = false;
  EXPECT_EQ(session->generate(r, {}).tokens, expected);
}

// The host looks at a token while the device computes the next one. A penalty is for tokens that the host has seen, so that there the
// next step waits.
TEST(Lifetimes, TheNextStepIsSubmittedBeforeThisOneIsWaitedFor) {
  for (uint32_t count : {1u, 2u})
    for (float penalty : {1.0f, 1.1f}) {
      const StepsInFlight steps(count);
      Driver driver;
      const auto session = open_session(*engine().memory);
      driver.most_in_flight = 0;
      GenerateRequest r = request(12, 8);
      r.speculation = Speculation::off;
      r.sampling.repetition_penalty = penalty;
      EXPECT_EQ(session->generate(r, {}).tokens.size(), 8u);
      EXPECT_EQ(driver.most_in_flight, penalty == 1 ? count : 1) << count << " steps, penalty " << penalty;
      EXPECT_EQ(driver.in_flight(), 0u) << "nothing is computed behind the last token that was asked for";
    }
}

TEST(Lifetimes, AStepBehindTheEndIsNotWaitedForAndHarmsNothing) {
  const GenerateRequest r = request(12, 8);
  const std::vector<uint32_t> expected = expected_tokens(r);
  const StepsInFlight steps(2);
  vk::Memory memory(*engine().device, 0);
  Driver driver;
  auto session = open_session(memory);
  GenerateRequest stopped = r;
  stopped.speculation = Speculation::off;
  stopped.stop_tokens = {expected[4]};
  EXPECT_EQ(session->generate(stopped, {}).finish, Finish::stop);
  EXPECT_EQ(driver.in_flight(), 1u) << "the step of the stop token";
  EXPECT_EQ(session->generate(r, {}).tokens, expected);
  // A cancel is answered when the step that runs is done, not the one behind it, and submits nothing more.
  int submissions = 0;
  uint32_t seen = 0;
  const GenerateResult cut = session->generate(r, {[&](uint32_t) {
                                                     cancel_flag = ++seen == 4;
                                                     submissions = driver.submissions;
                                                   },
                                                   nullptr});
  EXPECT_EQ(cut.finish, Finish::cancelled);
  EXPECT_EQ(cut.tokens.size(), 4u);
  EXPECT_EQ(driver.submissions, submissions);
  EXPECT_EQ(driver.in_flight(), 1u);
  cancel_flag = false;
  EXPECT_EQ(session->generate(r, {}).tokens, expected);
  session->generate(stopped, {});
  EXPECT_EQ(driver.in_flight(), 1u);
  session.reset();
  EXPECT_EQ(driver.destroyed_in_flight, 0);
}

// Position, token, rotations and what a draw depends on come to the device as copies, or are there: no dispatch of a step reads the
// host's memory. What a step does name of it is the word that the host reads back.
TEST(Lifetimes, StepsReadNothingOverTheBus) {
  const StepsInFlight steps(2);
  Driver driver;
  GenerateRequest r = request(12, 8);
  for (const ops::Sampling& sampling : {ops::Sampling{}, ops::Sampling{0.6f, 0, 0.9f, 0, 1}, ops::Sampling{0.6f, 20, 0.9f, 0.1f, 1.1f}})
    for (Speculation speculation : {Speculation::off, Speculation::always}) {
      r.sampling = sampling;
      r.speculation = speculation;
      vk::Memory memory(*engine().device, 0);
      const auto session = open_session(memory);
      uint32_t seen = 0;
      session->generate(r, {[&](uint32_t) {
                              if (++seen == 1) driver.mapped_and_bound.clear();  // of reading the prompt
                            },
                            nullptr});
      EXPECT_EQ(driver.mapped_and_bound.size(), 1u);
    }
}

TEST(Lifetimes, AStepIsForgottenWhenGrowingIsCancelled) {
  const GenerateRequest r = request(20, 6, 5);  // shares no prefix with the one that grows
  const std::vector<uint32_t> expected = expected_tokens(r);
  const auto session = open_session(*engine().memory);
  {
    Driver driver;
    int copies = 0;  // two a layer: the third is the second layer's, when the first has moved
    driver.on_copy = [&] {
      if (++copies == 3) cancel_flag = true;
    };
    EXPECT_EQ(session->generate(request(508, 20), {}).finish, Finish::cancelled);
    EXPECT_EQ(copies, 4);
  }
  cancel_flag = false;
  EXPECT_EQ(session->generate(r, {}).tokens, expected);
}

TEST(Lifetimes, ALostDeviceIsReportedAndNothingIsFreedInFlight) {
  const GenerateRequest r = request(12, 6);
  const std::vector<uint32_t> expected = expected_tokens(r);
  vk::Quirks& quirks = const_cast<vk::Quirks&>(engine().device->quirks());
  const vk::Quirks real = quirks;
  quirks.assumed_bandwidth = quirks.assumed_flops = 1;
  // In prefill, in the replayed step, and in the one behind it.
  for (const auto& [survive, steps] : std::vector<std::pair<int, uint32_t>>{{0, 1}, {1, 1}, {7, 1}, {60, 1}, {150, 1}, {60, 2}, {90, 2}}) {
    quirks.steps_in_flight = steps;
    vk::Memory memory(*engine().device, 0);
    Driver driver;
    auto session = open_session(memory);
    const int before = driver.submissions;
    driver.loses_submission = [&] { return driver.submissions - before >= survive; };
    try {
      session->generate(r, {});
      ADD_FAILURE() << "fewer than " << survive << " submissions";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::device_lost) << error.what();
    }
    driver.loses_submission = nullptr;
    // Nothing was truly lost here, so a session that kept nothing broken still works.
    EXPECT_EQ(session->generate(r, {}).tokens, expected);
    session.reset();
    EXPECT_EQ(driver.destroyed_in_flight, 0);
  }
  quirks = real;
}

}  // namespace
}  // namespace loupe
