#version 450
// out = x / sqrt(mean(x^2) + eps) * weight, row by row. x, out [rows, cols] float32. One workgroup a row.
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require

layout(local_size_x_id = 0) in;
layout(std430, binding = 0) readonly buffer X { float x[]; };
layout(std430, binding = 1) readonly buffer Weight { float weight[]; };
layout(std430, binding = 2) writeonly buffer Out { float values[]; };
layout(push_constant) uniform Push {
  uint cols;
  float eps;
  uint x_offset;
  uint offset;
};
#include "common/reduce.glsl"

void main() {
  const uint row = gl_WorkGroupID.x, from = x_offset + row * cols, to = offset + row * cols;
  const uint thread = gl_LocalInvocationID.x, threads = gl_WorkGroupSize.x;
  float sum = 0.0;
  for (uint i = thread; i < cols; i += threads) sum += x[from + i] * x[from + i];
  const float scale = 1.0 / sqrt(workgroup_add(sum) / float(cols) + eps);
  for (uint i = thread; i < cols; i += threads) values[to + i] = x[from + i] * scale * weight[i];
}
