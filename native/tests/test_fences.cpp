// A driver whose fences signal late, or never: how long the engine waits, what it reports, and what it does not free.

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <limits>
#include <memory>

#include "base/activity.h"
#include "base/error.h"
#include "support.h"
#include "vk/command.h"

namespace loupe::test {
namespace {

/// An engine of its own, because a device that has hung is of no use afterwards. Its fences answer what the test says.
class Fences : public ::testing::Test {
 protected:
  Fences() {
    instance = std::make_shared<vk::Instance>(false);
    device = std::make_unique<vk::Device>(instance, engine().device->info());
    memory = std::make_unique<vk::Memory>(*device, 0);
    recorder = std::make_unique<vk::Recorder>(*device, vk::Recorder::Mode::immediate);
    recorder->set_cancel(&cancel);
    from = memory->allocate(256, vk::Intent::upload);
    to = memory->allocate(256, vk::Intent::readback);
    quirks().fence_slices = 20;
    quirks().unwanted_fence_slices = 5;
    vk::Api& api = instance->api();
    real = api;
    active = this;
    api.vkWaitForFences = wait;
    api.vkDestroyFence = destroy_fence;
    api.vkFreeMemory = free_memory;
    api.vkDestroyDevice = destroy_device;
  }
  ~Fences() override {
    release();
    active = nullptr;
  }

  /// All that is held of the device.
  void release() {
    recorder.reset();
    from = vk::Buffer();
    to = vk::Buffer();
    memory.reset();
    device.reset();
  }
  vk::Quirks& quirks() { return const_cast<vk::Quirks&>(device->quirks()); }
  void submit() {
    recorder->copy(from.slice(), to.slice());
    recorder->flush();
  }
  ErrorCode failure_of(const std::function<void()>& action) {
    try {
      action();
    } catch (const Error& error) {
      message = error.what();
      return error.code();
    }
    ADD_FAILURE() << "nothing was thrown";
    return ErrorCode::internal;
  }

  std::shared_ptr<vk::Instance> instance;
  std::unique_ptr<vk::Device> device;
  std::unique_ptr<vk::Memory> memory;
  std::unique_ptr<vk::Recorder> recorder;
  vk::Buffer from, to;
  std::atomic<bool> cancel{false};
  std::string message;

  std::function<VkResult()> answer;  ///< in place of the driver; VK_INCOMPLETE = ask the driver
  int waits = 0, freed = 0;
  bool was_waiting = false;
  uint64_t longest_wait_ns = 0;

 private:
  static VKAPI_ATTR VkResult VKAPI_CALL wait(VkDevice handle, uint32_t count, const VkFence* fences, VkBool32 all, uint64_t timeout) {
    ++active->waits;
    active->longest_wait_ns = std::max(active->longest_wait_ns, timeout);
    active->was_waiting = active->was_waiting || activity::waiting();
    const VkResult scripted = active->answer ? active->answer() : VK_INCOMPLETE;
    return scripted == VK_INCOMPLETE ? active->real.vkWaitForFences(handle, count, fences, all, std::numeric_limits<uint64_t>::max())
                                     : scripted;
  }
  static VKAPI_ATTR void VKAPI_CALL destroy_fence(VkDevice handle, VkFence fence, const VkAllocationCallbacks* callbacks) {
    ++active->freed;
    active->real.vkDestroyFence(handle, fence, callbacks);
  }
  static VKAPI_ATTR void VKAPI_CALL free_memory(VkDevice handle, VkDeviceMemory block, const VkAllocationCallbacks* callbacks) {
    ++active->freed;
    active->real.vkFreeMemory(handle, block, callbacks);
  }
  static VKAPI_ATTR void VKAPI_CALL destroy_device(VkDevice handle, const VkAllocationCallbacks* callbacks) {
    ++active->freed;
    active->real.vkDestroyDevice(handle, callbacks);
  }

  static inline Fences* active = nullptr;
  vk::Api real;
};

TEST_F(Fences, ALateOneIsWaitedForInSlices) {
  int left = 15;
  answer = [&] { return --left >= 0 ? VK_TIMEOUT : VK_INCOMPLETE; };
  const uint64_t steps = activity::steps();
  submit();
  recorder->sync();
  EXPECT_EQ(waits, 16);
  EXPECT_LE(longest_wait_ns, 1'000'000'000u) << "never endlessly";
  EXPECT_TRUE(was_waiting) << "whoever watches hears of it";
  EXPECT_FALSE(activity::waiting());
  EXPECT_EQ(activity::steps(), steps + 1);
  EXPECT_FALSE(device->hung());
}

TEST_F(Fences, OneThatNeverAnswersIsALostDeviceAndNothingIsFreed) {
  answer = [] { return VK_TIMEOUT; };
  submit();
  EXPECT_EQ(failure_of([&] { recorder->sync(); }), ErrorCode::device_lost);
  EXPECT_NE(message.find(device->info().name + " stands still"), std::string::npos) << message;
  EXPECT_EQ(waits, 21);
  EXPECT_TRUE(device->hung());
  // Nobody waits for it again, and what it may still use stays.
  recorder->abandon();
  release();
  EXPECT_EQ(waits, 21);
  EXPECT_EQ(freed, 0);
}

TEST_F(Fences, WhatNobodyWantsAnyMoreIsWaitedForLess) {
  answer = [&] {
    cancel = waits >= 2;
    return VK_TIMEOUT;
  };
  submit();
  EXPECT_EQ(failure_of([&] { recorder->sync(); }), ErrorCode::device_lost);
  EXPECT_EQ(waits, 6);
}

TEST_F(Fences, ALossThatComesWhileWaitingIsSaidAtOnce) {
  answer = [&] { return waits < 4 ? VK_TIMEOUT : VK_ERROR_DEVICE_LOST; };
  submit();
  EXPECT_EQ(failure_of([&] { recorder->sync(); }), ErrorCode::device_lost);
  EXPECT_EQ(waits, 4);
  EXPECT_FALSE(device->hung());
  answer = nullptr;
}

TEST_F(Fences, AbandoningADeviceThatNeverAnswersEnds) {
  answer = [] { return VK_TIMEOUT; };
  submit();
  recorder->abandon();
  EXPECT_TRUE(device->hung());
  EXPECT_EQ(waits, 21);
}

}  // namespace
}  // namespace loupe::test
