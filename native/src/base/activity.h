#pragma once
// Progress, for the process that watches this one: steps that were done, and whether a thread waits for the device.

#include <cstdint>

namespace loupe::activity {

/// Something that takes a moment is done: a submission, a compiled shader, a row of weights. Any thread.
void step() noexcept;
uint64_t steps() noexcept;

/// While an object of this class exists, a thread waits for a device that has not answered for a while.
class Waiting {
 public:
  Waiting() noexcept;
  ~Waiting();
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
};
bool waiting() noexcept;

}  // namespace loupe::activity
