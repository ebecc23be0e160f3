#version 450
// out[row, slot + d * step] = state[row, d]: one state of the vision encoder into its place among the features
// (the final state with step 1, intermediate i of n with step n and slot = hidden + i).
// state, out float32; rows are consecutive tokens of one tile. One thread an element.

layout(local_size_x = 64) in;
layout(std430, binding = 0) readonly buffer State { float state[]; };
layout(std430, binding = 1) writeonly buffer Out { float features[]; };
layout(push_constant) uniform Push {
  uint hidden;
  uint width;
  uint slot;
  uint step_size;
  uint state_offset;
  uint offset;
};

void main() {
  const uint d = gl_GlobalInvocationID.x, row = gl_WorkGroupID.y;
  if (d < hidden) features[offset + row * width + slot + d * step_size] = state[state_offset + row * hidden + d];
}
