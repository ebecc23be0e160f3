#version 450
// out[i, :] = table[tokens[i], :]
// tokens [rows] uint32; table block [block_rows, groups * 8]; out [rows, cols] float32.
// One workgroup a row, a group of 8 elements a thread. A table wider than one binding is looked up block by block: each dispatch
// writes the rows whose token lies in its block.
#extension GL_GOOGLE_include_directive : require

layout(local_size_x = 64) in;
layout(std430, binding = 0) readonly buffer Table { uvec4 weights[]; };
layout(std430, binding = 1) readonly buffer Tokens { uint tokens[]; };
layout(std430, binding = 2) writeonly buffer Out { float values[]; };
layout(push_constant) uniform Push {
  uint first_row;
  uint block_rows;
  uint groups;
  uint cols;
  uint offset;
};
#include "common/weights.glsl"

void main() {
  const uint row = gl_WorkGroupID.x;
  const uint token = tokens[row];
  if (token < first_row || token - first_row >= block_rows) return;
  for (uint group = gl_LocalInvocationID.x; group < groups; group += gl_WorkGroupSize.x) {
    vec4 low, high;
    load_weights(token - first_row, group, groups, low, high);
    for (uint i = 0; i < 8; ++i)
      if (group * 8 + i < cols) values[offset + row * cols + group * 8 + i] = i < 4 ? low[i] : high[i - 4];
  }
}
