#version 450
// out[i, :] = table[tokens[i], :]
// tokens [rows] uint32; table block [block_rows, stride]; out [rows, cols] float32.
// One workgroup a row. A table wider than one binding is looked up block by block: each dispatch
// writes the rows whose token lies in its block.
#extension GL_GOOGLE_include_directive : require

layout(local_size_x = 64) in;
layout(std430, binding = 0) readonly buffer Table { uvec4 weights[]; };
layout(std430, binding = 1) readonly buffer Tokens { uint tokens[]; };
layout(std430, binding = 2) writeonly buffer Out { float values[]; };
layout(push_constant) uniform Push { uint first_row; uint block_rows; uint stride; uint cols; uint offset; };
#include "common/weights.glsl"

void main() {
  const uint row = gl_WorkGroupID.x;
  const uint token = tokens[row];
  if (token < first_row || token - first_row >= block_rows) return;
  const uint from = (token - first_row) * stride;
  for (uint i = gl_LocalInvocationID.x; i < cols; i += gl_WorkGroupSize.x) values[offset + row * cols + i] = load_weight(from + i);
}
