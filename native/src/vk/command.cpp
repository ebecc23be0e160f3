#include "vk/command.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "base/activity.h"
#include "base/error.h"

namespace loupe::vk {
namespace {

/// A submission is cut when it is expected to take this long: far from the 2 s watchdogs of drivers,
/// below the 200 ms that we promise, and long enough to hide the cost of submitting.
constexpr double target_ms = 40;
/// Submissions that may be in flight in immediate mode; more would only delay cancelling.
constexpr size_t max_in_flight = 3;
/// The recorder waits for a fence in slices of this length, so that it can report that it waits, and give up.
constexpr uint64_t slice_ns = 100'000'000;
constexpr uint32_t sets_per_pool = 256;
constexpr uint32_t max_bindings = 8;
/// Dispatches of a submission whose times a profile gets, less one.
constexpr uint32_t max_marks = 8192;

double now_ms() { return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// Whether two dispatches touch different columns of one tensor: blocks of a matrix each write their own.
bool lie_apart(const Binding& a, const Binding& b) {
  return a.columns.pitch && a.columns.pitch == b.columns.pitch && a.slice.offset + a.columns.origin == b.slice.offset + b.columns.origin &&
         (a.columns.first + a.columns.count <= b.columns.first || b.columns.first + b.columns.count <= a.columns.first);
}

bool overlaps(const std::vector<Binding>& list, const Binding& one) {
  const Slice& slice = one.slice;
  return std::any_of(list.begin(), list.end(), [&](const Binding& other) {
    return other.slice.buffer == slice.buffer && other.slice.offset < slice.offset + slice.size &&
           slice.offset < other.slice.offset + other.slice.size && !lie_apart(one, other);
  });
}

}  // namespace

Recorder::Recorder(Device& device, Mode mode, const Speed& speed) : device_(device), mode_(mode), speed_(speed) {
  VkCommandPoolCreateInfo create{VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO};
  create.flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT;
  create.queueFamilyIndex = device.queue_family();
  check(device.api().vkCreateCommandPool(device.handle(), &create, nullptr, &pool_), "vkCreateCommandPool");
}

Recorder::~Recorder() {
  const Api& api = device_.api();
  for (Segment& segment : segments_)
    if (segment.in_flight) await_fence(segment.fence);
  if (device_.hung()) return;
  for (Segment& segment : segments_) {
    for (VkDescriptorPool pool : segment.pools) api.vkDestroyDescriptorPool(device_.handle(), pool, nullptr);
    for (VkQueryPool queries : {segment.timestamps, segment.marks})
      if (queries) api.vkDestroyQueryPool(device_.handle(), queries, nullptr);
    if (segment.fence) api.vkDestroyFence(device_.handle(), segment.fence, nullptr);
  }
  if (pool_) api.vkDestroyCommandPool(device_.handle(), pool_, nullptr);
}

Recorder::Work Recorder::work_of(const Cost& cost) const {
  const Quirks& rate = device_.quirks();
  return {1e3 * std::max(cost.flops / rate.assumed_flops, (cost.bytes - cost.bus_bytes) / rate.assumed_bandwidth),
          1e3 * cost.bus_bytes / rate.assumed_bus_bandwidth};
}

double Recorder::affordable_flops() const { return target_ms * 1e-3 * device_.quirks().assumed_flops / speed_.device; }

/// Follows the real speed: quickly down, slowly up, because an overlong submission is the worse mistake. What is submitted again and
/// again is judged by many measurements: one that something else disturbed is not worth recording it anew. The part that was
/// expected to take longer is the one that is learned about; a fast device says nothing about its bus.
void Recorder::learn(const Work& work, double measured_ms) {
  const double device_ms = speed_.device * work.device_ms, bus_ms = speed_.bus * work.bus_ms;
  if (device_ms + bus_ms <= 1) return;
  const bool bus = bus_ms > device_ms;
  double& scale = bus ? speed_.bus : speed_.device;
  const double ratio = bus ? (measured_ms - device_ms) / work.bus_ms : (measured_ms - bus_ms) / work.device_ms;
  const double weight = mode_ == Mode::retained ? 0.125 : ratio > scale ? 1 : 0.3;
  // A processor's time is also that of everything else that runs on it, and no driver there loses patience.
  const double slowest = mode_ == Mode::retained && device_.info().kind == DeviceKind::cpu ? 1 : 1e3;
  scale = std::clamp(scale + weight * (ratio - scale), 1e-3, slowest);
}

Recorder::Segment& Recorder::current() {
  if (segments_.empty()) {
    segments_.emplace_back();
    active_ = 0;
  }
  Segment& segment = segments_[active_];
  if (!segment.recording) begin(segment);
  return segment;
}

void Recorder::begin(Segment& segment) {
  const Api& api = device_.api();
  if (!segment.fence) {
    VkCommandBufferAllocateInfo allocate{VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO};
    allocate.commandPool = pool_;
    allocate.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY;
    allocate.commandBufferCount = 1;
    check(api.vkAllocateCommandBuffers(device_.handle(), &allocate, &segment.commands), "vkAllocateCommandBuffers");
    if (device_.info().timestamps && !segment.timestamps) {
      VkQueryPoolCreateInfo queries{VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO};
      queries.queryType = VK_QUERY_TYPE_TIMESTAMP;
      queries.queryCount = 2;
      check(api.vkCreateQueryPool(device_.handle(), &queries, nullptr, &segment.timestamps), "vkCreateQueryPool");
      queries.queryCount = max_marks;
      if (device_.profile()) check(api.vkCreateQueryPool(device_.handle(), &queries, nullptr, &segment.marks), "vkCreateQueryPool");
    }
    const VkFenceCreateInfo fence{VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};  // last: a segment with a fence is complete
    check(api.vkCreateFence(device_.handle(), &fence, nullptr, &segment.fence), "vkCreateFence");
  }
  if (segment.in_flight) wait(segment);
  for (VkDescriptorPool pool : segment.pools) api.vkResetDescriptorPool(device_.handle(), pool, 0);
  segment.current_pool = 0;
  segment.work = {};
  segment.parts.clear();
  VkCommandBufferBeginInfo info{VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
  info.flags = mode_ == Mode::immediate ? VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT : 0;
  check(api.vkBeginCommandBuffer(segment.commands, &info), "vkBeginCommandBuffer");
  segment.recording = true;
  if (segment.timestamps) {
    api.vkCmdResetQueryPool(segment.commands, segment.timestamps, 0, 2);
    // The end of the pipe, so that it waits for the submissions before: their time is not this one's.
    api.vkCmdWriteTimestamp(segment.commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, segment.timestamps, 0);
  }
  barrier(segment.commands, true, Next::transfer);  // orders this segment after the one before
  if (segment.marks) {
    api.vkCmdResetQueryPool(segment.commands, segment.marks, 0, max_marks);
    segment.marked.clear();
    mark(segment, nullptr);
  }
}

void Recorder::mark(Segment& segment, const Pipeline* pipeline) {
  if (!segment.marks || segment.marked.size() == max_marks) return;
  device_.api().vkCmdWriteTimestamp(segment.commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, segment.marks,
                                    static_cast<uint32_t>(segment.marked.size()));
  segment.marked.push_back(pipeline);
}

void Recorder::add_to_profile(const Segment& segment) {
  if (!segment.marks) return;
  std::vector<uint64_t> ticks(segment.marked.size());
  check(device_.api().vkGetQueryPoolResults(device_.handle(), segment.marks, 0, static_cast<uint32_t>(ticks.size()),
                                            ticks.size() * sizeof(uint64_t), ticks.data(), sizeof(uint64_t), VK_QUERY_RESULT_64_BIT),
        "vkGetQueryPoolResults");
  uint64_t last = ticks.front();
  for (size_t i = 1; i < ticks.size(); ++i) {
    const uint64_t end = std::max(last, ticks[i]);
    device_.profile()->add(segment.marked[i]->name, static_cast<double>(end - last) * device_.info().timestamp_period_ns * 1e-6);
    last = end;
  }
}

void Recorder::barrier(VkCommandBuffer commands, bool after_transfers, Next next) {
  VkMemoryBarrier memory{VK_STRUCTURE_TYPE_MEMORY_BARRIER};
  memory.srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT;
  memory.dstAccessMask = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT;
  VkPipelineStageFlags from = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, to = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT;
  if (after_transfers) {
    memory.srcAccessMask |= VK_ACCESS_TRANSFER_WRITE_BIT;
    from |= VK_PIPELINE_STAGE_TRANSFER_BIT;
  }
  if (next == Next::transfer) {
    memory.dstAccessMask |= VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT;
    to |= VK_PIPELINE_STAGE_TRANSFER_BIT;
    forget_accesses();
  }
  device_.api().vkCmdPipelineBarrier(commands, from, to, 0, 1, &memory, 0, nullptr, 0, nullptr);
  earlier_written_.insert(earlier_written_.end(), written_.begin(), written_.end());
  earlier_read_.insert(earlier_read_.end(), read_.begin(), read_.end());
  written_.clear();
  read_.clear();
  transfers_ = false;
}

void Recorder::forget_accesses() {
  for (std::vector<Binding>* list : {&written_, &read_, &earlier_written_, &earlier_read_}) list->clear();
  transfers_ = false;
}

void Recorder::synchronise(std::initializer_list<Binding> bindings, Next next) {
  const bool hazard = std::any_of(bindings.begin(), bindings.end(), [&](const Binding& b) {
    const bool writes = b.access != Access::read;
    return overlaps(written_, b) || (writes && overlaps(read_, b)) ||
           (next == Next::transfer && (overlaps(earlier_written_, b) || (writes && overlaps(earlier_read_, b))));
  });
  if (hazard) {
    barrier(segments_[active_].commands, transfers_, next);
    ++barriers_;
  }
  transfers_ = transfers_ || next == Next::transfer;
  for (const Binding& b : bindings) {
    if (b.access != Access::write) read_.push_back(b);
    if (b.access != Access::read) written_.push_back(b);
  }
}

VkDescriptorSet Recorder::descriptor_set(Segment& segment, const Pipeline& pipeline, std::initializer_list<Binding> bindings) {
  const Api& api = device_.api();
  VkDescriptorSet set = VK_NULL_HANDLE;
  while (!set) {
    if (segment.current_pool == segment.pools.size()) {
      const VkDescriptorPoolSize size{VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, sets_per_pool * max_bindings};
      VkDescriptorPoolCreateInfo create{VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO};
      create.maxSets = sets_per_pool;
      create.poolSizeCount = 1;
      create.pPoolSizes = &size;
      VkDescriptorPool pool = VK_NULL_HANDLE;
      check(api.vkCreateDescriptorPool(device_.handle(), &create, nullptr, &pool), "vkCreateDescriptorPool");
      segment.pools.push_back(pool);
    }
    VkDescriptorSetAllocateInfo allocate{VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO};
    allocate.descriptorPool = segment.pools[segment.current_pool];
    allocate.descriptorSetCount = 1;
    allocate.pSetLayouts = &pipeline.set_layout;
    const VkResult result = api.vkAllocateDescriptorSets(device_.handle(), &allocate, &set);
    if (result == VK_ERROR_OUT_OF_POOL_MEMORY || result == VK_ERROR_FRAGMENTED_POOL) {
      set = VK_NULL_HANDLE;
      ++segment.current_pool;
    } else {
      check(result, "vkAllocateDescriptorSets");
    }
  }
  VkDescriptorBufferInfo infos[max_bindings];
  VkWriteDescriptorSet write[max_bindings];
  uint32_t count = 0;
  for (const Binding& b : bindings) {
    infos[count] = {b.slice.buffer, b.slice.offset, b.slice.size};
    write[count] = {VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET, nullptr, set,           count,  0, 1,
                    VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,      nullptr, &infos[count], nullptr};
    ++count;
  }
  api.vkUpdateDescriptorSets(device_.handle(), count, write, 0, nullptr);
  return set;
}

void Recorder::dispatch(const Pipeline& pipeline, std::initializer_list<Binding> bindings, const void* push, Groups groups, Cost cost) {
  const Api& api = device_.api();
  const DeviceInfo& info = device_.info();
  if (bindings.size() != pipeline.bindings || bindings.size() > max_bindings)
    throw Error(ErrorCode::internal, "A dispatch names the wrong number of bindings.");
  if (groups.x > info.max_groups[0] || groups.y > info.max_groups[1] || groups.z > info.max_groups[2])
    throw Error(ErrorCode::internal, "A dispatch of " + std::to_string(groups.x) + " x " + std::to_string(groups.y) + " x " +
                                         std::to_string(groups.z) + " workgroups exceeds the device's limits.");
  for (const Binding& b : bindings)
    if (b.slice.size > info.max_binding_bytes || b.slice.offset % info.storage_alignment || !b.slice.size)
      throw Error(ErrorCode::internal, "A binding of " + std::to_string(b.slice.size) + " bytes at " + std::to_string(b.slice.offset) +
                                           " exceeds the device's limits.");
  if (mode_ == Mode::rehearsal) return throw_if_cancelled();
  const Work work = work_of(cost);
  if (segments_.size() && segments_[active_].recording) {
    const double before = expected_ms(segments_[active_].work);
    if (before > 0 && before + expected_ms(work) > target_ms) flush();
  }
  Segment& segment = current();
  synchronise(bindings, Next::dispatch);
  const VkDescriptorSet set = descriptor_set(segment, pipeline, bindings);
  api.vkCmdBindPipeline(segment.commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline.handle);
  api.vkCmdBindDescriptorSets(segment.commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline.layout, 0, 1, &set, 0, nullptr);
  if (pipeline.push_bytes)
    api.vkCmdPushConstants(segment.commands, pipeline.layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, pipeline.push_bytes, push);
  api.vkCmdDispatch(segment.commands, groups.x, groups.y, groups.z);
  mark(segment, &pipeline);
  ++dispatches_;
  segment.work += work;
  if (mode_ == Mode::retained) segment.parts.push_back(work);
}

void Recorder::copy(const Slice& from, const Slice& to) {
  if (mode_ == Mode::rehearsal) return;
  Segment& segment = current();
  synchronise({reads(from), writes(to)}, Next::transfer);
  const VkBufferCopy region{from.offset, to.offset, std::min(from.size, to.size)};
  device_.api().vkCmdCopyBuffer(segment.commands, from.buffer, to.buffer, 1, &region);
  const double bytes = static_cast<double>(region.size);
  segment.work += work_of({0, 2 * bytes, from.over_bus ? bytes : 0});
}

void Recorder::fill(const Slice& slice, uint32_t word) {
  if (mode_ == Mode::rehearsal) return;
  Segment& segment = current();
  synchronise({writes(slice)}, Next::transfer);
  device_.api().vkCmdFillBuffer(segment.commands, slice.buffer, slice.offset, slice.size, word);
}

void Recorder::end(Segment& segment) {
  const Api& api = device_.api();
  VkMemoryBarrier memory{VK_STRUCTURE_TYPE_MEMORY_BARRIER};
  memory.srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT;
  memory.dstAccessMask = VK_ACCESS_HOST_READ_BIT;
  api.vkCmdPipelineBarrier(segment.commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT,
                           VK_PIPELINE_STAGE_HOST_BIT, 0, 1, &memory, 0, nullptr, 0, nullptr);
  if (segment.timestamps) api.vkCmdWriteTimestamp(segment.commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, segment.timestamps, 1);
  check(api.vkEndCommandBuffer(segment.commands), "vkEndCommandBuffer");
  segment.recording = false;
}

void Recorder::submit(Segment& segment) {
  const Api& api = device_.api();
  check(api.vkResetFences(device_.handle(), 1, &segment.fence), "vkResetFences");
  VkSubmitInfo info{VK_STRUCTURE_TYPE_SUBMIT_INFO};
  info.commandBufferCount = 1;
  info.pCommandBuffers = &segment.commands;
  segment.submitted_at = now_ms();
  check(api.vkQueueSubmit(device_.queue(), 1, &info, segment.fence), "vkQueueSubmit");
  segment.in_flight = true;
  ++submissions_;
}

/// VK_TIMEOUT when the device has hung.
VkResult Recorder::await_fence(VkFence fence) noexcept {
  const Quirks& quirks = device_.quirks();
  const double began = now_ms();
  std::optional<activity::Waiting> waiting;
  for (uint32_t slices = 0; !device_.hung(); ++slices) {
    const VkResult result = device_.api().vkWaitForFences(device_.handle(), 1, &fence, VK_TRUE, slice_ns);
    if (result != VK_TIMEOUT) waited_ms_ += now_ms() - began;
    if (result == VK_SUCCESS) activity::step();
    if (result != VK_TIMEOUT) return result;
    if (!waiting) waiting.emplace();
    if (slices >= (cancel_ && *cancel_ ? quirks.unwanted_fence_slices : quirks.fence_slices)) device_.declare_hung();
  }
  return VK_TIMEOUT;
}

void Recorder::wait(Segment& segment) {
  const Api& api = device_.api();
  const VkResult result = await_fence(segment.fence);
  if (result == VK_TIMEOUT)
    throw Error(ErrorCode::device_lost, device_.info().name + " stands still: it has not done what it was given.",
                "Try again; if it happens again, update the graphics driver.");
  check(result, "vkWaitForFences");
  segment.in_flight = false;
  double measured = now_ms() - segment.submitted_at;
  if (segment.timestamps) {
    uint64_t ticks[2] = {};
    if (api.vkGetQueryPoolResults(device_.handle(), segment.timestamps, 0, 2, sizeof ticks, ticks, 8, VK_QUERY_RESULT_64_BIT) ==
            VK_SUCCESS &&
        ticks[1] >= ticks[0])
      measured = static_cast<double>(ticks[1] - ticks[0]) * device_.info().timestamp_period_ns * 1e-6;
  }
  add_to_profile(segment);
  longest_ms_ = std::max(longest_ms_, measured);
  learn(segment.work, measured);
}

void Recorder::wait_all() {
  for (Segment& segment : segments_)
    if (segment.in_flight) wait(segment);
}

void Recorder::abandon() noexcept {
  const Api& api = device_.api();
  for (Segment& segment : segments_) {
    // A lost device returns at once; there is nothing better to do with an error here.
    if (segment.in_flight) await_fence(segment.fence);
    if (segment.recording) api.vkResetCommandBuffer(segment.commands, 0);
    segment.in_flight = segment.recording = false;
  }
  forget_accesses();
}

void Recorder::throw_if_cancelled() {
  if (!cancel_ || !*cancel_) return;
  if (mode_ == Mode::immediate) abandon();
  throw Error(ErrorCode::cancelled, "The request was cancelled.");
}

void Recorder::flush() {
  if (segments_.empty() || !segments_[active_].recording) return;
  throw_if_cancelled();
  end(segments_[active_]);
  if (mode_ == Mode::retained) {
    segments_.emplace_back();
    active_ = segments_.size() - 1;
    return;
  }
  submit(segments_[active_]);
  if (segments_.size() < max_in_flight) segments_.emplace_back();
  active_ = (active_ + 1) % segments_.size();
  if (segments_[active_].in_flight) wait(segments_[active_]);
}

void Recorder::sync() {
  flush();
  wait_all();
  throw_if_cancelled();
}

void Recorder::start() {
  if (!segments_.empty() && segments_[active_].recording) end(segments_[active_]);
  throw_if_cancelled();
  for (Segment& segment : segments_)
    if (segment.fence) submit(segment);
}

void Recorder::finish() { wait_all(); }

size_t Recorder::segments() const {
  return static_cast<size_t>(std::count_if(segments_.begin(), segments_.end(), [](const Segment& one) { return one.fence != nullptr; }));
}

bool Recorder::is_cut_wrongly() const {
  double longest = 0;
  for (const Segment& segment : segments_) longest = std::max(longest, expected_ms(segment.work));
  const bool too_long = longest > 2 * target_ms;
  if (segments() <= 1 && !too_long) return false;
  // As `dispatch` would cut; not by a hair's breadth, because speeds go up and down.
  const double target = too_long ? target_ms : 0.75 * target_ms;
  size_t wanted = 0;
  double sum = 0;
  for (const Segment& segment : segments_)
    for (const Work& part : segment.parts) {
      const double more = expected_ms(part);
      if (wanted == 0 || (sum > 0 && sum + more > target)) {
        ++wanted;
        sum = 0;
      }
      sum += more;
    }
  return too_long ? wanted > segments() : wanted < segments();
}

}  // namespace loupe::vk
