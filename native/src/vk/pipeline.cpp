#include "vk/pipeline.h"

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/activity.h"
#include "base/error.h"

namespace loupe::vk {
namespace {

std::vector<char> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// The cache belongs to one driver build of one device.
std::string cache_file_name(const DeviceInfo& info) {
  std::string name = "pipelines-";
  char hex[3];
  for (uint8_t byte : info.pipeline_cache_uuid) {
    std::snprintf(hex, sizeof hex, "%02x", byte);
    name += hex;
  }
  return name + "-" + std::to_string(info.driver_version) + ".bin";
}

/// Drivers have crashed on caches of others, so the header is checked before the driver sees it.
bool cache_header_matches(const std::vector<char>& data, const DeviceInfo& info) {
  VkPipelineCacheHeaderVersionOne header;
  if (data.size() < sizeof header) return false;
  std::memcpy(&header, data.data(), sizeof header);
  return header.headerVersion == VK_PIPELINE_CACHE_HEADER_VERSION_ONE && header.vendorID == info.vendor_id &&
         header.deviceID == info.device_id && std::memcmp(header.pipelineCacheUUID, info.pipeline_cache_uuid, VK_UUID_SIZE) == 0;
}

}  // namespace

Pipelines::Pipelines(Device& device, std::string shader_directory, std::string cache_directory)
    : device_(device), shader_directory_(std::move(shader_directory)) {
  std::vector<char> stored;
  if (!cache_directory.empty()) {
    cache_path_ = cache_directory + "/" + cache_file_name(device.info());
    stored = read_file(cache_path_);
    if (!cache_header_matches(stored, device.info())) stored.clear();
  }
  VkPipelineCacheCreateInfo create{VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO};
  create.initialDataSize = stored.size();
  create.pInitialData = stored.data();
  check(device.api().vkCreatePipelineCache(device.handle(), &create, nullptr, &cache_), "vkCreatePipelineCache");
}

Pipelines::~Pipelines() {
  if (device_.hung()) return;
  const Api& api = device_.api();
  for (auto& [key, pipeline] : pipelines_) api.vkDestroyPipeline(device_.handle(), pipeline.handle, nullptr);
  for (auto& [name, shader] : modules_) api.vkDestroyShaderModule(device_.handle(), shader, nullptr);
  for (auto& [key, layout] : layouts_) {
    api.vkDestroyPipelineLayout(device_.handle(), layout.pipeline, nullptr);
    api.vkDestroyDescriptorSetLayout(device_.handle(), layout.set, nullptr);
  }
  api.vkDestroyPipelineCache(device_.handle(), cache_, nullptr);
}

Pipelines::Layout Pipelines::layout(uint32_t bindings, uint32_t push_bytes) {
  auto [entry, created] = layouts_.try_emplace({bindings, push_bytes});
  Layout& layout = entry->second;
  if (!created) return layout;
  std::vector<VkDescriptorSetLayoutBinding> list(bindings);
  for (uint32_t i = 0; i < bindings; ++i) list[i] = {i, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, nullptr};
  VkDescriptorSetLayoutCreateInfo set{VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO};
  set.bindingCount = bindings;
  set.pBindings = list.data();
  check(device_.api().vkCreateDescriptorSetLayout(device_.handle(), &set, nullptr, &layout.set), "vkCreateDescriptorSetLayout");
  const VkPushConstantRange range{VK_SHADER_STAGE_COMPUTE_BIT, 0, push_bytes};
  VkPipelineLayoutCreateInfo create{VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO};
  create.setLayoutCount = 1;
  create.pSetLayouts = &layout.set;
  create.pushConstantRangeCount = push_bytes ? 1 : 0;
  create.pPushConstantRanges = &range;
  check(device_.api().vkCreatePipelineLayout(device_.handle(), &create, nullptr, &layout.pipeline), "vkCreatePipelineLayout");
  return layout;
}

bool Pipelines::has(const std::string& shader) const { return std::filesystem::exists(shader_path(shader)); }

VkShaderModule Pipelines::module(const std::string& shader) {
  if (auto known = modules_.find(shader); known != modules_.end()) return known->second;
  const std::vector<char> code = read_file(shader_path(shader));
  constexpr uint32_t spirv_magic = 0x07230203;
  uint32_t magic = 0;
  if (code.size() >= 4) std::memcpy(&magic, code.data(), 4);
  if (magic != spirv_magic || code.size() % 4)
    throw Error(ErrorCode::shader_missing, "The shader " + shader_path(shader) + (code.empty() ? " is missing." : " is damaged."),
                "Install Loupe again (from a checkout: run npm start).");
  std::vector<uint32_t> words(code.size() / 4);
  std::memcpy(words.data(), code.data(), code.size());
  VkShaderModuleCreateInfo create{VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO};
  create.codeSize = code.size();
  create.pCode = words.data();
  VkShaderModule handle = VK_NULL_HANDLE;
  check(device_.api().vkCreateShaderModule(device_.handle(), &create, nullptr, &handle), "vkCreateShaderModule");
  return modules_[shader] = handle;
}

const Pipeline& Pipelines::get(const std::string& shader, const std::vector<uint32_t>& constants, uint32_t bindings, uint32_t push_bytes) {
  const Key key(shader, constants);
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto [entry, created] = pipelines_.try_emplace(key);
    if (entry->second.handle) return entry->second;
    if (created) break;
    // Where the other thread fails, this one tries, and says why.
    compiled_.wait(lock);
  }
  try {
    const Layout layouts = layout(bindings, push_bytes);
    const VkShaderModule code = module(shader);
    lock.unlock();
    const Pipeline made = compile(key, code, layouts, bindings, push_bytes);
    lock.lock();
    Pipeline& pipeline = pipelines_.at(key) = made;
    compiled_.notify_all();
    return pipeline;
  } catch (...) {
    if (!lock.owns_lock()) lock.lock();
    pipelines_.erase(key);
    compiled_.notify_all();
    throw;
  }
}

Pipeline Pipelines::compile(const Key& key, VkShaderModule module, const Layout& layouts, uint32_t bindings, uint32_t push_bytes) {
  const auto& [shader, constants] = key;
  std::vector<VkSpecializationMapEntry> entries(constants.size());
  for (uint32_t i = 0; i < entries.size(); ++i) entries[i] = {i, i * 4, 4};
  const VkSpecializationInfo specialisation{static_cast<uint32_t>(entries.size()), entries.data(), constants.size() * 4, constants.data()};
  VkComputePipelineCreateInfo create{VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO};
  create.stage.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO;
  create.stage.stage = VK_SHADER_STAGE_COMPUTE_BIT;
  create.stage.module = module;
  create.stage.pName = "main";
  create.stage.pSpecializationInfo = &specialisation;
  VkPipelineShaderStageRequiredSubgroupSizeCreateInfo subgroup{VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO};
  subgroup.requiredSubgroupSize = device_.matrix_subgroup();
  if (device_.info().subgroup_size_control && shader.starts_with("coopmat_")) {
    create.stage.pNext = &subgroup;
    create.stage.flags = VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT;
  }
  create.layout = layouts.pipeline;
  std::string name = shader;
  for (const uint32_t constant : constants) name += " " + std::to_string(constant);
  Pipeline pipeline{VK_NULL_HANDLE, layouts.pipeline, layouts.set, bindings, push_bytes, name};
  check(device_.api().vkCreateComputePipelines(device_.handle(), cache_, 1, &create, nullptr, &pipeline.handle),
        ("Compiling the shader " + shader).c_str());
  activity::step();
  return pipeline;
}

size_t Pipelines::count() const {
  const std::lock_guard lock(mutex_);
  return pipelines_.size();
}

void Pipelines::save() const {
  if (cache_path_.empty() || device_.hung()) return;
  const std::lock_guard lock(mutex_);
  size_t size = 0;
  const Api& api = device_.api();
  if (api.vkGetPipelineCacheData(device_.handle(), cache_, &size, nullptr) != VK_SUCCESS) return;
  std::vector<char> data(size);
  if (api.vkGetPipelineCacheData(device_.handle(), cache_, &size, data.data()) != VK_SUCCESS) return;
  // Written beside and renamed, so that a second process never reads half a cache.
  std::error_code ignored;
  const std::filesystem::path path(cache_path_);
  std::filesystem::create_directories(path.parent_path(), ignored);
  const std::string part = cache_path_ + ".part";
  {
    std::ofstream file(part, std::ios::binary | std::ios::trunc);
    file.write(data.data(), static_cast<std::streamsize>(size));
    if (!file) return;
  }
  std::filesystem::rename(part, path, ignored);
}

}  // namespace loupe::vk
