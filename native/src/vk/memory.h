#pragma once
// Device memory by intent: large blocks, each one VkDeviceMemory under one VkBuffer, divided first-fit.

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "vk/device.h"

namespace loupe::vk {

/// What the memory is for; the heap follows from it.
enum class Intent {
  weights,       ///< device-local, written once
  host_weights,  ///< written once by the host, read by the device where it lies: over the bus, unless memory is unified
  activations,   ///< device-local, rewritten all the time
  upload,        ///< host writes, device reads once
  readback,      ///< device writes, host reads (cached where possible)
};

/// Index of the memory type for `intent` among those that `allowed` has a bit for; -1 without one.
int choose_memory_type(const VkPhysicalDeviceMemoryProperties& properties, uint32_t allowed, Intent intent);

/// A range of a buffer. `offset` is a multiple of 256, so that every slice can be bound.
struct Slice {
  VkBuffer buffer = VK_NULL_HANDLE;
  uint64_t offset = 0;
  uint64_t size = 0;
  bool over_bus = false;  ///< the device reads it from the host's own memory
  /// `begin` must be a multiple of the device's storage alignment if the result is to be bound.
  Slice part(uint64_t begin, uint64_t length) const { return {buffer, offset + begin, length, over_bus}; }
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
  /// Host address; null unless the intent is host_weights, upload or readback.
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
  uint64_t device_bytes = 0, device_peak_bytes = 0;
  uint64_t host_weight_bytes = 0;
  uint64_t host_visible_bytes = 0;  ///< upload and readback
  uint64_t largest_allocation_bytes = 0;
};

class Memory {
 public:
  /// What device-local memory and weights in host memory may take. 0 takes what the driver reports of the heap, less
  /// 10 %; where both share one heap, the host's part is what the device's leaves.
  Memory(Device& device, uint64_t budget_bytes, uint64_t host_budget_bytes = 0);
  /// Has room for everything and takes none of the device: what lies in it can be named by a rehearsal's dispatches, and nothing else.
  static Memory imaginary(Device& device) { return Memory(device); }
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  /// At least `size` bytes, uninitialised. Throws device_out_of_memory, or host_out_of_memory for host_weights, with
  /// the sizes involved; also when less than `keep_free` of the budget would be left.
  Buffer allocate(uint64_t size, Intent intent, uint64_t keep_free = 0);
  MemoryUse use() const { return use_; }
  uint64_t budget_bytes() const { return budget_bytes_; }
  uint64_t host_budget_bytes() const { return host_budget_bytes_; }
  /// Asks the driver again what there is: other programs come and go. What it once promised and did not give is
  /// never counted on again.
  void refresh_budgets();
  /// Whether host_weights lie in memory that is not the device's own.
  bool host_is_apart() const { return device_heap_ != host_heap_; }
  /// Largest single buffer: at most 1 GiB, and what the driver allows.
  uint64_t max_allocation() const { return max_allocation_; }
  /// Largest range that one binding reaches.
  uint64_t max_binding() const;
  Device& device() { return device_; }
  bool is_imaginary() const { return is_imaginary_; }

 private:
  explicit Memory(Device& device);
  friend class Buffer;
  struct Block {
    VkDeviceMemory memory = VK_NULL_HANDLE;
    VkBuffer buffer = VK_NULL_HANDLE;
    std::byte* mapped = nullptr;
    uint64_t size = 0;
    Intent intent = Intent::weights;
    std::map<uint64_t, uint64_t> free;  ///< offset -> length, never adjacent
  };
  Block& new_block(uint64_t size, Intent intent, uint64_t keep_free);
  void require_room(uint64_t size, Intent intent, uint64_t keep_free) const;
  void destroy(Block& block);
  void release(Block* block, const Slice& slice);
  void count(const Block& block, bool added);
  /// What the heap has for this engine: what the driver says is free, and what we hold of it.
  uint64_t reported(uint32_t heap) const;
  uint64_t held(uint32_t heap) const;

  Device& device_;
  uint64_t configured_bytes_ = 0, configured_host_bytes_ = 0;
  uint64_t budget_bytes_ = 0, host_budget_bytes_ = 0, max_allocation_ = 0;
  bool is_imaginary_ = false;
  uint64_t imagined_ = 0;          ///< blocks so far
  uint64_t overstated_bytes_ = 0;  ///< how much less than reported the device turned out to have
  VkPhysicalDeviceMemoryProperties properties_{};
  uint32_t device_heap_ = 0, host_heap_ = 0;
  std::list<Block> blocks_;
  MemoryUse use_;
};

}  // namespace loupe::vk
