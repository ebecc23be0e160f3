#version 450
// y = x, both of `words` times 16 bytes: what the device's memory gives to kernels (vk/copy_bandwidth.h). Dispatch: ceil(words / 1024); a thread has four loads on their way.
#extension GL_EXT_control_flow_attributes : require

layout(local_size_x = 256) in;
layout(std430, binding = 0) readonly buffer X { uvec4 x[]; };
layout(std430, binding = 1) writeonly buffer Y { uvec4 y[]; };
layout(push_constant) uniform Push { uint words; };

void main() {
  const uint first = gl_WorkGroupID.x * 1024 + gl_LocalInvocationID.x;
  uvec4 v[4];
  [[unroll]] for (uint i = 0; i < 4; ++i)
    v[i] = x[min(first + i * 256, words - 1)];
  [[unroll]] for (uint i = 0; i < 4; ++i)
    if (first + i * 256 < words) y[first + i * 256] = v[i];
}
