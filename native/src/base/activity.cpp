#include "base/activity.h"

#include <atomic>

namespace loupe::activity {
namespace {

std::atomic<uint64_t> done{0};
std::atomic<int> waiters{0};

}  // namespace

void step() noexcept { done.fetch_add(1, std::memory_order_relaxed); }
uint64_t steps() noexcept { return done.load(std::memory_order_relaxed); }

Waiting::Waiting() noexcept { ++waiters; }
Waiting::~Waiting() { --waiters; }
bool waiting() noexcept { return waiters > 0; }

}  // namespace loupe::activity
