#include "vk/memory.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace loupe::vk {
namespace {

constexpr uint64_t alignment = 256;  // the largest minStorageBufferOffsetAlignment that Vulkan permits
constexpr uint64_t gibibyte = uint64_t{1} << 30;

uint64_t align_up(uint64_t value) { return (value + alignment - 1) / alignment * alignment; }

uint64_t block_bytes(Intent intent) { return intent == Intent::weights ? 256u << 20 : 16u << 20; }

std::string mebibytes(uint64_t bytes) { return std::to_string((bytes + (1 << 20) - 1) >> 20) + " MiB"; }

bool host_visible(Intent intent) { return intent == Intent::upload || intent == Intent::readback; }

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

Memory::Memory(Device& device, uint64_t budget_bytes) : device_(device) {
  device.api().vkGetPhysicalDeviceMemoryProperties(device.physical(), &properties_);
  const DeviceInfo& info = device.info();
  const uint64_t reported = info.budget_bytes >= 0 ? static_cast<uint64_t>(info.budget_bytes) : info.memory_bytes;
  budget_bytes_ = budget_bytes ? budget_bytes : reported / 10 * 9;
  max_allocation_ = std::min(gibibyte, info.max_allocation_bytes ? info.max_allocation_bytes : gibibyte) / alignment * alignment;
}

Memory::~Memory() {
  for (Block& block : blocks_) destroy(block);
}

uint64_t Memory::max_binding() const { return device_.info().max_binding_bytes; }

int Memory::memory_type(uint32_t allowed, Intent intent) const {
  constexpr VkMemoryPropertyFlags local = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, visible = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT,
                                  coherent = VK_MEMORY_PROPERTY_HOST_COHERENT_BIT, cached = VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
  std::vector<std::pair<VkMemoryPropertyFlags, VkMemoryPropertyFlags>> wishes;  // wanted, unwanted
  switch (intent) {
    case Intent::weights:
    case Intent::activations: wishes = {{local, visible}, {local, 0}}; break;
    case Intent::upload: wishes = {{visible | coherent, local | cached}, {visible | coherent, cached}, {visible | coherent, 0}}; break;
    case Intent::readback: wishes = {{visible | coherent | cached, 0}, {visible | coherent, 0}}; break;
  }
  for (const auto& [wanted, unwanted] : wishes)
    for (uint32_t i = 0; i < properties_.memoryTypeCount; ++i) {
      const VkMemoryPropertyFlags flags = properties_.memoryTypes[i].propertyFlags;
      if ((allowed >> i & 1) && (flags & wanted) == wanted && !(flags & unwanted)) return static_cast<int>(i);
    }
  return -1;
}

void Memory::count(const Block& block, bool added) {
  uint64_t& bytes = host_visible(block.intent) ? use_.host_visible_bytes : use_.device_bytes;
  bytes = added ? bytes + block.size : bytes - block.size;
  use_.device_peak_bytes = std::max(use_.device_peak_bytes, use_.device_bytes);
  use_.largest_allocation_bytes = std::max(use_.largest_allocation_bytes, block.size);
}

Memory::Block& Memory::new_block(uint64_t size, Intent intent) {
  const Api& api = device_.api();
  if (!host_visible(intent) && use_.device_bytes + size > budget_bytes_)
    throw Error(ErrorCode::device_out_of_memory,
                "The device has room for " + mebibytes(budget_bytes_) + "; " + mebibytes(use_.device_bytes) + " are taken and " + mebibytes(size) + " more are needed.",
                "Choose a smaller model or a shorter context, or close other programs that use the GPU.");
  Block block;
  block.size = size;
  block.intent = intent;
  VkBufferCreateInfo create{VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO};
  create.size = size;
  create.usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT;
  try {
    check(api.vkCreateBuffer(device_.handle(), &create, nullptr, &block.buffer), "vkCreateBuffer");
    VkMemoryRequirements needs;
    api.vkGetBufferMemoryRequirements(device_.handle(), block.buffer, &needs);
    const int type = memory_type(needs.memoryTypeBits, intent);
    if (type < 0) throw Error(ErrorCode::device_unsuitable, "The device has no memory type for this purpose.", "Update its driver, or use another device.");
    VkMemoryAllocateInfo allocate{VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO};
    allocate.allocationSize = needs.size;
    allocate.memoryTypeIndex = static_cast<uint32_t>(type);
    check(api.vkAllocateMemory(device_.handle(), &allocate, nullptr, &block.memory), "vkAllocateMemory");
    check(api.vkBindBufferMemory(device_.handle(), block.buffer, block.memory, 0), "vkBindBufferMemory");
    if (host_visible(intent)) {
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
  if (block.buffer) device_.api().vkDestroyBuffer(device_.handle(), block.buffer, nullptr);
  if (block.memory) device_.api().vkFreeMemory(device_.handle(), block.memory, nullptr);
}

Buffer Memory::allocate(uint64_t size, Intent intent) {
  size = std::max(align_up(size), alignment);
  if (size > max_allocation_)
    throw Error(ErrorCode::device_out_of_memory, mebibytes(size) + " are needed in one piece; this device gives at most " + mebibytes(max_allocation_) + ".",
                "Choose a shorter context.");
  auto fits = [&](Block& block) {
    return block.intent == intent ? std::find_if(block.free.begin(), block.free.end(), [&](const auto& range) { return range.second >= size; }) : block.free.end();
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
    const bool room = host_visible(intent) || use_.device_bytes + shared <= budget_bytes_;
    block = &new_block(size * 2 <= shared && room ? shared : size, intent);
    range = block->free.begin();
  }
  const auto [offset, length] = *range;
  block->free.erase(range);
  if (length > size) block->free[offset + size] = length - size;
  Buffer buffer;
  buffer.memory_ = this;
  buffer.block_ = block;
  buffer.slice_ = {block->buffer, offset, size};
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
