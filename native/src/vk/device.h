#pragma once
// One Vulkan device, its features and limits, and one compute queue.

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "vk/api.h"
#include "vk/profile.h"
#include "vk/quirks.h"

namespace loupe::vk {

enum class DeviceKind { discrete, integrated, virtual_gpu, cpu, other };
const char* to_string(DeviceKind kind);

/// One shape of f16 x f16 -> f32 subgroup matrix product.
struct MatrixShape {
  uint32_t m = 0, n = 0, k = 0;
};

/// What the driver says. Sizes in bytes.
struct DeviceInfo {
  int index = 0;
  std::string name, driver, api_version;
  DeviceKind kind = DeviceKind::other;
  uint32_t vendor_id = 0, device_id = 0, driver_version = 0;
  uint8_t pipeline_cache_uuid[VK_UUID_SIZE] = {};
  uint64_t memory_bytes = 0;
  int64_t budget_bytes = -1;  ///< -1 without VK_EXT_memory_budget
  uint64_t max_binding_bytes = 0, max_allocation_bytes = 0;
  uint32_t max_shared_bytes = 0, max_workgroup_threads = 0, max_push_bytes = 0;
  uint32_t max_groups[3] = {};
  uint64_t storage_alignment = 256, atom_bytes = 256;
  uint32_t subgroup_size = 0;
  uint32_t min_subgroup_size = 0, max_subgroup_size = 0;  ///< what a pipeline can demand; 0 without subgroup_size_control
  float timestamp_period_ns = 0;
  bool float16 = false, storage16 = false, storage8 = false, int8 = false;
  bool subgroup_size_control = false;  ///< a pipeline can demand `subgroup_size`
  bool subgroup_arithmetic = false, subgroup_shuffle = false, timestamps = false, memory_budget = false, memory_model = false;
  std::vector<MatrixShape> matrix_shapes;  ///< empty without usable cooperative matrices
  bool suitable = false;
  std::string reason;  ///< why not, when not suitable
};

/// Owns the loader, the instance and the validation messenger.
class Instance {
 public:
  /// Throws no_vulkan_loader, or internal when the loader is too old.
  explicit Instance(bool validation);
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  std::vector<DeviceInfo> devices() const;
  /// `request`: an index, part of a name (any case), or empty for the best suitable device. Throws no_device, device_unsuitable.
  DeviceInfo choose(const std::string& request) const;
  VkPhysicalDevice physical(int index) const { return physical_[index]; }
  Api& api() { return api_; }
  const Api& api() const { return api_; }
  bool validating() const { return messenger_ != VK_NULL_HANDLE; }
  uint32_t validation_errors() const { return validation_errors_; }
  void count_validation_error() { ++validation_errors_; }

 private:
  DeviceInfo describe(int index) const;

  Api api_;
  VkInstance instance_ = VK_NULL_HANDLE;
  VkDebugUtilsMessengerEXT messenger_ = VK_NULL_HANDLE;
  std::atomic<uint32_t> validation_errors_{0};
  std::vector<VkPhysicalDevice> physical_;
};

class Device {
 public:
  Device(std::shared_ptr<Instance> instance, const DeviceInfo& info);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  const Api& api() const { return instance_->api(); }
  Instance& instance() { return *instance_; }
  const DeviceInfo& info() const { return info_; }
  const Quirks& quirks() const { return quirks_; }
  /// In place of the table's, where something was measured on this device. Not while work is recorded.
  void settle(const Quirks& quirks) { quirks_ = quirks; }
  VkDevice handle() const { return device_; }
  VkPhysicalDevice physical() const { return instance_->physical(info_.index); }
  VkQueue queue() const { return queue_; }
  uint32_t queue_family() const { return queue_family_; }
  bool cooperative_matrix() const { return !info_.matrix_shapes.empty(); }
  /// Size of the subgroups of kernels for matrix units.
  uint32_t matrix_subgroup() const { return quirks_.matrix_subgroup ? quirks_.matrix_subgroup : info_.subgroup_size; }

  /// Where times of dispatches are added up, or null. Set it before anything is recorded.
  Profile* profile() const { return profile_; }
  void set_profile(Profile* profile) { profile_ = profile; }

  /// A submission did not end. What it may still use is never freed: the process is expected to end soon.
  bool hung() const { return hung_; }
  void declare_hung() { hung_ = true; }

 private:
  std::shared_ptr<Instance> instance_;
  DeviceInfo info_;
  Quirks quirks_;
  VkDevice device_ = VK_NULL_HANDLE;
  VkQueue queue_ = VK_NULL_HANDLE;
  uint32_t queue_family_ = 0;
  Profile* profile_ = nullptr;
  std::atomic<bool> hung_{false};
};

}  // namespace loupe::vk
