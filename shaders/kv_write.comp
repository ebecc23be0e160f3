#version 450
// cache[first + row, :] = (k[row, :], v[row, :]), converted to the cache's type.
// k, v float32, `width` elements of rows of `stride`; caches [capacity, width]. One thread two elements of each.

layout(local_size_x = 64) in;
layout(std430, binding = 0) readonly buffer K { float k[]; };
layout(std430, binding = 1) readonly buffer V { float v[]; };
layout(std430, binding = 2) writeonly buffer Keys { uint keys[]; };
layout(std430, binding = 3) writeonly buffer Values { uint values[]; };
layout(push_constant) uniform Push {
  uint width;
  uint first;
  uint stride;
  uint k_offset;
  uint v_offset;
};

void main() {
  const uint column = gl_GlobalInvocationID.x * 2, row = gl_WorkGroupID.y;
  if (column >= width) return;
  const uint from = row * stride + column, to = (first + row) * width + column;
#if defined(KV_F16)
  // Beyond this float16 has no numbers, and what became infinite would make NaNs of the rows that do not see it.
  const vec2 most = vec2(65504.0);
  keys[to >> 1] = packHalf2x16(clamp(vec2(k[k_offset + from], k[k_offset + from + 1]), -most, most));
  values[to >> 1] = packHalf2x16(clamp(vec2(v[v_offset + from], v[v_offset + from + 1]), -most, most));
#else
  keys[to] = floatBitsToUint(k[k_offset + from]);
  keys[to + 1] = floatBitsToUint(k[k_offset + from + 1]);
  values[to] = floatBitsToUint(v[v_offset + from]);
  values[to + 1] = floatBitsToUint(v[v_offset + from + 1]);
#endif
}
