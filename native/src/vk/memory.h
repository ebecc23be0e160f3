#pragma once
// Device memory by intent: large blocks, each one VkDeviceMemory under one VkBuffer, divided first-fit.

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <vector>

#include "vk/device.h"

namespace loupe::vk {

/// What the memory is for; the heap follows from it.
enum class Intent {
  weights,      ///< device-local, written once
  activations,  ///< device-local, rewritten all the time
  upload,       ///< host writes, device reads once
  readback,     ///< device writes, host reads (cached where possible)
};

/// A range of a buffer. `offset` is a multiple of 256, so that every slice can be bound.
struct Slice {
  VkBuffer buffer = VK_NULL_HANDLE;
  uint64_t offset = 0;
  uint64_t size = 0;
  /// `begin` must be a multiple of the device's storage alignment if the result is to be bound.
  Slice part(uint64_t begin, uint64_t length) const { return {buffer, offset + begin, length}; }
  explicit operator bool() const { return buffer != VK_NULL_HANDLE; }
};

class Memory;

/// An allocation; gives its memory back when destroyed.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept { *this = std::move(other); }
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer();

  const Slice& slice() const { return slice_; }
  uint64_t size() const { return slice_.size; }
  explicit operator bool() const { return memory_ != nullptr; }
  /// Host address; null unless the intent is upload or readback.
  template <class T = std::byte>
  T* mapped() const {
    return reinterpret_cast<T*>(mapped_);
  }

 private:
  friend class Memory;
  Memory* memory_ = nullptr;
  void* block_ = nullptr;
  std::byte* mapped_ = nullptr;
  Slice slice_;
};

struct MemoryUse {
  uint64_t device_bytes = 0, device_peak_bytes = 0, host_visible_bytes = 0, largest_allocation_bytes = 0;
};

class Memory {
 public:
  /// `budget_bytes` = 0 takes what the device reports, less 10 %.
  Memory(Device& device, uint64_t budget_bytes);
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  /// At least `size` bytes, uninitialised. Throws device_out_of_memory with the sizes involved.
  Buffer allocate(uint64_t size, Intent intent);
  MemoryUse use() const { return use_; }
  uint64_t budget_bytes() const { return budget_bytes_; }
  /// Largest single buffer: at most 1 GiB, and what the driver allows.
  uint64_t max_allocation() const { return max_allocation_; }
  /// Largest range that one binding reaches.
  uint64_t max_binding() const;
  Device& device() { return device_; }

 private:
  friend class Buffer;
  struct Block {
    VkDeviceMemory memory = VK_NULL_HANDLE;
    VkBuffer buffer = VK_NULL_HANDLE;
    std::byte* mapped = nullptr;
    uint64_t size = 0;
    Intent intent = Intent::weights;
    std::map<uint64_t, uint64_t> free;  ///< offset -> length, never adjacent
  };
  Block& new_block(uint64_t size, Intent intent);
  void destroy(Block& block);
  void release(Block* block, const Slice& slice);
  int memory_type(uint32_t allowed, Intent intent) const;
  void count(const Block& block, bool added);

  Device& device_;
  uint64_t budget_bytes_ = 0, max_allocation_ = 0;
  VkPhysicalDeviceMemoryProperties properties_{};
  std::list<Block> blocks_;
  MemoryUse use_;
};

}  // namespace loupe::vk
