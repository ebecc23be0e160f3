#version 450
// y = x * transpose(w), then the epilogue, for weights in blocks (row_layout.h). x [COLUMNS, k] float32, w block [n, k],
// y [COLUMNS, n_all] float32. As matvec.comp, but a thread takes a unit of 32 weights at a time, so that quants come in
// 16-byte loads, and scales leave the sum:
//   sum w x = s0 (sum q x - middle sum x) + s1 (the same of elements 16-31) - offset sum x
// READING, of bits: 1: eight neighbouring threads, whose units are 128 bytes of x apart, read these in eight orders, so that their 16
// bytes at a time lie in different banks; 2: quants become numbers without a conversion. A card chooses by its time (ops/variants.h).
// Dispatch: ceil(n / ROWS) workgroups, folded into y where x would exceed the device's limit.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint COLUMNS = 1;
layout(constant_id = 2) const uint EPILOGUE = 0;
layout(constant_id = 3) const uint AT_ONCE = 8;  // EPILOGUE_ADD_NORM: loads of a thread, on their way
layout(constant_id = 4) const uint READING = 0;
const bool TURNED = (READING & 1u) != 0u;
#define BY_BITS ((READING & 2u) != 0u)
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
  const uint units = groups / 4, turn = TURNED ? thread % 8 : 0;
  for (uint i = 0; i < ROWS * COLUMNS; ++i) sum[i] = 0.0;
  for (uint unit = thread; unit < units; unit += threads) {
    Unit stored[ROWS];
    vec3 scales[ROWS];
    for (uint r = 0; r < ROWS; ++r) {
      // Rows beyond the end repeat the last one; their sums are dropped.
      const Row at = row_of(min(row + r, n - 1), units);
      scales[r] = load_scales(at, unit);
      stored[r] = load_unit(at, unit);
      if (TURNED) turn_unit(stored[r], scales[r], turn);
    }
    // Four elements at a time of all rows and columns, so that few unpacked quants exist at once.
    [[unroll]] for (uint half_unit = 0; half_unit < 2; ++half_unit) {
      float product[ROWS * COLUMNS];
      vec4 total[COLUMNS];
      for (uint c = 0; c < COLUMNS; ++c) total[c] = vec4(0.0);
      for (uint i = 0; i < ROWS * COLUMNS; ++i) product[i] = 0.0;
      [[unroll]] for (uint i = 0; i < 4; ++i) {
        vec4 a[COLUMNS];
        for (uint c = 0; c < COLUMNS; ++c) {
          a[c] = x[x_offset4 + (c * units + unit) * 8 + ((half_unit * 4 + i) ^ turn)];
          total[c] += a[c];
        }
        for (uint r = 0; r < ROWS; ++r) {
          const vec4 quants = quants_of(stored[r], half_unit * 4 + i, turn);
          for (uint c = 0; c < COLUMNS; ++c) product[r * COLUMNS + c] += dot(quants, a[c]);
        }
      }
      for (uint c = 0; c < COLUMNS; ++c) {
        const float all = dot(total[c], vec4(1.0));
        for (uint r = 0; r < ROWS; ++r)
          sum[r * COLUMNS + c] +=
              (half_unit == 0 ? scales[r].x : scales[r].y) * (product[r * COLUMNS + c] - QUANT_MIDDLE * all) - scales[r].z * all;
      }
    }
  }
  write_outputs(row);
}
