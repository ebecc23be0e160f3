#pragma once
// How long every kernel takes on the device's own clock, for benchmarks.

#include <cstdint>
#include <map>
#include <string>

namespace loupe::vk {

/// A recorder of a device that has one (Device::set_profile) writes a timestamp behind every dispatch, which costs about a microsecond each. A
/// dispatch takes from the end of the one before to its own: of those that run side by side, the later ones seem shorter.
class Profile {
 public:
  struct Entry {
    uint64_t dispatches = 0;
    double ms = 0;
  };

  void add(const std::string& pipeline, double ms) {
    Entry& entry = entries_[pipeline];
    ++entry.dispatches;
    entry.ms += ms;
  }
  /// By Pipeline::name.
  const std::map<std::string, Entry>& entries() const { return entries_; }
  void clear() { entries_.clear(); }

 private:
  std::map<std::string, Entry> entries_;
};

}  // namespace loupe::vk
