// The table of what devices need done differently.
#include <gtest/gtest.h>

#include "ops/ops.h"
#include "support.h"
#include "vk/quirks.h"

namespace loupe::test {
namespace {

vk::DeviceInfo device_of(vk::DeviceKind kind, uint32_t subgroup_size) {
  vk::DeviceInfo info;
  info.kind = kind;
  info.subgroup_size = subgroup_size;
  return info;
}

TEST(Quirks, OfAProcessor) {
  for (uint32_t subgroup_size : {4u, 8u, 16u}) {
    const vk::Quirks quirks = vk::quirks_of(device_of(vk::DeviceKind::cpu, subgroup_size));
    EXPECT_EQ(quirks.matvec_threads, subgroup_size) << "one subgroup a row";
    EXPECT_FALSE(quirks.fast_matrices);
    EXPECT_GT(quirks.fence_slices, vk::Quirks().fence_slices);
  }
}

TEST(Quirks, OfCards) {
  for (vk::DeviceKind kind : {vk::DeviceKind::discrete, vk::DeviceKind::integrated, vk::DeviceKind::other}) {
    const vk::Quirks quirks = vk::quirks_of(device_of(kind, 64));
    EXPECT_EQ(quirks.matvec_threads, 64u);
    EXPECT_TRUE(quirks.fast_matrices);
    EXPECT_EQ(quirks.fence_slices, vk::Quirks().fence_slices);
  }
}

TEST(Quirks, OfMetal) {
  vk::DeviceInfo info = device_of(vk::DeviceKind::integrated, 32);
  EXPECT_TRUE(vk::quirks_of(info).last_workgroup);
  info.driver = "MoltenVK 1.2.9";
  EXPECT_FALSE(vk::quirks_of(info).last_workgroup);
}

// Subgroups of kernels for matrix units: what the card is fastest with, where a pipeline can demand it.
TEST(Quirks, OfMatrixUnits) {
  const auto subgroup = [](vk::MatrixShape shape, uint32_t reported, uint32_t smallest, uint32_t largest) {
    vk::DeviceInfo info = device_of(vk::DeviceKind::discrete, reported);
    info.min_subgroup_size = smallest;
    info.max_subgroup_size = largest;
    info.matrix_shapes = {shape};
    return vk::quirks_of(info).matrix_subgroup;
  };
  EXPECT_EQ(subgroup({16, 16, 16}, 64, 32, 64), 32u) << "RDNA3";
  EXPECT_EQ(subgroup({16, 16, 16}, 64, 64, 64), 0u) << "cards with subgroups of 64 only";
  EXPECT_EQ(subgroup({16, 16, 16}, 64, 0, 0), 0u) << "drivers that take no demands";
  EXPECT_EQ(subgroup({16, 16, 16}, 32, 32, 32), 0u) << "GeForce";
  EXPECT_EQ(subgroup({8, 8, 16}, 32, 8, 32), 8u) << "Arc A";
  EXPECT_EQ(subgroup({8, 16, 16}, 32, 16, 32), 16u) << "Xe2";
}

// Each row by what its devices report; the last ones are of vendors that the table does not know.
TEST(Quirks, TableOfDevices) {
  struct Reported {
    const char* architecture;
    uint32_t vendor;
    std::vector<vk::MatrixShape> shapes;
    uint32_t subgroup, smallest, largest, matrix_subgroup;
    const char* driver = "";
  };
  const std::vector<vk::MatrixShape> squares{{16, 16, 16}}, arc{{8, 8, 16}}, xe2{{8, 16, 16}};
  for (const Reported& one : {
           Reported{"AMD RDNA3, RDNA4", 0x1002, squares, 64, 32, 64, 32},
           {"AMD RDNA1, RDNA2", 0x1002, {}, 64, 32, 64, 0},
           {"AMD GCN, CDNA", 0x1002, {}, 64, 64, 64, 0},
           {"NVIDIA Turing and later", 0x10de, squares, 32, 32, 32, 0, "NVIDIA 580.159.04"},
           {"NVIDIA Turing and later, NVK", 0x10de, squares, 32, 32, 32, 0, "NVK Mesa 26.1.6"},
           {"NVIDIA before Turing", 0x10de, {}, 32, 32, 32, 0},
           {"Intel Xe2", 0x8086, xe2, 32, 16, 32, 16},
           {"Intel Arc A", 0x8086, arc, 32, 8, 32, 8},
           {"Intel without matrix units", 0x8086, {}, 32, 8, 32, 0},
           {"unknown, matrices as AMD's", 0x1234, squares, 64, 32, 64, 32},
           {"unknown, matrices as Xe2's", 0x1234, xe2, 32, 16, 32, 16},
           {"unknown, matrices as Arc A's", 0x1234, arc, 32, 8, 32, 8},
           {"unknown", 0x1234, squares, 32, 32, 32, 0},
           {"unknown", 0x1234, {}, 4, 0, 0, 0},
       }) {
    vk::DeviceInfo info = device_of(vk::DeviceKind::discrete, one.subgroup);
    info.vendor_id = one.vendor;
    info.driver = one.driver;
    info.matrix_shapes = one.shapes;
    info.min_subgroup_size = one.smallest;
    info.max_subgroup_size = one.largest;
    const vk::Quirks quirks = vk::quirks_of(info);
    EXPECT_STREQ(quirks.architecture, one.architecture);
    EXPECT_EQ(quirks.matrix_subgroup, one.matrix_subgroup) << one.architecture;
    EXPECT_EQ(quirks.matvec_threads, 64u) << one.architecture;
    EXPECT_TRUE(quirks.timed) << one.architecture;
    EXPECT_NE(std::string(quirks.source), "") << one.architecture;
  }
}

// Float16 is a choice of the table, not of what the device could do; who asks for it gets it all the same.
TEST(Quirks, DecideWhatAutoTakes) {
  const Engine& e = engine();
  const bool expected = e.device->quirks().fast_matrices && ops::has_half_matmul(*e.device, *e.pipelines);
  EXPECT_EQ(ops::best_activations(*e.device, *e.pipelines), expected ? Activations::f16 : Activations::f32);
  if (e.device->info().kind == vk::DeviceKind::cpu) {
    EXPECT_EQ(ops::best_activations(*e.device, *e.pipelines), Activations::f32);
  }
}

}  // namespace
}  // namespace loupe::test
