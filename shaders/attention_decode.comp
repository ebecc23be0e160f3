#version 450
// A part of attention for few query rows: keys [split * CHUNK, (split + 1) * CHUNK) of one KV head, for
// the GROUP query heads that share it. Writes the unnormalised sum of values and the (maximum, sum) of the
// softmax; attention_merge.comp joins the parts. Splitting over keys fills the device when there is one row.
// parts [rows, heads, splits, HEAD_DIM] float32, stats [rows, heads, splits, 2].
// Dispatch: (splits, kv_heads, rows). A part beyond the visible keys writes sum 0, so that a recorded
// dispatch serves every position.
#extension GL_GOOGLE_include_directive : require

layout(local_size_x = 64) in;
layout(constant_id = 0) const uint HEAD_DIM = 128;
layout(constant_id = 1) const uint GROUP = 4;
layout(constant_id = 2) const uint CAUSAL = 1;
const uint CHUNK = 128, HEAD_DIM4 = HEAD_DIM / 4, LANES = 64 / GROUP, PAIRS = (HEAD_DIM / 2 + 63) / 64;

layout(std430, binding = 0) readonly buffer Q { float q[]; };
layout(std430, binding = 1) readonly buffer K { uint keys[]; };
layout(std430, binding = 2) readonly buffer V { uint values[]; };
layout(std430, binding = 3) readonly buffer State { uint state[]; };
layout(std430, binding = 4) writeonly buffer Parts { float parts[]; };
layout(std430, binding = 5) writeonly buffer Stats { float stats[]; };
layout(push_constant) uniform Push {
  uint q_stride;
  uint q_offset;
  uint kv_stride;
  uint length;
  uint index;
  uint base;
  uint splits;
  float scale;
};
#include "common/kv.glsl"

shared vec4 tile_q[GROUP * HEAD_DIM4];
shared float scores[GROUP * CHUNK];
shared float scratch[64];

void main() {
  const uint thread = gl_LocalInvocationID.x;
  const uint split = gl_WorkGroupID.x, kv_head = gl_WorkGroupID.y, row = gl_WorkGroupID.z;
  const uint heads = gl_NumWorkGroups.y * GROUP;
  const uint visible = CAUSAL != 0 ? base + state[index] + row + 1 : length;
  const uint first = split * CHUNK;
  const uint part = (row * heads + kv_head * GROUP) * splits + split;  // of the group's first head
  if (first >= visible) {
    if (thread < GROUP) {
      stats[(part + thread * splits) * 2] = -1e30;
      stats[(part + thread * splits) * 2 + 1] = 0.0;
    }
    return;
  }
  const uint count = min(CHUNK, visible - first);

  for (uint i = thread; i < GROUP * HEAD_DIM4; i += 64) {
    const uint from = q_offset + row * q_stride + kv_head * GROUP * HEAD_DIM + i * 4;
    tile_q[i] = scale * vec4(q[from], q[from + 1], q[from + 2], q[from + 3]);
  }
  barrier();
  for (uint j = thread; j < count; j += 64) {
    vec4 product[GROUP];
    for (uint g = 0; g < GROUP; ++g) product[g] = vec4(0);
    const uint from = (first + j) * kv_stride + kv_head * HEAD_DIM;
    for (uint d = 0; d < HEAD_DIM4; ++d) {
      const vec4 k = load_kv4(keys, from + d * 4);
      for (uint g = 0; g < GROUP; ++g) product[g] += tile_q[g * HEAD_DIM4 + d] * k;
    }
    for (uint g = 0; g < GROUP; ++g) scores[g * CHUNK + j] = product[g].x + product[g].y + product[g].z + product[g].w;
  }
  barrier();

  // Softmax over the chunk: LANES threads a head, each over every LANES-th key.
  const uint g_mine = thread / LANES, lane = thread % LANES;
  const bool active_thread = g_mine < GROUP;
  float highest = -1e30;
  if (active_thread)
    for (uint j = lane; j < count; j += LANES) highest = max(highest, scores[g_mine * CHUNK + j]);
  scratch[thread] = highest;
  barrier();
  if (active_thread)
    for (uint i = 0; i < LANES; ++i) highest = max(highest, scratch[g_mine * LANES + i]);
  barrier();
  float total = 0.0;
  if (active_thread)
    for (uint j = lane; j < count; j += LANES) {
      const float p = exp(scores[g_mine * CHUNK + j] - highest);
      scores[g_mine * CHUNK + j] = p;
      total += p;
    }
  scratch[thread] = total;
  barrier();
  if (active_thread && lane == 0) {
    total = 0.0;
    for (uint i = 0; i < LANES; ++i) total += scratch[g_mine * LANES + i];
    stats[(part + g_mine * splits) * 2] = highest;
    stats[(part + g_mine * splits) * 2 + 1] = total;
  }

  for (uint i = 0; i < PAIRS; ++i) {
    const uint d = (thread + i * 64) * 2;
    if (d >= HEAD_DIM) break;
    vec2 sum[GROUP];
    for (uint g = 0; g < GROUP; ++g) sum[g] = vec2(0);
    for (uint j = 0; j < count; ++j) {
      const vec2 v = load_kv2(values, (first + j) * kv_stride + kv_head * HEAD_DIM + d);
      for (uint g = 0; g < GROUP; ++g) sum[g] += scores[g * CHUNK + j] * v;
    }
    for (uint g = 0; g < GROUP; ++g) {
      const uint to = (part + g * splits) * HEAD_DIM + d;
      parts[to] = sum[g].x;
      parts[to + 1] = sum[g].y;
    }
  }
}
