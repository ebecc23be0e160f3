#version 450
// x[tile, token, :] += gate * table[tile, :]
// x [tiles, padded, hidden] float32; table [tiles, hidden] of the picture's aspect ratio. One thread an element.
#extension GL_GOOGLE_include_directive : require

layout(local_size_x = 64) in;
layout(std430, binding = 0) readonly buffer Table { uvec4 weights[]; };
layout(std430, binding = 1) buffer X { float values[]; };
layout(push_constant) uniform Push {
  uint hidden;
  uint padded;
  uint first;
  float gate;
  uint offset;
};
#include "common/weights.glsl"

void main() {
  const uint d = gl_GlobalInvocationID.x, token = gl_WorkGroupID.y, tile = gl_WorkGroupID.z;
  if (d < hidden) values[offset + (tile * padded + token) * hidden + d] += gate * load_weight(first + tile * hidden + d);
}
