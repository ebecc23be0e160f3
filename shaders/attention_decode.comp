#version 450
// A part of attention for few query rows: keys [split * CHUNK, (split + 1) * CHUNK) of one KV head, for
// the GROUP query heads that share it. Writes the unnormalised sum of values and the (maximum, sum) of the
// softmax; attention_merge.comp joins the parts. Splitting over keys fills the device when there is one row.
// parts [rows, heads, splits, HEAD_DIM] float32, stats [rows, heads, splits, 2].
// Keys and values come in pieces of 16 bytes, at least eight of them on their way at a time, because a workgroup is
// alone on its part of the device and nothing else hides the latency of memory. Scores: four threads a key, which read
// neighbouring pieces. Values: a thread a piece of the row, WAYS keys side by side.
// ROTATED: q is a row of qkv [(heads + 2 kv_heads) * HEAD_DIM] as the product left it. Queries are rotated as they come
// (rope_kv_write.comp), and the part with the row's own key rotates it, uses it as the cache will hold it, and at last writes
// it there with its value. No other part reads these, so that a decode step needs no dispatch of its own for them.
// Dispatch: (splits, kv_heads, rows); ROTATED: one row. Splits beyond the visible keys end at once and write nothing, so that a
// recorded dispatch serves every position. Shared memory: GROUP * (20 CHUNK + 16 PADDED4) bytes and 256; ROTATED: 32 PIECES more.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require

layout(local_size_x = 64) in;
layout(constant_id = 0) const uint HEAD_DIM = 128;  // a multiple of 8
layout(constant_id = 1) const uint GROUP = 4;
layout(constant_id = 2) const uint CAUSAL = 1;
layout(constant_id = 3) const uint ROTATED = 0;
const uint CHUNK = 128, HEAD_DIM4 = HEAD_DIM / 4;

layout(std430, binding = 0) readonly buffer Q { vec4 q[]; };
layout(std430, binding = 1) buffer K { uvec4 keys[]; };
layout(std430, binding = 2) buffer V { uvec4 values[]; };
layout(std430, binding = 3) readonly buffer State { uint state[]; };
layout(std430, binding = 4) writeonly buffer Parts { vec4 parts[]; };
layout(std430, binding = 5) writeonly buffer Stats { vec2 stats[]; };
layout(std430, binding = 6) readonly buffer Rotations { vec4 rotations[]; };  // (cos, sin) of two angles each
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

// vec4 in a piece of 16 bytes, pieces in a row, and rounds in which the four threads of a key read them.
const uint QUADS = KV_PIECE / 4, PIECES = HEAD_DIM / KV_PIECE, ROUNDS = (PIECES + 3) / 4;
// Of the queries, with zeros behind them for pieces that the last round has too many.
const uint PADDED4 = ROUNDS * 4 * QUADS;
// Keys that the threads sum up side by side: a power of two, so that eight times as many divide a chunk.
const uint WAYS = PIECES <= 4 ? 16 : PIECES <= 8 ? 8 : PIECES <= 16 ? 4 : PIECES <= 32 ? 2 : 1;
// Keys that a thread takes at a time, so that eight loads are on their way where heads are wide.
const uint SETS = ROUNDS >= 8 ? 1 : 2;
const uint AHEAD = 8, KEY_THREADS = 4, KEYS = 64 / KEY_THREADS, LANES = 64 / GROUP, MINE = (CHUNK + LANES - 1) / LANES;

shared vec4 tile_q[GROUP * PADDED4];
// First the shares of the scores, one component for each of a key's threads; then the sums of the ways.
shared vec4 shares[GROUP * CHUNK];
shared vec4 weights[GROUP * CHUNK / 4];
shared float scratch[64];
// The row's own key and value, as the cache holds them.
shared uvec4 own_key[ROTATED != 0 ? PIECES : 1], own_value[ROTATED != 0 ? PIECES : 1];

// Elements 4 d .. 4 d + 3 of the head that begins at q[from], rotated.
vec4 rotated(uint from, uint d) {
  const uint middle = HEAD_DIM4 / 2;
  const vec4 v = q[from + d], partner = q[from + (d + middle) % HEAD_DIM4];
  const vec4 a = rotations[d % middle * 2], b = rotations[d % middle * 2 + 1];
  const vec4 c = vec4(a.xz, b.xz), s = vec4(a.yw, b.yw);
  return d < middle ? v * c - partner * s : v * c + partner * s;
}

// Into own_key and own_value, from what follows the row's queries.
void take_own(uint heads, uint kv_head) {
  const uint key_from = q_offset / 4 + (heads + kv_head) * HEAD_DIM4, value_from = key_from + gl_NumWorkGroups.y * HEAD_DIM4;
  for (uint i = gl_LocalInvocationID.x; i < 2 * PIECES; i += 64) {
    uvec4 piece;
    [[unroll]] for (uint e = 0; e < QUADS; ++e) {
      const uint d = i % PIECES * QUADS + e;
      pack_kv(piece, e, i < PIECES ? rotated(key_from, d) : q[value_from + d]);
    }
    if (i < PIECES)
      own_key[i] = piece;
    else
      own_value[i - PIECES] = piece;
  }
}

void main() {
  const uint thread = gl_LocalInvocationID.x;
  const uint split = gl_WorkGroupID.x, kv_head = gl_WorkGroupID.y, row = gl_WorkGroupID.z;
  const uint heads = gl_NumWorkGroups.y * GROUP;
  const uint visible = CAUSAL != 0 ? base + state[index] + row + 1 : length;
  const uint first = split * CHUNK;
  if (first >= visible) return;
  const uint part = (row * heads + kv_head * GROUP) * splits + split;  // of the group's first head
  const uint count = min(CHUNK, visible - first), last = count - 1;
  const uint pitch = kv_stride / KV_PIECE, from = first * pitch + kv_head * PIECES;
  // Where in the chunk the row's own key is; none has this number in other chunks.
  const uint own = ROTATED != 0 && first + count == visible ? last : CHUNK;

  [[unroll]] for (uint round = 0; round < (GROUP * PADDED4 + 63) / 64; ++round) {
    const uint i = min(round * 64 + thread, GROUP * PADDED4 - 1), d = i % PADDED4;
    const uint head_from = (q_offset + row * q_stride) / 4 + (kv_head * GROUP + i / PADDED4) * HEAD_DIM4, at = min(d, HEAD_DIM4 - 1);
    const vec4 v = ROTATED != 0 ? rotated(head_from, at) : q[head_from + at];
    tile_q[i] = d < HEAD_DIM4 ? scale * v : vec4(0.0);
  }
  if (own < CHUNK) take_own(heads, kv_head);
  barrier();

  // Keys beyond the last are read as the last; nobody looks at their scores.
  const uint lane = thread % KEY_THREADS;
  for (uint j = thread / KEY_THREADS; j < count; j += SETS * KEYS) {
    uvec4 k[SETS][ROUNDS];
    [[unroll]] for (uint s = 0; s < SETS; ++s) [[unroll]]
      for (uint i = 0; i < ROUNDS; ++i) k[s][i] = keys[from + min(j + s * KEYS, last) * pitch + min(i * KEY_THREADS + lane, PIECES - 1)];
    [[unroll]] for (uint s = 0; s < SETS; ++s)
      if (ROTATED != 0 && j + s * KEYS == own) [[unroll]]
        for (uint i = 0; i < ROUNDS; ++i) k[s][i] = own_key[min(i * KEY_THREADS + lane, PIECES - 1)];
    float sum[SETS][GROUP];
    [[unroll]] for (uint s = 0; s < SETS; ++s) [[unroll]]
      for (uint g = 0; g < GROUP; ++g) sum[s][g] = 0.0;
    [[unroll]] for (uint i = 0; i < ROUNDS; ++i) [[unroll]]
      for (uint e = 0; e < QUADS; ++e) [[unroll]]
        for (uint g = 0; g < GROUP; ++g) {
          const vec4 query = tile_q[g * PADDED4 + (i * KEY_THREADS + lane) * QUADS + e];
          [[unroll]] for (uint s = 0; s < SETS; ++s)
            sum[s][g] += dot(query, unpack_kv(k[s][i], e));
        }
    [[unroll]] for (uint s = 0; s < SETS; ++s) [[unroll]]
      for (uint g = 0; g < GROUP; ++g) shares[g * CHUNK + j + s * KEYS][lane] = sum[s][g];
  }
  barrier();

  // Softmax over the chunk: LANES threads a head, each over every LANES-th key. Keys beyond the last get weight 0.
  const uint head = min(thread / LANES, GROUP - 1), mine = thread % LANES;
  const bool active_thread = thread < GROUP * LANES;
  float score[MINE], highest = -1e30;
  [[unroll]] for (uint i = 0; i < MINE; ++i) {
    const uint j = mine + i * LANES;
    const vec4 share = shares[head * CHUNK + min(j, CHUNK - 1)];
    score[i] = j < count ? share.x + share.y + share.z + share.w : -1e30;
    highest = max(highest, score[i]);
  }
  scratch[thread] = highest;
  barrier();
  [[unroll]] for (uint i = 0; i < LANES; ++i)
    highest = max(highest, scratch[head * LANES + i]);
  barrier();
  float total = 0.0;
  [[unroll]] for (uint i = 0; i < MINE; ++i) {
    const uint j = mine + i * LANES;
    const float p = exp(score[i] - highest);  // of -1e30: 0
    if (active_thread && j < CHUNK) weights[(head * CHUNK + j) / 4][j % 4] = p;
    total += p;
  }
  scratch[thread] = total;
  barrier();
  if (active_thread && mine == 0) {
    total = 0.0;
    for (uint i = 0; i < LANES; ++i) total += scratch[head * LANES + i];
    stats[part + head * splits] = vec2(highest, total);
  }

  const uint piece = thread % (64 / WAYS), way = thread / (64 / WAYS);
  if (piece < PIECES) {
    vec4 sum[GROUP * QUADS];
    [[unroll]] for (uint i = 0; i < GROUP * QUADS; ++i)
      sum[i] = vec4(0.0);
    for (uint j = way * AHEAD; j < count; j += WAYS * AHEAD) {
      uvec4 v[AHEAD];
      [[unroll]] for (uint u = 0; u < AHEAD; ++u)
        v[u] = values[from + min(j + u, last) * pitch + piece];
      [[unroll]] for (uint u = 0; u < AHEAD; ++u)
        if (ROTATED != 0 && j + u >= own) v[u] = own_value[piece];  // beyond it, too: weight 0 times what the cache holds may be NaN
      [[unroll]] for (uint g = 0; g < GROUP; ++g) {
        const vec4 low = weights[(g * CHUNK + j) / 4], high = weights[(g * CHUNK + j) / 4 + 1];
        [[unroll]] for (uint u = 0; u < AHEAD; ++u) [[unroll]]
          for (uint e = 0; e < QUADS; ++e) sum[g * QUADS + e] += (u < 4 ? low[u % 4] : high[u % 4]) * unpack_kv(v[u], e);
      }
    }
    [[unroll]] for (uint i = 0; i < GROUP * QUADS; ++i)
      shares[(way * GROUP + i / QUADS) * HEAD_DIM4 + piece * QUADS + i % QUADS] = sum[i];
  }
  barrier();
  for (uint i = thread; i < GROUP * HEAD_DIM4; i += 64) {
    vec4 sum = vec4(0.0);
    [[unroll]] for (uint w = 0; w < WAYS; ++w)
      sum += shares[w * GROUP * HEAD_DIM4 + i];
    parts[(part + i / HEAD_DIM4 * splits) * HEAD_DIM4 + i % HEAD_DIM4] = sum;
  }
  // Last, when nothing here reads the cache any more.
  if (own < CHUNK)
    for (uint i = thread; i < PIECES; i += 64) {
      keys[from + own * pitch + i] = own_key[i];
      values[from + own * pitch + i] = own_value[i];
    }
}
