#include "vk/memory.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/error.h"

namespace loupe::vk {
namespace {

constexpr uint64_t alignment = 256;  // the largest minStorageBufferOffsetAlignment that Vulkan permits
constexpr uint64_t gibibyte = uint64_t{1} << 30;
/// More than any device has.
constexpr uint64_t everything = uint64_t{1} << 60;

uint64_t align_up(uint64_t value) { return (value + alignment - 1) / alignment * alignment; }

/// Large matrices get blocks of their own, so that a plan which counts bytes is right to within some MiB.
uint64_t block_bytes(Intent intent) { return intent == Intent::weights || intent == Intent::host_weights ? 64u << 20 : 16u << 20; }

bool on_device(Intent intent) { return intent == Intent::weights || intent == Intent::activations; }

uint64_t with_headroom(uint64_t bytes) { return bytes / 10 * 9; }

}  // namespace

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(memory_, other.memory_);
  std::swap(block_, other.block_);
  std::swap(mapped_, other.mapped_);
  std::swap(slice_, other.slice_);
  return *this;
}

Buffer::~Buffer() {
  if (memory_) memory_->release(static_cast<Memory::Block*>(block_), slice_);
}

int choose_memory_type(const VkPhysicalDeviceMemoryProperties& properties, uint32_t allowed, Intent intent) {
  constexpr VkMemoryPropertyFlags local = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, visible = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT,
                                  coherent = VK_MEMORY_PROPERTY_HOST_COHERENT_BIT, cached = VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
  // Attachments of tilers, and memory that nobody else may read: never a buffer of ours.
  constexpr VkMemoryPropertyFlags never = VK_MEMORY_PROPERTY_LAZILY_ALLOCATED_BIT | VK_MEMORY_PROPERTY_PROTECTED_BIT;
  std::vector<std::pair<VkMemoryPropertyFlags, VkMemoryPropertyFlags>> wishes;  // wanted, unwanted
  switch (intent) {
    case Intent::weights:
    case Intent::activations: wishes = {{local, visible}, {local, 0}}; break;
    // Not cached by the host where possible: reads of the device then need not look into the host's caches.
    case Intent::host_weights:
      wishes = {{visible | coherent, local | cached}, {visible | coherent, local}, {visible | coherent, cached}, {visible | coherent, 0}};
      break;
    case Intent::upload: wishes = {{visible | coherent, local | cached}, {visible | coherent, cached}, {visible | coherent, 0}}; break;
    case Intent::readback: wishes = {{visible | coherent | cached, 0}, {visible | coherent, 0}}; break;
  }
  for (const auto& [wanted, unwanted] : wishes)
    for (uint32_t i = 0; i < properties.memoryTypeCount; ++i) {
      const VkMemoryPropertyFlags flags = properties.memoryTypes[i].propertyFlags;
      if ((allowed >> i & 1) && (flags & wanted) == wanted && !(flags & (unwanted | never))) return static_cast<int>(i);
    }
  return -1;
}

Memory::Memory(Device& device, uint64_t budget_bytes, uint64_t host_budget_bytes)
    : device_(device), configured_bytes_(budget_bytes), configured_host_bytes_(host_budget_bytes) {
  device.api().vkGetPhysicalDeviceMemoryProperties(device.physical(), &properties_);
  const auto heap_for = [&](Intent intent) {
    const int type = choose_memory_type(properties_, ~0u, intent);
    return type < 0 ? 0 : properties_.memoryTypes[type].heapIndex;
  };
  device_heap_ = heap_for(Intent::weights);
  host_heap_ = heap_for(Intent::host_weights);
  const uint64_t largest = device.info().max_allocation_bytes;
  max_allocation_ = std::min(gibibyte, largest ? largest : gibibyte) / alignment * alignment;
  refresh_budgets();
}

Memory::Memory(Device& device) : Memory(device, everything, everything) { is_imaginary_ = true; }

uint64_t Memory::held(uint32_t heap) const {
  return (heap == device_heap_ ? use_.device_bytes : 0) + (heap == host_heap_ ? use_.host_weight_bytes : 0);
}

uint64_t Memory::reported(uint32_t heap) const {
  if (!device_.info().memory_budget) return properties_.memoryHeaps[heap].size;
  VkPhysicalDeviceMemoryBudgetPropertiesEXT budget{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT};
  VkPhysicalDeviceMemoryProperties2 memory{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2, &budget};
  device_.api().vkGetPhysicalDeviceMemoryProperties2(device_.physical(), &memory);
  const uint64_t left = budget.heapBudget[heap] > budget.heapUsage[heap] ? budget.heapBudget[heap] - budget.heapUsage[heap] : 0;
  return left + held(heap);
}

void Memory::refresh_budgets() {
  if (is_imaginary_) return;
  const uint64_t usual = with_headroom(reported(device_heap_));
  budget_bytes_ = configured_bytes_ ? configured_bytes_ : usual;
  if (overstated_bytes_) budget_bytes_ = std::min(budget_bytes_, usual - std::min(usual, overstated_bytes_));
  const uint64_t host = host_is_apart() ? with_headroom(reported(host_heap_)) : usual - std::min(usual, budget_bytes_);
  host_budget_bytes_ = configured_host_bytes_ ? configured_host_bytes_ : host;
}

Memory::~Memory() {
  for (Block& block : blocks_) destroy(block);
}

uint64_t Memory::max_binding() const { return device_.info().max_binding_bytes; }

void Memory::count(const Block& block, bool added) {
  uint64_t& bytes = on_device(block.intent)                ? use_.device_bytes
                    : block.intent == Intent::host_weights ? use_.host_weight_bytes
                                                           : use_.host_visible_bytes;
  bytes = added ? bytes + block.size : bytes - block.size;
  use_.device_peak_bytes = std::max(use_.device_peak_bytes, use_.device_bytes);
  use_.largest_allocation_bytes = std::max(use_.largest_allocation_bytes, block.size);
}

void Memory::require_room(uint64_t size, Intent intent, uint64_t keep_free) const {
  if (intent == Intent::host_weights && use_.host_weight_bytes + size > host_budget_bytes_)
    throw Error(ErrorCode::host_out_of_memory,
                "The computer's memory has room for " + bytes_text(host_budget_bytes_) + " of weights; " +
                    bytes_text(use_.host_weight_bytes) + " are in use and " + bytes_text(size) + " more are needed.",
                "Choose a smaller copy of the model, or close other programs.");
  if (is_imaginary_) return;
  // Weights can go to the host instead, so they leave other programs what these have taken since the budget was made.
  const bool crowded =
      intent == Intent::weights && keep_free && device_.info().memory_budget && reported(device_heap_) < held(device_heap_) + size;
  if (on_device(intent) && (crowded || use_.device_bytes + size + keep_free > budget_bytes_))
    throw Error(ErrorCode::device_out_of_memory,
                "The device has room for " + bytes_text(budget_bytes_) + "; " + bytes_text(use_.device_bytes) + " are in use and " +
                    bytes_text(size) + " more are needed.",
                "Choose a smaller model or a shorter context, or close other programs that use the GPU.");
}

Memory::Block& Memory::new_block(uint64_t size, Intent intent, uint64_t keep_free) {
  const Api& api = device_.api();
  require_room(size, intent, keep_free);
  Block block;
  block.size = size;
  block.intent = intent;
  if (is_imaginary_) {
    block.buffer = reinterpret_cast<VkBuffer>(++imagined_);
    block.free[0] = size;
    blocks_.push_back(std::move(block));
    count(blocks_.back(), true);
    return blocks_.back();
  }
  VkBufferCreateInfo create{VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO};
  create.size = size;
  create.usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT;
  try {
    check(api.vkCreateBuffer(device_.handle(), &create, nullptr, &block.buffer), "vkCreateBuffer");
    VkMemoryRequirements needs;
    api.vkGetBufferMemoryRequirements(device_.handle(), block.buffer, &needs);
    const int type = choose_memory_type(properties_, needs.memoryTypeBits, intent);
    if (type < 0)
      throw Error(ErrorCode::device_unsuitable, "The device has no memory type for this purpose.",
                  "Update its driver, or use another device.");
    VkMemoryAllocateInfo allocate{VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO};
    allocate.allocationSize = needs.size;
    allocate.memoryTypeIndex = static_cast<uint32_t>(type);
    const VkResult allocated = api.vkAllocateMemory(device_.handle(), &allocate, nullptr, &block.memory);
    if (allocated == VK_ERROR_OUT_OF_DEVICE_MEMORY && on_device(intent)) {
      // The driver promised more than it has. From now on the budget is what it gave.
      const uint64_t promised = with_headroom(reported(device_heap_));
      overstated_bytes_ = std::max(overstated_bytes_, promised - std::min(promised, use_.device_bytes));
      refresh_budgets();
    }
    if (allocated == VK_ERROR_OUT_OF_DEVICE_MEMORY && intent == Intent::host_weights)
      throw Error(ErrorCode::host_out_of_memory,
                  "The driver gives no more of the computer's memory for weights than " + bytes_text(use_.host_weight_bytes) + "; " +
                      bytes_text(size) + " more are needed.",
                  "Choose a smaller copy of the model, or close other programs.");
    check(allocated, "vkAllocateMemory");
    check(api.vkBindBufferMemory(device_.handle(), block.buffer, block.memory, 0), "vkBindBufferMemory");
    if (!on_device(intent)) {
      void* address = nullptr;
      check(api.vkMapMemory(device_.handle(), block.memory, 0, VK_WHOLE_SIZE, 0, &address), "vkMapMemory");
      block.mapped = static_cast<std::byte*>(address);
    }
  } catch (...) {
    destroy(block);
    throw;
  }
  block.free[0] = size;
  blocks_.push_back(std::move(block));
  count(blocks_.back(), true);
  return blocks_.back();
}

void Memory::destroy(Block& block) {
  if (device_.hung() || is_imaginary_) return;
  if (block.buffer) device_.api().vkDestroyBuffer(device_.handle(), block.buffer, nullptr);
  if (block.memory) device_.api().vkFreeMemory(device_.handle(), block.memory, nullptr);
}

Buffer Memory::allocate(uint64_t size, Intent intent, uint64_t keep_free) {
  size = std::max(align_up(size), alignment);
  if (size > max_allocation_)
    throw Error(ErrorCode::device_out_of_memory,
                bytes_text(size) + " are needed in one piece; this device gives at most " + bytes_text(max_allocation_) + ".",
                "Choose a shorter context.");
  auto fits = [&](Block& block) {
    return block.intent == intent
               ? std::find_if(block.free.begin(), block.free.end(), [&](const auto& range) { return range.second >= size; })
               : block.free.end();
  };
  Block* block = nullptr;
  auto range = std::map<uint64_t, uint64_t>::iterator{};
  for (Block& candidate : blocks_)
    if (auto found = fits(candidate); found != candidate.free.end()) {
      block = &candidate;
      range = found;
      break;
    }
  if (!block) {
    const uint64_t shared = block_bytes(intent);
    // Near the budget's end a block of exactly the needed size may still fit.
    const bool room = on_device(intent) ? use_.device_bytes + shared + keep_free <= budget_bytes_
                                        : intent != Intent::host_weights || use_.host_weight_bytes + shared <= host_budget_bytes_;
    block = &new_block(size * 2 <= shared && room ? shared : size, intent, keep_free);
    range = block->free.begin();
  }
  const auto [offset, length] = *range;
  block->free.erase(range);
  if (length > size) block->free[offset + size] = length - size;
  Buffer buffer;
  buffer.memory_ = this;
  buffer.block_ = block;
  buffer.slice_ = {block->buffer, offset, size, intent == Intent::host_weights && host_is_apart()};
  buffer.mapped_ = block->mapped ? block->mapped + offset : nullptr;
  return buffer;
}

void Memory::release(Block* block, const Slice& slice) {
  auto [range, inserted] = block->free.emplace(slice.offset, slice.size);
  if (auto next = std::next(range); next != block->free.end() && range->first + range->second == next->first) {
    range->second += next->second;
    block->free.erase(next);
  }
  if (range != block->free.begin())
    if (auto previous = std::prev(range); previous->first + previous->second == range->first) {
      previous->second += range->second;
      block->free.erase(range);
    }
  if (block->free.size() == 1 && block->free.begin()->second == block->size) {
    count(*block, false);
    destroy(*block);
    blocks_.remove_if([&](const Block& b) { return &b == block; });
  }
}

}  // namespace loupe::vk
