#version 450
// y = x * transpose(w), then the epilogue. x [COLUMNS, k] float32, w block [n, k], y [COLUMNS, n_all] float32.
// For the few rows of a decode step: each workgroup computes ROWS outputs for all COLUMNS inputs, so every
// weight is read once, in 16-byte loads; bound by memory bandwidth.
// Dispatch: ceil(n / ROWS) workgroups, folded into y where x would exceed the device's limit.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint COLUMNS = 1;
layout(constant_id = 2) const uint EPILOGUE = 0;
layout(constant_id = 3) const uint AT_ONCE = 8;  // EPILOGUE_ADD_NORM: loads of a thread, on their way
const uint ROWS = 4;

layout(std430, binding = 0) readonly buffer Weights { uvec4 weights[]; };
layout(std430, binding = 1) readonly buffer X { vec4 x[]; };
layout(std430, binding = 2) readonly buffer Bias { float bias[]; };
layout(std430, binding = 3) coherent buffer Y { vec4 y[]; };
layout(std430, binding = 4) readonly buffer NormWeight { vec4 norm_weight[]; };
layout(std430, binding = 5) writeonly buffer Normed { vec4 normed[]; };
layout(std430, binding = 6) coherent buffer Arrivals { uint arrivals[]; };
layout(push_constant) uniform Push {
  uint groups;
  uint n;
  uint first_row;
  uint x_offset4;
  uint y_offset;
  uint y_stride;
  uint has_bias;
  float scale;
  uint workgroups;
  uint normed_offset4;
  float eps;
};
#include "common/weights.glsl"
#include "common/epilogue.glsl"
#include "common/matvec_output.glsl"

void main() {
  const uint thread = gl_LocalInvocationID.x, threads = gl_WorkGroupSize.x;
  const uint row = (gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x) * ROWS;
  if (row >= n) return;
  for (uint i = 0; i < ROWS * COLUMNS; ++i) sum[i] = 0.0;
  for (uint group = thread; group < groups; group += threads) {
    vec4 low[ROWS], high[ROWS];
    // Rows beyond the end repeat the last one; their sums are dropped.
    for (uint r = 0; r < ROWS; ++r) load_weights(min(row + r, n - 1), group, groups, low[r], high[r]);
    for (uint c = 0; c < COLUMNS; ++c) {
      const uint at = x_offset4 + (c * groups + group) * 2;
      const vec4 a = x[at], b = x[at + 1];
      for (uint r = 0; r < ROWS; ++r) sum[r * COLUMNS + c] += dot(low[r], a) + dot(high[r], b);
    }
  }
  write_outputs(row);
}
