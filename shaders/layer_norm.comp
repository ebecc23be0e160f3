#version 450
// out = (x - mean) / sqrt(variance + eps) * weight + bias, row by row; rows outside the mask become zero.
// x, out [rows, cols] float32. One workgroup a row; two passes over the row, because the variance from
// E[x^2] - E[x]^2 loses the digits that the vision tower's large means need.
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require

layout(local_size_x_id = 0) in;
layout(std430, binding = 0) readonly buffer X { float x[]; };
layout(std430, binding = 1) readonly buffer Weight { float weight[]; };
layout(std430, binding = 2) readonly buffer Bias { float bias[]; };
layout(std430, binding = 3) writeonly buffer Out { float values[]; };
layout(push_constant) uniform Push {
  uint cols;
  float eps;
  uint group;
  uint valid;
  uint x_offset;
  uint offset;
};
#include "common/reduce.glsl"

void main() {
  const uint row = gl_WorkGroupID.x, from = x_offset + row * cols, to = offset + row * cols;
  const uint thread = gl_LocalInvocationID.x, threads = gl_WorkGroupSize.x;
  if (group != 0 && row % group >= valid) {
    for (uint i = thread; i < cols; i += threads) values[to + i] = 0.0;
    return;
  }
  float sum = 0.0;
  for (uint i = thread; i < cols; i += threads) sum += x[from + i];
  const float mean = workgroup_add(sum) / float(cols);
  sum = 0.0;
  for (uint i = thread; i < cols; i += threads) {
    const float d = x[from + i] - mean;
    sum += d * d;
  }
  const float scale = 1.0 / sqrt(workgroup_add(sum) / float(cols) + eps);
  for (uint i = thread; i < cols; i += threads) values[to + i] = (x[from + i] - mean) * scale * weight[i] + bias[i];
}
