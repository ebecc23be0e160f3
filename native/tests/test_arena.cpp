#include "support.h"

namespace loupe::test {
namespace {

bool same(const vk::Slice& a, const vk::Slice& b) { return a.buffer == b.buffer && a.offset == b.offset; }

bool overlap(const vk::Slice& a, const vk::Slice& b) {
  return a.buffer == b.buffer && a.offset < b.offset + b.size && b.offset < a.offset + a.size;
}

TEST(Arena, SlicesAreBindableAndApart) {
  Arena arena(*engine().memory);
  std::vector<vk::Slice> taken;
  for (uint64_t bytes :
       {uint64_t{1}, uint64_t{256}, uint64_t{257}, uint64_t{5} << 20, uint64_t{5} << 20, uint64_t{20} << 20, uint64_t{0}}) {
    const vk::Slice slice = arena.take(bytes);
    EXPECT_EQ(slice.offset % 256, 0u);
    EXPECT_GE(slice.size, std::max<uint64_t>(bytes, 1));
    for (const vk::Slice& other : taken) EXPECT_FALSE(overlap(slice, other)) << bytes << " bytes";
    taken.push_back(slice);
  }
}

TEST(Arena, ScopesNestAndMemoryIsTakenAgain) {
  Arena arena(*engine().memory);
  const vk::Slice outer = arena.take(1000);
  vk::Slice first, second;
  {
    Arena::Scope scope(arena);
    first = arena.take(4096);
    {
      Arena::Scope inner(arena);
      second = arena.take(7u << 20);
      arena.take(7u << 20);  // a second chunk
    }
    EXPECT_TRUE(same(arena.take(100), second));
  }
  EXPECT_TRUE(same(arena.take(4096), first));
  EXPECT_FALSE(overlap(outer, first));
}

TEST(Arena, TensorsHaveTheirShape) {
  Arena arena(*engine().memory);
  const Tensor tensor = arena.tensor(3, 72);
  EXPECT_EQ(tensor.rows, 3u);
  EXPECT_EQ(tensor.cols, 72u);
  EXPECT_GE(tensor.slice.size, 3u * 72 * 4);
  const Tensor view = tensor.view(2, 1);
  EXPECT_EQ(view.slice.offset % 256, 0u);
  EXPECT_EQ(view.slice.offset + view.offset * 4, tensor.slice.offset + 2 * 72 * 4);
  const Tensor again = tensor.view(1, 2).view(1, 1);
  EXPECT_EQ(again.slice.offset + again.offset * 4, tensor.slice.offset + 2 * 72 * 4);
}

TEST(Arena, TrimGivesBackWhatIsUnused) {
  vk::Memory memory(*engine().device, 0);
  Arena arena(memory);
  const vk::Slice kept = arena.take(100);
  const uint64_t before = memory.use().device_bytes;
  {
    Arena::Scope scope(arena);
    arena.take(40u << 20);
    EXPECT_GT(memory.use().device_bytes, before);
  }
  arena.trim();
  EXPECT_EQ(memory.use().device_bytes, before);
  EXPECT_FALSE(overlap(kept, arena.take(100)));
}

}  // namespace
}  // namespace loupe::test
