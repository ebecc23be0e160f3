#version 450
// out[row] = index of the largest of logits[row, :], the lowest of equals.
// logits [rows, cols] float32, out [rows] uint32. One workgroup of 256 a row, so each thread has AHEAD loads on their way.
#extension GL_EXT_control_flow_attributes : require

layout(local_size_x = 256) in;
const uint AHEAD = 8;
layout(std430, binding = 0) readonly buffer Logits { float logits[]; };
layout(std430, binding = 1) writeonly buffer Out { uint result[]; };
layout(push_constant) uniform Push {
  uint cols;
  uint offset;
};

shared float best_value[256];
shared uint best_index[256];

void main() {
  const uint thread = gl_LocalInvocationID.x, row = gl_WorkGroupID.x;
  float value = -3.4e38;
  uint found = thread < cols ? thread : 0;
  for (uint i = thread; i < cols; i += AHEAD * 256) {
    float v[AHEAD];
    [[unroll]] for (uint u = 0; u < AHEAD; ++u)
      v[u] = logits[offset + row * cols + min(i + u * 256, cols - 1)];
    [[unroll]] for (uint u = 0; u < AHEAD; ++u)
      if (v[u] > value) {
        value = v[u];
        found = min(i + u * 256, cols - 1);
      }
  }
  best_value[thread] = value;
  best_index[thread] = found;
  for (uint step_size = 128; step_size > 0; step_size /= 2) {
    barrier();
    if (thread < step_size) {
      const float other = best_value[thread + step_size];
      const uint other_index = best_index[thread + step_size];
      if (other > best_value[thread] || (other == best_value[thread] && other_index < best_index[thread])) {
        best_value[thread] = other;
        best_index[thread] = other_index;
      }
    }
  }
  if (thread == 0) result[row] = best_index[0];
}
