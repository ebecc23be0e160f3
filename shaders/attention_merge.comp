#version 450
// out = sum_s exp(m_s - m) part_s / sum_s exp(m_s - m) l_s,  m = max m_s: joins the parts of attention_decode.comp.
// parts [rows, heads, splits, HEAD_DIM + 4]: a part, then m and l; out [rows, heads * HEAD_DIM] float32. For devices whose workgroups
// do not see what the others wrote.
// Only the parts of visible keys are read: the others were never written. A thread looks at every 64th part for the
// maximum and the sum; then the threads add up 64 parts at a time, WAYS of them side by side, eight on their way.
// Dispatch: (heads, rows).
#extension GL_EXT_control_flow_attributes : require

layout(local_size_x = 64) in;
layout(constant_id = 0) const uint HEAD_DIM = 128;  // a multiple of 8, at most 256
layout(constant_id = 1) const uint CAUSAL = 1;
const uint CHUNK = 128, HEAD_DIM4 = HEAD_DIM / 4, PART4 = HEAD_DIM4 + 1, AHEAD = 8;
const uint WAYS = HEAD_DIM4 <= 8 ? 8 : HEAD_DIM4 <= 16 ? 4 : HEAD_DIM4 <= 32 ? 2 : 1;

layout(std430, binding = 0) readonly buffer Parts { vec4 parts[]; };
layout(std430, binding = 1) readonly buffer State { uint state[]; };
layout(std430, binding = 2) writeonly buffer Out { vec4 result[]; };
layout(push_constant) uniform Push {
  uint splits;
  uint offset;
  uint length;
  uint index;
  uint base;
};

shared float scratch[64];
shared vec4 sums[64];

void main() {
  const uint thread = gl_LocalInvocationID.x;
  const uint head = gl_WorkGroupID.x, row = gl_WorkGroupID.y, heads = gl_NumWorkGroups.x;
  const uint part = (row * heads + head) * splits;
  const uint visible = CAUSAL != 0 ? base + state[index] + row + 1 : length;
  const uint used = (visible + CHUNK - 1) / CHUNK, last = used - 1;

  float highest = -1e30;
  for (uint s = thread; s < used; s += 4 * 64) [[unroll]]
    for (uint u = 0; u < 4; ++u) highest = max(highest, parts[(part + min(s + u * 64, last)) * PART4 + HEAD_DIM4].x);
  scratch[thread] = highest;
  barrier();
  [[unroll]] for (uint i = 0; i < 64; ++i)
    highest = max(highest, scratch[i]);
  barrier();

  const uint d = min(thread % (64 / WAYS), HEAD_DIM4 - 1), way = thread / (64 / WAYS);
  float total = 0.0;
  vec4 sum = vec4(0.0);
  for (uint block = 0; block < used; block += 64) {
    const uint s = block + thread;
    const vec4 mine = parts[(part + min(s, last)) * PART4 + HEAD_DIM4];
    const float factor = s < used ? exp(mine.x - highest) : 0.0;
    total += factor * mine.y;
    scratch[thread] = factor;
    barrier();
    for (uint i = way * AHEAD; i < min(64, used - block); i += WAYS * AHEAD) {
      vec4 v[AHEAD];
      [[unroll]] for (uint u = 0; u < AHEAD; ++u)
        v[u] = parts[(part + min(block + i + u, last)) * PART4 + d];
      [[unroll]] for (uint u = 0; u < AHEAD; ++u)
        sum += scratch[i + u] * v[u];
    }
    barrier();
  }
  scratch[thread] = total;
  sums[thread] = sum;
  barrier();
  if (thread < HEAD_DIM4) {
    total = 0.0;
    [[unroll]] for (uint i = 0; i < 64; ++i)
      total += scratch[i];
    sum = vec4(0.0);
    [[unroll]] for (uint w = 0; w < WAYS; ++w)
      sum += sums[w * (64 / WAYS) + thread];
    result[offset / 4 + (row * heads + head) * HEAD_DIM4 + thread] = sum / total;
  }
}
