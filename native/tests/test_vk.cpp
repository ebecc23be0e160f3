// Devices, memory, pipelines and the recorder.
#include <atomic>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <random>

#include "base/error.h"
#include "support.h"

namespace loupe::test {
namespace {

namespace fs = std::filesystem;

void expect_error(ErrorCode code, const std::function<void()>& action, const std::string& named = {}) {
  try {
    action();
    ADD_FAILURE() << "nothing was thrown; expected " << to_string(code);
  } catch (const Error& error) {
    EXPECT_STREQ(to_string(error.code()), to_string(code)) << error.what();
    EXPECT_NE(std::string(error.what()).find(named), std::string::npos) << error.what();
    const bool has_next_step = code != ErrorCode::internal && code != ErrorCode::cancelled;
    EXPECT_TRUE(!has_next_step || !error.next_step().empty()) << error.what();
  }
}

// --- devices ------------------------------------------------------------------------------------

TEST(Instance, ChoosesByIndexAndName) {
  const vk::Instance& instance = *engine().instance;
  const auto devices = instance.devices();
  ASSERT_FALSE(devices.empty());
  for (const vk::DeviceInfo& device : devices) {
    if (!device.suitable) {
      expect_error(ErrorCode::device_unsuitable, [&] { instance.choose(std::to_string(device.index)); }, device.name);
      continue;
    }
    EXPECT_EQ(instance.choose(std::to_string(device.index)).index, device.index);
    std::string loud = device.name;
    for (char& c : loud) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    EXPECT_EQ(instance.choose(loud).name, device.name);
    EXPECT_EQ(instance.choose(device.name.substr(1, 5)).name.substr(1, 5), device.name.substr(1, 5));
  }
  EXPECT_TRUE(instance.choose("").suitable);
}

TEST(Instance, RefusesUnknownDevicesAndNamesTheKnown) {
  const vk::Instance& instance = *engine().instance;
  expect_error(ErrorCode::no_device, [&] { instance.choose("Voodoo 5"); }, "Voodoo 5");
  expect_error(ErrorCode::no_device, [&] { instance.choose("999"); });
  try {
    instance.choose("Voodoo 5");
  } catch (const Error& error) {
    EXPECT_NE(error.next_step().find(instance.devices()[0].name), std::string::npos) << error.next_step();
  }
}

// --- memory -------------------------------------------------------------------------------------

TEST(Memory, SlicesAreAlignedAndApart) {
  vk::Memory memory(*engine().device, 0);
  std::vector<vk::Buffer> buffers;
  for (uint64_t size : {1u, 255u, 256u, 257u, 4096u, 100000u, 3u << 20}) {
    buffers.push_back(memory.allocate(size, vk::Intent::activations));
    const vk::Slice& slice = buffers.back().slice();
    EXPECT_EQ(slice.offset % 256, 0u);
    EXPECT_EQ(slice.offset % engine().device->info().storage_alignment, 0u);
    EXPECT_GE(slice.size, size);
    EXPECT_EQ(buffers.back().mapped(), nullptr);
    for (size_t i = 0; i + 1 < buffers.size(); ++i) {
      const vk::Slice& other = buffers[i].slice();
      EXPECT_FALSE(other.buffer == slice.buffer && other.offset < slice.offset + slice.size && slice.offset < other.offset + other.size);
    }
  }
}

TEST(Memory, HostMemoryIsMapped) {
  vk::Memory memory(*engine().device, 0);
  for (vk::Intent intent : {vk::Intent::upload, vk::Intent::readback}) {
    const vk::Buffer first = memory.allocate(1000, intent), second = memory.allocate(1000, intent);
    ASSERT_NE(first.mapped(), nullptr);
    EXPECT_EQ(second.mapped() - first.mapped(), static_cast<std::ptrdiff_t>(second.slice().offset - first.slice().offset));
    *first.mapped<uint32_t>() = 42;
  }
  EXPECT_EQ(memory.use().device_bytes, 0u);
}

TEST(Memory, NeighboursMergeAndAreUsedAgain) {
  vk::Memory memory(*engine().device, 0);
  const vk::Buffer anchor = memory.allocate(256, vk::Intent::activations);  // keeps the block alive
  for (const std::vector<int>& order : {std::vector<int>{0, 1, 2}, {2, 1, 0}, {0, 2, 1}, {1, 0, 2}}) {
    vk::Buffer parts[3];
    for (vk::Buffer& part : parts) part = memory.allocate(1 << 20, vk::Intent::activations);
    const vk::Buffer last = memory.allocate(256, vk::Intent::activations);
    const vk::Slice first = parts[0].slice();
    for (int i : order) parts[i] = vk::Buffer();
    const vk::Buffer joined = memory.allocate(3 << 20, vk::Intent::activations);
    EXPECT_EQ(joined.slice().buffer, first.buffer);
    EXPECT_EQ(joined.slice().offset, first.offset);
  }
}

TEST(Memory, MovedBuffersAreReleasedOnce) {
  vk::Memory memory(*engine().device, 0);
  {
    vk::Buffer first = memory.allocate(1000, vk::Intent::weights);
    vk::Buffer second = std::move(first);
    EXPECT_TRUE(second);
    first = memory.allocate(1000, vk::Intent::weights);
    second = std::move(first);
  }
  EXPECT_EQ(memory.use().device_bytes, 0u);
  EXPECT_GT(memory.use().device_peak_bytes, 0u);
}

TEST(Memory, BudgetHolds) {
  constexpr uint64_t mib = 1 << 20;
  vk::Memory memory(*engine().device, 20 * mib);
  const vk::Buffer most = memory.allocate(15 * mib, vk::Intent::weights);
  const vk::Buffer rest = memory.allocate(5 * mib, vk::Intent::weights);  // a shared block would exceed the budget, the piece does not
  EXPECT_LE(memory.use().device_bytes, 20 * mib);
  expect_error(ErrorCode::device_out_of_memory, [&] { memory.allocate(mib, vk::Intent::activations); }, "room for 21.0 MB");
  const vk::Buffer host = memory.allocate(mib, vk::Intent::upload);  // not the device's
  EXPECT_EQ(memory.use().device_bytes, 20 * mib);
}

TEST(Memory, OnePieceHasALimit) {
  vk::Memory& memory = *engine().memory;
  EXPECT_GE(memory.max_allocation(), uint64_t{64} << 20);
  expect_error(ErrorCode::device_out_of_memory, [&] { memory.allocate(memory.max_allocation() + 1, vk::Intent::weights); }, "one piece");
}

// --- pipelines ----------------------------------------------------------------------------------

class PipelineFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("loupe-pipelines-" + std::to_string(reinterpret_cast<uintptr_t>(this)) + "-" +
                                           std::to_string(Random(std::random_device{}()).bits()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path only_file() const {
    fs::path found;
    for (const auto& entry : fs::directory_iterator(folder_)) found = entry.path();
    return found;
  }
  static std::string contents(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  static void write(const fs::path& path, const std::string& data) { std::ofstream(path, std::ios::binary) << data; }
  void compile_and_save() {
    vk::Pipelines pipelines(*engine().device, shader_directory(), folder_.string());
    EXPECT_NE(pipelines.get("argmax", {}, 2, 12).handle, VkPipeline{});
    pipelines.save();
  }
  fs::path folder_;
};

TEST_F(PipelineFiles, CacheIsWrittenAndRead) {
  compile_and_save();
  const fs::path file = only_file();
  ASSERT_FALSE(file.empty());
  EXPECT_EQ(file.extension(), ".bin");
  EXPECT_GE(fs::file_size(file), sizeof(VkPipelineCacheHeaderVersionOne));
  compile_and_save();
  EXPECT_EQ(only_file(), file);
}

TEST_F(PipelineFiles, DamagedCachesAreReplaced) {
  compile_and_save();
  const fs::path file = only_file();
  const std::string good = contents(file);
  std::string other_device = good, other_driver = good;
  other_device[8] = static_cast<char>(other_device[8] ^ 1);    // vendorID
  other_driver[20] = static_cast<char>(other_driver[20] ^ 1);  // pipelineCacheUUID
  for (const std::string& bad :
       {std::string(), std::string("not a cache"), std::string(5000, '\x5a'), good.substr(0, 20), other_device, other_driver}) {
    write(file, bad);
    compile_and_save();
    EXPECT_EQ(contents(file).substr(0, sizeof(VkPipelineCacheHeaderVersionOne)), good.substr(0, sizeof(VkPipelineCacheHeaderVersionOne)));
  }
}

TEST_F(PipelineFiles, AFolderThatCannotBeWrittenIsNoError) {
  write(folder_ / "file", "in the way");
  vk::Pipelines pipelines(*engine().device, shader_directory(), (folder_ / "file").string());
  pipelines.get("argmax", {}, 2, 12);
  EXPECT_NO_THROW(pipelines.save());
}

TEST_F(PipelineFiles, OnePipelineForOneKey) {
  vk::Pipelines pipelines(*engine().device, shader_directory(), "");
  const VkPipeline first = pipelines.get("layer_norm", {32}, 4, 24).handle;
  EXPECT_EQ(pipelines.get("layer_norm", {32}, 4, 24).handle, first);
  EXPECT_NE(pipelines.get("layer_norm", {64}, 4, 24).handle, first);
}

TEST_F(PipelineFiles, MissingAndDamagedShaders) {
  write(folder_ / "damaged.spv", "this is not SPIR-V..");
  write(folder_ / "short.spv", contents(fs::path(shader_directory()) / "argmax.spv").substr(0, 41));
  vk::Pipelines pipelines(*engine().device, folder_.string(), "");
  EXPECT_FALSE(pipelines.has("absent"));
  EXPECT_TRUE(pipelines.has("damaged"));
  expect_error(ErrorCode::shader_missing, [&] { pipelines.get("absent", {}, 2, 8); }, "absent.spv is missing");
  expect_error(ErrorCode::shader_missing, [&] { pipelines.get("damaged", {}, 2, 8); }, "damaged.spv is damaged");
  expect_error(ErrorCode::shader_missing, [&] { pipelines.get("short", {}, 2, 8); }, "short.spv is damaged");
}

// --- recorder -----------------------------------------------------------------------------------

/// Dispatches one shader that reads and writes: x[i] += gate * table[i].
class RecorderTest : public DeviceTest {
 protected:
  struct Push {
    uint32_t hidden, padded, first;
    float gate;
    uint32_t offset;
  };
  void add(vk::Recorder& to, const Tensor& table, const Tensor& x, float gate = 1, vk::Cost cost = {1, 1}) {
    const vk::Pipeline& pipeline = engine().pipelines->get("tile_embedding_f32", {}, 2, sizeof(Push));
    const Push push{x.cols, 1, 0, gate, x.offset};
    to.dispatch(pipeline, {vk::reads(table.slice), vk::updates(x.slice)}, &push, {divide_up(x.cols, 64)}, cost);
  }
};

TEST_F(RecorderTest, DependentDispatchesRunInOrder) {
  constexpr uint32_t n = 4096;
  const Tensor ones = row(Floats(n, 1.0f)), a = row(Floats(n, 1.0f)), b = row(Floats(n, 0.0f));
  // Each step reads what the one before wrote: a, b become neighbouring Fibonacci numbers.
  for (int i = 0; i < 10; ++i) {
    add(recorder, a, b);
    add(recorder, b, a);
  }
  add(recorder, ones, a, -1);
  expect_same(read(b), Floats(n, 6765.0f), "b");
  expect_same(read(a), Floats(n, 10945.0f), "a");
}

TEST_F(RecorderTest, WritersWaitForReaders) {
  constexpr uint32_t n = 1 << 16;
  const Tensor source = row(Floats(n, 3.0f)), first = row(Floats(n, 0.0f)), second = row(Floats(n, 0.0f)), third = row(Floats(n, 0.0f));
  recorder.copy(source.slice, first.slice);
  recorder.fill(source.slice, 0x40A00000);  // 5
  recorder.copy(source.slice, second.slice);
  add(recorder, source, third);
  recorder.fill(source.slice, 0);
  expect_same(read(first), Floats(n, 3.0f), "before the first fill");
  expect_same(read(second), Floats(n, 5.0f), "after the first fill");
  expect_same(read(third), Floats(n, 5.0f), "before the second fill");
  expect_same(read(source), Floats(n, 0.0f), "after the second fill");
}

TEST_F(RecorderTest, PartsOfOneBufferAreTellApart) {
  constexpr uint32_t n = 64;
  const Tensor all = row(Floats(4 * n, 1.0f));
  const Tensor parts[] = {all.reshape(4, n).view(0, 1), all.reshape(4, n).view(1, 1), all.reshape(4, n).view(2, 1),
                          all.reshape(4, n).view(3, 1)};
  for (int i = 0; i < 3; ++i) add(recorder, parts[i], parts[i + 1]);
  const Floats y = read(all);
  EXPECT_EQ((Floats{y[0], y[n], y[2 * n], y[3 * n]}), (Floats{1, 2, 3, 4}));
}

// Columns that two dispatches share need a barrier; columns apart, as of the blocks of a matrix, need none.
TEST_F(RecorderTest, ColumnsOfOneTensorAreTellApart) {
  constexpr uint32_t n = 64;
  const Tensor ones = row(Floats(n, 1.0f)), x = row(Floats(n, 0.0f));
  const vk::Pipeline& pipeline = engine().pipelines->get("tile_embedding_f32", {}, 2, sizeof(Push));
  const auto barriers = [&](vk::Columns first, vk::Columns second) {
    recorder.fill(x.slice, 0);
    recorder.sync();
    const uint64_t before = recorder.barriers();
    const Push push{n, 1, 0, 0, 0};
    for (const vk::Columns& columns : {first, second})
      recorder.dispatch(pipeline, {vk::reads(ones.slice), vk::updates(x.slice, columns)}, &push, {1}, {1, 1});
    recorder.sync();
    return recorder.barriers() - before;
  };
  EXPECT_EQ(barriers({0, 128, 256}, {128, 128, 256}), 0u);
  EXPECT_EQ(barriers({128, 128, 256}, {0, 128, 256}), 0u);
  EXPECT_EQ(barriers({0, 132, 256}, {128, 128, 256}), 1u) << "they share four bytes";
  EXPECT_EQ(barriers({0, 128, 256}, {128, 64, 128}), 1u) << "rows of different widths";
  EXPECT_EQ(barriers({0, 128, 256}, {128, 128, 256, 64}), 1u) << "rows that begin elsewhere";
  EXPECT_EQ(barriers({0, 128, 256}, {}), 1u) << "all of it";
}

// Costs beyond the target time end a submission; order and results stay.
TEST_F(RecorderTest, LongWorkIsCutIntoSubmissions) {
  const Tensor ones = row(Floats(64, 1.0f)), x = row(Floats(64, 0.0f));
  recorder.sync();
  const uint64_t before = recorder.submissions();
  for (int i = 0; i < 12; ++i) add(recorder, ones, x, 1, {1e13, 1});
  recorder.sync();
  EXPECT_GE(recorder.submissions() - before, 4u);
  EXPECT_GT(recorder.longest_submission_ms(), 0.0);
  expect_same(read(x), Floats(64, 12.0f), "twelve submissions");
}

TEST_F(RecorderTest, ManyDispatchesInOneSubmission) {
  const Tensor ones = row(Floats(64, 1.0f)), x = row(Floats(64, 0.0f));
  for (int i = 0; i < 700; ++i) add(recorder, ones, x);  // more descriptor sets than one pool holds
  expect_same(read(x), Floats(64, 700.0f), "700 dispatches");
}

TEST_F(RecorderTest, RetainedWorkIsReplayedOnWhatTheHostWrote) {
  const Tensor ones = row(Floats(64, 1.0f)), x = row(Floats(64, 0.0f));
  recorder.sync();
  vk::Slice from;
  float* host = reinterpret_cast<float*>(shared_words(64, from));
  const vk::Buffer back = memory.allocate(256, vk::Intent::readback);
  vk::Recorder step(*engine().device, vk::Recorder::Mode::retained);
  step.copy(from, x.slice);
  add(step, ones, x, 10);
  step.flush();  // a second segment
  add(step, ones, x, 100);
  step.copy(x.slice, back.slice());
  for (float value : {1.0f, 2.0f, 7.0f, -3.0f}) {
    std::fill_n(host, 64, value);
    step.replay();
    EXPECT_EQ(back.mapped<float>()[0], value + 110);
    EXPECT_EQ(back.mapped<float>()[63], value + 110);
  }
  EXPECT_EQ(step.submissions(), 8u);
}

TEST_F(RecorderTest, RetainedWorkIsCutByItsCost) {
  const Tensor ones = row(Floats(64, 1.0f)), x = row(Floats(64, 0.0f));
  recorder.sync();
  vk::Recorder step(*engine().device, vk::Recorder::Mode::retained);
  for (int i = 0; i < 5; ++i) add(step, ones, x, 1, {1e13, 1});
  step.replay();
  step.replay();
  EXPECT_GE(step.submissions(), 6u);
  expect_same(read(x), Floats(64, 10.0f), "two replays");
}

// A device that turns out to be faster, or slower, than was assumed: the next recording knows.
TEST_F(RecorderTest, RetainedWorkIsCutByTheSpeedThatWasLearned) {
  const Tensor ones = row(Floats(64, 1.0f)), x = row(Floats(64, 0.0f));
  recorder.sync();
  const auto record = [&](vk::Recorder& step, const vk::Cost& cost) {
    for (int i = 0; i < 5; ++i) add(step, ones, x, 1, cost);
    step.replay();
  };
  const double assumed = engine().device->quirks().assumed_flops;
  vk::Recorder careful(*engine().device, vk::Recorder::Mode::retained);
  record(careful, {0.03 * assumed, 1});  // 30 ms each, for some microseconds
  EXPECT_EQ(careful.segments(), 5u);
  for (int i = 0; i < 60; ++i) careful.replay();
  EXPECT_TRUE(careful.is_cut_wrongly());
  vk::Recorder whole(*engine().device, vk::Recorder::Mode::retained, careful.speed());
  record(whole, {0.03 * assumed, 1});
  EXPECT_EQ(whole.segments(), 1u);
  EXPECT_FALSE(whole.is_cut_wrongly());

  vk::Recorder hasty(*engine().device, vk::Recorder::Mode::retained, {1e-9, 1});
  record(hasty, {0.03 * assumed, 1});
  EXPECT_EQ(hasty.segments(), 1u);
  EXPECT_FALSE(hasty.is_cut_wrongly()) << "it is as fast as it was said to be";
  vk::Recorder slow(*engine().device, vk::Recorder::Mode::retained, {20, 1});
  record(slow, {0.003 * assumed, 1});  // 60 ms each, expected
  EXPECT_EQ(slow.segments(), 5u);
}

// What a driver has to flush for copies is asked for where there are copies.
TEST_F(RecorderTest, BarriersBetweenDispatchesNameNothingElse) {
  const Tensor ones = row(Floats(64, 1.0f)), x = row(Floats(64, 0.0f)), y = row(Floats(64, 0.0f));
  recorder.sync();
  static std::vector<std::pair<VkPipelineStageFlags, VkPipelineStageFlags>> barriers;
  static PFN_vkCmdPipelineBarrier real = nullptr;
  vk::Api& api = engine().instance->api();
  real = api.vkCmdPipelineBarrier;
  barriers.clear();
  api.vkCmdPipelineBarrier = [](VkCommandBuffer commands, VkPipelineStageFlags from, VkPipelineStageFlags to, VkDependencyFlags flags,
                                uint32_t memories, const VkMemoryBarrier* memory, uint32_t buffers, const VkBufferMemoryBarrier* buffer,
                                uint32_t images, const VkImageMemoryBarrier* image) {
    barriers.emplace_back(from, to);
    real(commands, from, to, flags, memories, memory, buffers, buffer, images, image);
  };
  constexpr VkPipelineStageFlags compute = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, both = compute | VK_PIPELINE_STAGE_TRANSFER_BIT;
  add(recorder, ones, x);              // the first of a submission waits for all before it
  add(recorder, x, y);                 // reads what was written
  recorder.copy(x.slice, ones.slice);  // x was written before the barrier; ones was read
  add(recorder, ones, y);              // reads what was copied
  add(recorder, y, x);                 // x was read by the copy, which is done
  recorder.fill(ones.slice, 0);        // read before a barrier between dispatches
  recorder.sync();
  api.vkCmdPipelineBarrier = real;
  const std::vector<std::pair<VkPipelineStageFlags, VkPipelineStageFlags>> expected = {{both, both},
                                                                                       {compute, compute},
                                                                                       {compute, both},
                                                                                       {both, compute},
                                                                                       {compute, compute},
                                                                                       {compute, both},
                                                                                       {both, VK_PIPELINE_STAGE_HOST_BIT}};
  EXPECT_EQ(barriers, expected);
  expect_same(read(y), Floats(64, 2.0f), "y");
  expect_same(read(x), Floats(64, 3.0f), "x");
  expect_same(read(ones), Floats(64, 0.0f), "ones");
}

TEST_F(RecorderTest, WorkOverTheBusIsCutByTheSpeedOfTheBus) {
  const Tensor ones = row(Floats(64, 1.0f)), x = row(Floats(64, 0.0f));
  recorder.sync();
  const double bytes = engine().device->quirks().assumed_bus_bandwidth * 0.03;  // 30 ms; two are too much for one submission
  const vk::Cost over_bus{0, bytes, bytes};
  vk::Recorder step(*engine().device, vk::Recorder::Mode::retained);
  for (int i = 0; i < 5; ++i) add(step, ones, x, 1, over_bus);
  step.replay();
  EXPECT_EQ(step.submissions(), 5u);
  // A device that turned out to be fast has said nothing about its bus.
  for (int i = 0; i < 50; ++i) add(recorder, ones, x, 1, {1e13, 1});
  recorder.sync();
  const uint64_t before = recorder.submissions();
  add(recorder, ones, x, 1, over_bus);
  add(recorder, ones, x, 1, over_bus);
  recorder.sync();
  EXPECT_EQ(recorder.submissions() - before, 2u);
  expect_same(read(x), Floats(64, 57.0f), "all of them");
}

TEST_F(RecorderTest, CancelledAndUsedAgain) {
  const Tensor ones = row(Floats(64, 1.0f)), x = row(Floats(64, 0.0f));
  recorder.sync();
  std::atomic<bool> cancel = false;
  recorder.set_cancel(&cancel);
  add(recorder, ones, x);
  cancel = true;
  expect_error(ErrorCode::cancelled, [&] { recorder.sync(); });
  cancel = false;
  // Raised while work is in flight: noticed by the dispatch that would begin another submission.
  add(recorder, ones, x, 1, {1e13, 1});
  recorder.flush();
  add(recorder, ones, x, 1, {1e13, 1});
  cancel = true;
  expect_error(ErrorCode::cancelled, [&] { add(recorder, ones, x, 1, {1e13, 1}); });
  cancel = false;
  expect_same(read(x), Floats(64, 1.0f), "only what was submitted ran");
  add(recorder, ones, x, 5);
  expect_same(read(x), Floats(64, 6.0f), "after the cancelled requests");
  recorder.set_cancel(nullptr);
}

TEST_F(RecorderTest, CancelledReplay) {
  const Tensor ones = row(Floats(64, 1.0f)), x = row(Floats(64, 0.0f));
  recorder.sync();
  std::atomic<bool> cancel = true;
  vk::Recorder step(*engine().device, vk::Recorder::Mode::retained);
  step.set_cancel(&cancel);
  add(step, ones, x);
  expect_error(ErrorCode::cancelled, [&] { step.replay(); });
  cancel = false;
  step.replay();
  expect_same(read(x), Floats(64, 1.0f), "one replay");
}

TEST_F(RecorderTest, DispatchesBeyondLimitsAreRefused) {
  const vk::DeviceInfo& info = engine().device->info();
  const Tensor ones = row(Floats(64, 1.0f)), x = row(Floats(64, 0.0f));
  const vk::Pipeline& pipeline = engine().pipelines->get("tile_embedding_f32", {}, 2, sizeof(Push));
  const Push push{64, 1, 0, 1, 0};
  const auto refused = [&](vk::Slice table, vk::Groups groups, const std::string& named) {
    expect_error(
        ErrorCode::internal, [&] { recorder.dispatch(pipeline, {vk::reads(table), vk::updates(x.slice)}, &push, groups, {}); }, named);
  };
  vk::Slice large = ones.slice, misaligned = ones.slice, empty = ones.slice;
  large.size = info.max_binding_bytes + 1;
  misaligned.offset += 1;
  empty.size = 0;
  refused(large, {1}, std::to_string(large.size));
  if (info.storage_alignment > 1) refused(misaligned, {1}, "bytes at");
  refused(empty, {1}, "0 bytes");
  if (info.max_groups[1] < std::numeric_limits<uint32_t>::max()) refused(ones.slice, {1, info.max_groups[1] + 1, 1}, "workgroups");
  expect_error(ErrorCode::internal, [&] { recorder.dispatch(pipeline, {vk::updates(x.slice)}, &push, {1}, {}); }, "bindings");
  add(recorder, ones, x);
  expect_same(read(x), Floats(64, 1.0f), "the refused dispatches did nothing");
}

PFN_vkGetPhysicalDeviceProperties2 real_properties = nullptr;

/// A device of today that lost its subgroup arithmetic.
VKAPI_ATTR void VKAPI_CALL properties_without_arithmetic(VkPhysicalDevice device, VkPhysicalDeviceProperties2* properties) {
  real_properties(device, properties);
  for (auto* next = static_cast<VkBaseOutStructure*>(properties->pNext); next; next = next->pNext)
    if (next->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES)
      reinterpret_cast<VkPhysicalDeviceSubgroupProperties*>(next)->supportedOperations = VK_SUBGROUP_FEATURE_BASIC_BIT;
}

TEST(Instance, RefusesADeviceThatLacksWhatTheKernelsNeed) {
  vk::Instance instance(false);
  real_properties = instance.api().vkGetPhysicalDeviceProperties2;
  instance.api().vkGetPhysicalDeviceProperties2 = properties_without_arithmetic;
  for (const std::string request : {"", "0"}) {
    try {
      instance.choose(request);
      FAIL() << "chosen all the same";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::device_unsuitable);
      EXPECT_NE(std::string(error.what()).find("subgroup arithmetic"), std::string::npos);
      EXPECT_FALSE(error.next_step().empty());
    }
  }
}

}  // namespace
}  // namespace loupe::test
