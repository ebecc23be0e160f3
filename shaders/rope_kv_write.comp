#version 450
// For each row at position p = base + state[index], head by head, with the row's angles a_i:
//   (u_i, u_{i+h}) -> (u_i cos a_i - u_{i+h} sin a_i, u_{i+h} cos a_i + u_i sin a_i),  h = head_dim / 2
// queries are rotated in place, keys are rotated into the cache, values are copied into it.
// Cosine and sine come from the host: the precision of GLSL's is too low for positions in the thousands.
// qkv [rows, (heads + 2 kv_heads) * head_dim] float32; rotations [.., h] of (cos, sin), of the positions from first_rotation on; caches [capacity, kv_heads * head_dim].
// Dispatch: (heads + 2 kv_heads, rows); a thread takes two neighbouring elements of each half, so that
// float16 caches are written in whole words.
#extension GL_GOOGLE_include_directive : require

layout(local_size_x = 32) in;
layout(std430, binding = 0) buffer Qkv { float qkv[]; };
layout(std430, binding = 1) readonly buffer Rotations { vec2 rotations[]; };
layout(std430, binding = 2) readonly buffer State { uint state[]; };
layout(std430, binding = 3) writeonly buffer Keys { uint keys[]; };
layout(std430, binding = 4) writeonly buffer Values { uint values[]; };
layout(push_constant) uniform Push {
  uint heads;
  uint kv_heads;
  uint head_dim;
  uint index;
  uint base;
  uint offset;
  uint first_rotation;
};

#if defined(KV_F16)
#define store2(buffer_words, element, v) buffer_words[(element) >> 1] = packHalf2x16(v)
#else
#define store2(buffer_words, element, v)                  \
  {                                                       \
    buffer_words[element] = floatBitsToUint((v).x);       \
    buffer_words[(element) + 1] = floatBitsToUint((v).y); \
  }
#endif

void main() {
  const uint head = gl_WorkGroupID.x, row = gl_WorkGroupID.y;
  const uint position = base + state[index] + row;
  const uint middle = head_dim / 2, turn = (position - first_rotation) * middle;
  const uint from = offset + (row * (heads + 2 * kv_heads) + head) * head_dim;
  for (uint i = gl_LocalInvocationID.x * 2; i < middle; i += gl_WorkGroupSize.x * 2) {
    vec2 low = vec2(qkv[from + i], qkv[from + i + 1]), high = vec2(qkv[from + middle + i], qkv[from + middle + i + 1]);
    if (head < heads + kv_heads) {
      const vec2 first = rotations[turn + i], second = rotations[turn + i + 1];
      const vec2 c = vec2(first.x, second.x), s = vec2(first.y, second.y);
      const vec2 rotated = low * c - high * s;
      high = high * c + low * s;
      low = rotated;
    }
    if (head < heads) {
      qkv[from + i] = low.x;
      qkv[from + i + 1] = low.y;
      qkv[from + middle + i] = high.x;
      qkv[from + middle + i + 1] = high.y;
    } else if (head < heads + kv_heads) {
      const uint to = (position * kv_heads + head - heads) * head_dim;
      store2(keys, to + i, low);
      store2(keys, to + middle + i, high);
    } else {
      const uint to = (position * kv_heads + head - heads - kv_heads) * head_dim;
      store2(values, to + i, low);
      store2(values, to + middle + i, high);
    }
  }
}
