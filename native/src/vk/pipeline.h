#pragma once
// Compute pipelines by shader name and specialisation constants, made on first use and kept,
// with the driver's cache on disk.

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "vk/device.h"

namespace loupe::vk {

struct Pipeline {
  VkPipeline handle = VK_NULL_HANDLE;
  VkPipelineLayout layout = VK_NULL_HANDLE;
  VkDescriptorSetLayout set_layout = VK_NULL_HANDLE;
  uint32_t bindings = 0;
  uint32_t push_bytes = 0;
  std::string name;  ///< shader and specialisation constants
};

class Pipelines {
 public:
  /// `cache_directory` may be empty: no cache on disk.
  Pipelines(Device& device, std::string shader_directory, std::string cache_directory);
  ~Pipelines();
  Pipelines(const Pipelines&) = delete;
  Pipelines& operator=(const Pipelines&) = delete;

  /// `constants[i]` becomes specialisation constant i. Throws shader_missing. Any thread: what another one is compiling is waited for.
  /// Shaders named coopmat_* run in full subgroups of Device::matrix_subgroup() where the device lets us demand it:
  /// their work is divided by subgroup, and some drivers choose another size than they report.
  const Pipeline& get(const std::string& shader, const std::vector<uint32_t>& constants, uint32_t bindings, uint32_t push_bytes);
  bool has(const std::string& shader) const;
  /// Writes the driver's cache to disk; failing to is not an error.
  void save() const;
  /// How many there are so far.
  size_t count() const;
  Device& device() { return device_; }

 private:
  struct Layout {
    VkDescriptorSetLayout set = VK_NULL_HANDLE;
    VkPipelineLayout pipeline = VK_NULL_HANDLE;
  };
  using Key = std::pair<std::string, std::vector<uint32_t>>;
  /// Both need the lock.
  Layout layout(uint32_t bindings, uint32_t push_bytes);
  VkShaderModule module(const std::string& shader);
  Pipeline compile(const Key& key, VkShaderModule module, const Layout& layouts, uint32_t bindings, uint32_t push_bytes);
  std::string shader_path(const std::string& shader) const { return shader_directory_ + "/" + shader + ".spv"; }

  Device& device_;
  mutable std::mutex mutex_;  ///< of the maps
  std::condition_variable compiled_;
  std::string shader_directory_, cache_path_;
  VkPipelineCache cache_ = VK_NULL_HANDLE;
  std::map<std::pair<uint32_t, uint32_t>, Layout> layouts_;
  std::map<std::string, VkShaderModule> modules_;
  std::map<Key, Pipeline> pipelines_;  ///< without a handle while a thread compiles it
};

}  // namespace loupe::vk
