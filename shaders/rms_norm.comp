#version 450
// out = x / sqrt(mean(x^2) + eps) * weight, row by row. x, out [rows, cols] float32, cols a multiple of 4. One workgroup a
// row. Each thread keeps its QUADS of the row in registers, so that row and weights are read once and all at the same time.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint QUADS = 4;
layout(std430, binding = 0) readonly buffer X { vec4 x[]; };
layout(std430, binding = 1) readonly buffer Weight { vec4 weight[]; };
layout(std430, binding = 2) writeonly buffer Out { vec4 values[]; };
layout(push_constant) uniform Push {
  uint cols;
  float eps;
  uint x_offset;
  uint offset;
};
#include "common/reduce.glsl"

void main() {
  const uint quads = cols / 4, row = gl_WorkGroupID.x, from = x_offset / 4 + row * quads, to = offset / 4 + row * quads;
  const uint thread = gl_LocalInvocationID.x, threads = gl_WorkGroupSize.x;
  vec4 v[QUADS], w[QUADS];
  [[unroll]] for (uint i = 0; i < QUADS; ++i) {
    const uint at = min(thread + i * threads, quads - 1);
    v[i] = x[from + at];
    w[i] = weight[at];
  }
  float sum = 0.0;
  [[unroll]] for (uint i = 0; i < QUADS; ++i)
    sum += thread + i * threads < quads ? dot(v[i], v[i]) : 0.0;
  const float scale = 1.0 / sqrt(workgroup_add(sum) / float(cols) + eps);
  [[unroll]] for (uint i = 0; i < QUADS; ++i)
    if (thread + i * threads < quads) values[to + thread + i * threads] = v[i] * scale * w[i];
}
