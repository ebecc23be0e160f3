#pragma once
// Recording and submitting: hazards found from the slices that each dispatch names, submissions cut
// so that none holds the device for long, timestamps on every one.

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <initializer_list>
#include <string>
#include <vector>

#include "vk/memory.h"
#include "vk/pipeline.h"

namespace loupe::vk {

enum class Access : uint8_t { read, write, read_write };

/// Which bytes of every row a dispatch touches, in a slice whose rows of `pitch` bytes begin at `origin`. No pitch: all of it.
struct Columns {
  uint64_t first = 0, count = 0, pitch = 0, origin = 0;
};

struct Binding {
  Slice slice;
  Access access;
  Columns columns{};
};

inline Binding reads(const Slice& slice) { return {slice, Access::read}; }
inline Binding writes(const Slice& slice) { return {slice, Access::write}; }
inline Binding updates(const Slice& slice, const Columns& columns = {}) { return {slice, Access::read_write, columns}; }

struct Groups {
  uint32_t x = 1, y = 1, z = 1;
};

/// What a dispatch is expected to do, for cutting submissions.
struct Cost {
  double flops = 0, bytes = 0;
  double bus_bytes = 0;  ///< those of them that come from the host's memory
};

/// How much slower the device and its bus are than assumed: measured / expected, smoothed.
struct Speed {
  double device = 1, bus = 1;
};

/// Records one-time work and submits it piece by piece as it goes ("immediate"), or keeps what was
/// recorded to be submitted again and again ("retained": a decode step), or keeps and submits nothing ("rehearsal": what is recorded only
/// asks for its pipelines).
class Recorder {
 public:
  enum class Mode { immediate, retained, rehearsal };
  /// `speed`: what another recorder has learned about the same kind of work.
  Recorder(Device& device, Mode mode, const Speed& speed = {});
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  /// `push` is copied. Bindings are in the shader's order.
  void dispatch(const Pipeline& pipeline, std::initializer_list<Binding> bindings, const void* push, Groups groups, Cost cost);
  void copy(const Slice& from, const Slice& to);
  void fill(const Slice& slice, uint32_t word);

  /// Immediate: submits what is recorded. Retained: ends a segment.
  void flush();
  /// Immediate: flushes and waits for everything. Host reads of readback slices are valid afterwards.
  void sync();
  /// Retained: submits all segments in order. What was submitted before must be finished.
  void start();
  /// Retained: waits for what `start` submitted.
  void finish();
  void replay() {
    start();
    finish();
  }
  /// Retained: submissions of a replay.
  size_t segments() const;
  /// Retained: whether the segments were cut by a speed that turned out to be wrong, so that recording again with `speed()` pays.
  bool is_cut_wrongly() const;
  const Speed& speed() const { return speed_; }
  /// Waits for what is in flight and drops what is recorded: after an error, before what it names is freed.
  void abandon() noexcept;
  /// Checked before every submission; when it says true, `cancelled` is thrown after the device is idle. While a fence is
  /// waited for it shortens how long that may take.
  void set_cancel(const std::atomic<bool>* flag) { cancel_ = flag; }

  /// FLOPs that one dispatch may have if a submission of its own is to stay within the target time.
  double affordable_flops() const;
  /// Longest submission so far in milliseconds, on the device's clock (the host's without timestamps).
  double longest_submission_ms() const { return longest_ms_; }
  uint64_t submissions() const { return submissions_; }
  /// Recorded so far; the barriers that begin and end every submission not counted.
  uint64_t dispatches() const { return dispatches_; }
  uint64_t barriers() const { return barriers_; }
  /// How long the host has waited for fences.
  double waited_ms() const { return waited_ms_; }

 private:
  /// Milliseconds at the assumed rates: of the device, and of the bus.
  struct Work {
    double device_ms = 0, bus_ms = 0;
    void operator+=(const Work& more) {
      device_ms += more.device_ms;
      bus_ms += more.bus_ms;
    }
  };
  struct Segment {
    VkCommandBuffer commands = VK_NULL_HANDLE;
    VkFence fence = VK_NULL_HANDLE;
    VkQueryPool timestamps = VK_NULL_HANDLE;
    std::vector<VkDescriptorPool> pools;
    size_t current_pool = 0;
    Work work;
    std::vector<Work> parts;             ///< retained: of its dispatches
    VkQueryPool marks = VK_NULL_HANDLE;  ///< with a profile: the begin, and the end of each of these
    std::vector<const Pipeline*> marked;
    bool recording = false, in_flight = false;
    double submitted_at = 0;
  };
  Segment& current();
  void begin(Segment& segment);
  void end(Segment& segment);
  void submit(Segment& segment);
  void wait(Segment& segment);
  VkResult await_fence(VkFence fence) noexcept;
  void wait_all();
  void throw_if_cancelled();
  VkDescriptorSet descriptor_set(Segment& segment, const Pipeline& pipeline, std::initializer_list<Binding> bindings);
  /// What comes next: a dispatch, or a copy or fill.
  enum class Next { dispatch, transfer };
  void synchronise(std::initializer_list<Binding> bindings, Next next);
  /// Dispatches are ordered among themselves by barriers that name nothing else: a driver that hears of transfers may flush caches
  /// that no dispatch uses (RADV: those of pictures, by an event at the end of the pipe that its front end waits for).
  void barrier(VkCommandBuffer commands, bool after_transfers, Next next);
  void forget_accesses();
  Work work_of(const Cost& cost) const;
  double expected_ms(const Work& work) const { return speed_.device * work.device_ms + speed_.bus * work.bus_ms; }
  void learn(const Work& work, double measured_ms);
  void mark(Segment& segment, const Pipeline* pipeline);
  void add_to_profile(const Segment& segment);

  Device& device_;
  Mode mode_;
  VkCommandPool pool_ = VK_NULL_HANDLE;
  std::deque<Segment> segments_;
  size_t active_ = 0;
  std::vector<Binding> written_, read_;  ///< since the last barrier
  /// Before it, since the last one that transfers wait for.
  std::vector<Binding> earlier_written_, earlier_read_;
  bool transfers_ = false;  ///< since the last barrier
  Speed speed_;
  double longest_ms_ = 0, waited_ms_ = 0;
  uint64_t submissions_ = 0, dispatches_ = 0, barriers_ = 0;
  const std::atomic<bool>* cancel_ = nullptr;
};

}  // namespace loupe::vk
