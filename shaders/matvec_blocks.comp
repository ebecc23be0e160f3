#version 450
// y = x * transpose(w), then the epilogue, for weights in blocks (row_layout.h). x [COLUMNS, k] float32, w block [n, k],
// y [COLUMNS, n_all] float32. As matvec.comp, but a thread takes a unit of 32 weights at a time, so that quants come in
// 16-byte loads, and scales leave the sum:
//   sum w x = s0 (sum q x - middle sum x) + s1 (the same of elements 16-31) - offset sum x
// Dispatch: ceil(n / ROWS) workgroups, folded into y where x would exceed the device's limit.
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint COLUMNS = 1;
layout(constant_id = 2) const uint EPILOGUE = 0;
const uint ROWS = 4;

layout(std430, binding = 0) readonly buffer Weights { uvec4 weights[]; };
layout(std430, binding = 1) readonly buffer X { vec4 x[]; };
layout(std430, binding = 2) readonly buffer Bias { float bias[]; };
layout(std430, binding = 3) buffer Y { float y[]; };
layout(push_constant) uniform Push {
  uint groups;
  uint n;
  uint first_row;
  uint x_offset4;
  uint y_offset;
  uint y_stride;
  uint has_bias;
  float scale;
};
#include "common/weights.glsl"
#include "common/epilogue.glsl"
#include "common/matvec_output.glsl"

void main() {
  const uint thread = gl_LocalInvocationID.x, threads = gl_WorkGroupSize.x;
  const uint row = (gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x) * ROWS;
  if (row >= n) return;
  const uint units = groups / 4;
  for (uint i = 0; i < ROWS * COLUMNS; ++i) sum[i] = 0.0;
  for (uint unit = thread; unit < units; unit += threads) {
    vec4 quants[ROWS][8];
    vec3 scales[ROWS];
    for (uint r = 0; r < ROWS; ++r) {
      // Rows beyond the end repeat the last one; their sums are dropped.
      const Row at = row_of(min(row + r, n - 1), units);
      scales[r] = load_scales(at, unit);
      load_unit(at, unit, quants[r]);
    }
    for (uint c = 0; c < COLUMNS; ++c) {
      const uint from = x_offset4 + (c * units + unit) * 8;
      vec4 a[8];
      for (uint i = 0; i < 8; ++i) a[i] = x[from + i];
      const float low = dot(a[0] + a[1] + a[2] + a[3], vec4(1.0)), high = dot(a[4] + a[5] + a[6] + a[7], vec4(1.0));
      for (uint r = 0; r < ROWS; ++r) {
        float low_dot = -QUANT_MIDDLE * low, high_dot = -QUANT_MIDDLE * high;
        for (uint i = 0; i < 4; ++i) {
          low_dot += dot(quants[r][i], a[i]);
          high_dot += dot(quants[r][i + 4], a[i + 4]);
        }
        sum[r * COLUMNS + c] += scales[r].x * low_dot + scales[r].y * high_dot - scales[r].z * (low + high);
      }
    }
  }
  write_outputs(row);
}
