#version 450
// best[row, part] = the largest of a part of logits[row, :] and its index, the lowest of equals.
// logits [rows, cols] float32, best [rows, parts] (the float's bits, uint32); dispatched [parts, rows]. A row is cut into parts so
// that the whole device reads it, with AHEAD loads of each thread on their way.
#extension GL_EXT_control_flow_attributes : require

layout(local_size_x = 256) in;
const uint AHEAD = 8;
layout(std430, binding = 0) readonly buffer Logits { float logits[]; };
layout(std430, binding = 1) writeonly buffer Best { uvec2 best[]; };
layout(push_constant) uniform Push {
  uint cols;
  uint offset;
  uint parts;
};

shared float best_value[256];
shared uint best_index[256];

void main() {
  const uint thread = gl_LocalInvocationID.x, part = gl_WorkGroupID.x, row = gl_WorkGroupID.y;
  const uint length = (cols + parts - 1) / parts, begin = min(part * length, cols - 1), end = min(begin + length, cols);
  float value = -3.4e38;
  uint found = min(begin + thread, end - 1);
  for (uint i = begin + thread; i < end; i += AHEAD * 256) {
    float v[AHEAD];
    [[unroll]] for (uint u = 0; u < AHEAD; ++u)
      v[u] = logits[offset + row * cols + min(i + u * 256, end - 1)];
    [[unroll]] for (uint u = 0; u < AHEAD; ++u)
      if (v[u] > value) {
        value = v[u];
        found = min(i + u * 256, end - 1);
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
  if (thread == 0) best[row * parts + part] = uvec2(floatBitsToUint(best_value[0]), best_index[0]);
}
