#version 450
// A part of attention for few query rows: keys [split * CHUNK, (split + 1) * CHUNK) of one KV head, for
// the GROUP query heads that share it. Splitting over keys fills the device when there is one row.
// parts [rows, heads, splits, HEAD_DIM + 4] float32: the unnormalised sum of values, then maximum and sum of the softmax.
// Keys and values come in pieces of 16 bytes, sixteen and AHEAD of them on their way at a time, because a workgroup is
// alone on its part of the device and nothing else hides the latency of memory. Scores: four threads a key, which read
// neighbouring pieces. Values: a thread a piece of the row, WAYS keys side by side.
// MERGE: the last workgroup of a KV head and row to be done joins the parts into out [rows, heads * HEAD_DIM], as attention_merge.comp
// does, which needs a dispatch. `arrivals` are 0 before and after.
// QUERY_NORMED: queries are x / sqrt(mean(x^2) + eps) * weight of the x in q, head by head; the scores are divided.
// QUERY_ROTATED: q is a row of qkv [(heads + 2 kv_heads) * HEAD_DIM] as the product left it. Queries are rotated as they come
// (rope_kv_write.comp), and the part with the row's own key rotates it, uses it as the cache will hold it, and at last writes
// it there with its value. No other part reads these, so that a decode step needs no dispatch of its own for them.
// Dispatch: (splits, kv_heads, rows); QUERY_ROTATED: one row. Splits beyond the visible keys end at once and write nothing, so
// that a recorded dispatch serves every position. Shared memory: GROUP * (20 CHUNK + 16 PADDED4) bytes and 260; QUERY_ROTATED:
// 32 PIECES more.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require

layout(local_size_x = 64) in;
layout(constant_id = 0) const uint HEAD_DIM = 128;  // a multiple of 8
layout(constant_id = 1) const uint GROUP = 4;
layout(constant_id = 2) const uint CAUSAL = 1;
layout(constant_id = 3) const uint QUERY = 0;
layout(constant_id = 4) const uint MERGE = 0;
layout(constant_id = 5) const uint LOADS_AHEAD = 8;  // of values: 8 or 16
const uint QUERY_ROTATED = 1, QUERY_NORMED = 2;
const uint CHUNK = 128, HEAD_DIM4 = HEAD_DIM / 4, PART4 = HEAD_DIM4 + 1;

layout(std430, binding = 0) readonly buffer Q { vec4 q[]; };
layout(std430, binding = 1) buffer K { uvec4 keys[]; };
layout(std430, binding = 2) buffer V { uvec4 values[]; };
layout(std430, binding = 3) readonly buffer State { uint state[]; };
layout(std430, binding = 4) coherent buffer Parts { vec4 parts[]; };
// QUERY_ROTATED: (cos, sin) of two angles each, of the positions from first_turn on; QUERY_NORMED: weights.
layout(std430, binding = 5) readonly buffer Turns { vec4 turns[]; };
layout(std430, binding = 6) writeonly buffer Out { vec4 result[]; };
layout(std430, binding = 7) coherent buffer Arrivals { uint arrivals[]; };
layout(push_constant) uniform Push {
  uint q_stride;
  uint q_offset;
  uint kv_stride;
  uint length;
  uint index;
  uint base;
  uint splits;
  float scale;
  uint out_offset;
  float eps;
  uint first_turn;
};
#include "common/kv.glsl"

// vec4 in a piece of 16 bytes, pieces in a row, and rounds in which the four threads of a key read them.
const uint QUADS = KV_PIECE / 4, PIECES = HEAD_DIM / KV_PIECE, ROUNDS = (PIECES + 3) / 4;
// Of the queries, with zeros behind them for pieces that the last round has too many.
const uint PADDED4 = ROUNDS * 4 * QUADS;
// Keys that the threads sum up side by side: a power of two, so that AHEAD times as many divide a chunk.
const uint WAYS = PIECES <= 4 ? 16 : PIECES <= 8 ? 8 : PIECES <= 16 ? 4 : PIECES <= 32 ? 2 : 1;
// Keys that a thread takes at a time, so that sixteen loads are on their way where heads are wide; of float32 LOADS_AHEAD.
const uint SETS = ROUNDS >= 16 ? 1 : ROUNDS >= 8 ? LOADS_AHEAD / 8 : 4;
const uint AHEAD = LOADS_AHEAD < CHUNK / WAYS ? LOADS_AHEAD : CHUNK / WAYS, KEY_THREADS = 4, KEYS = 64 / KEY_THREADS, LANES = 64 / GROUP,
           MINE = (CHUNK + LANES - 1) / LANES;

shared vec4 tile_q[GROUP * PADDED4];
// First the shares of the scores, one component for each of a key's threads; then the sums of the ways.
shared vec4 shares[GROUP * CHUNK];
// First, QUERY_NORMED, the squares of the queries; then of the softmax; then, MERGE, the factors of the parts.
shared vec4 weights[GROUP * CHUNK / 4];
shared uint arrived;
shared float scratch[64];
// The row's own key and value, as the cache holds them.
shared uvec4 own_key[QUERY == QUERY_ROTATED ? PIECES : 1], own_value[QUERY == QUERY_ROTATED ? PIECES : 1];

// Elements 4 d .. 4 d + 3 of the head that begins at q[from], rotated by what begins at turns[turn].
vec4 rotated(uint from, uint d, uint turn) {
  const uint middle = HEAD_DIM4 / 2;
  const vec4 v = q[from + d], partner = q[from + (d + middle) % HEAD_DIM4];
  const vec4 a = turns[turn + d % middle * 2], b = turns[turn + d % middle * 2 + 1];
  const vec4 c = vec4(a.xz, b.xz), s = vec4(a.yw, b.yw);
  return d < middle ? v * c - partner * s : v * c + partner * s;
}

// Into own_key and own_value, from what follows the row's queries.
void take_own(uint heads, uint kv_head, uint turn) {
  const uint key_from = q_offset / 4 + (heads + kv_head) * HEAD_DIM4, value_from = key_from + gl_NumWorkGroups.y * HEAD_DIM4;
  for (uint i = gl_LocalInvocationID.x; i < 2 * PIECES; i += 64) {
    uvec4 piece;
    [[unroll]] for (uint e = 0; e < QUADS; ++e) {
      const uint d = i % PIECES * QUADS + e;
      pack_kv(piece, e, i < PIECES ? rotated(key_from, d, turn) : q[value_from + d]);
    }
    if (i < PIECES)
      own_key[i] = piece;
    else
      own_value[i - PIECES] = piece;
  }
}

// Joins the parts of `used` splits; the first head's first is parts[part * PART4].
void merge(uint part, uint used, uint to) {
  const uint thread = gl_LocalInvocationID.x, last = used - 1;
  const uint head = min(thread / LANES, GROUP - 1), mine = thread % LANES;
  const bool active_thread = thread < GROUP * LANES;
  const uint stats = (part + head * splits) * PART4 + HEAD_DIM4;
  float highest = -1e30;
  for (uint s = mine; s < used; s += 4 * LANES) [[unroll]]
    for (uint u = 0; u < 4; ++u) highest = max(highest, parts[stats + min(s + u * LANES, last) * PART4].x);
  scratch[thread] = highest;
  barrier();
  [[unroll]] for (uint i = 0; i < LANES; ++i)
    highest = max(highest, scratch[head * LANES + i]);
  barrier();

  // Two columns of four elements at a time, eight parts of each on their way.
  const uint COLUMNS = (GROUP * HEAD_DIM4 + 127) / 128 * 2;
  float total = 0.0;
  vec4 sum[COLUMNS];
  [[unroll]] for (uint c = 0; c < COLUMNS; ++c)
    sum[c] = vec4(0.0);
  for (uint block = 0; block < used; block += CHUNK) {
    vec2 stat[MINE];
    [[unroll]] for (uint i = 0; i < MINE; ++i)
      stat[i] = parts[stats + min(block + mine + i * LANES, last) * PART4].xy;
    [[unroll]] for (uint i = 0; i < MINE; ++i) {
      const uint j = mine + i * LANES;
      const float factor = active_thread && j < CHUNK && block + j < used ? exp(stat[i].x - highest) : 0.0;
      if (active_thread && j < CHUNK) weights[(head * CHUNK + j) / 4][j % 4] = factor;
      total += factor * stat[i].y;
    }
    barrier();
    const uint count = min(CHUNK, used - block);
    [[unroll]] for (uint c = 0; c < COLUMNS; c += 2) {
      const uvec2 i = min(uvec2(thread + c * 64, thread + c * 64 + 64), uvec2(GROUP * HEAD_DIM4 - 1)), g = i / HEAD_DIM4;
      const uvec2 at = (part + g * splits + block) * PART4 + i % HEAD_DIM4;
      for (uint s = 0; s < count; s += 8) {
        vec4 a[8], b[8];
        [[unroll]] for (uint u = 0; u < 8; ++u) {
          a[u] = parts[at.x + min(s + u, count - 1) * PART4];
          b[u] = parts[at.y + min(s + u, count - 1) * PART4];
        }
        [[unroll]] for (uint u = 0; u < 8; ++u) {
          sum[c] += weights[(g.x * CHUNK + s + u) / 4][u % 4] * a[u];
          sum[c + 1] += weights[(g.y * CHUNK + s + u) / 4][u % 4] * b[u];
        }
      }
    }
    barrier();
  }
  scratch[thread] = total;
  barrier();
  [[unroll]] for (uint c = 0; c < COLUMNS; ++c) {
    const uint i = thread + c * 64;
    if (i >= GROUP * HEAD_DIM4) continue;
    total = 0.0;
    [[unroll]] for (uint l = 0; l < LANES; ++l)
      total += scratch[i / HEAD_DIM4 * LANES + l];
    result[to + i] = sum[c] / total;
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
  const uint own = QUERY == QUERY_ROTATED && first + count == visible ? last : CHUNK;
  const uint turn = (visible - 1 - first_turn) * HEAD_DIM4;  // of the row's position

  [[unroll]] for (uint round = 0; round < (GROUP * PADDED4 + 63) / 64; ++round) {
    const uint i = min(round * 64 + thread, GROUP * PADDED4 - 1), d = i % PADDED4;
    const uint head_from = (q_offset + row * q_stride) / 4 + (kv_head * GROUP + i / PADDED4) * HEAD_DIM4, at = min(d, HEAD_DIM4 - 1);
    const vec4 v = QUERY == QUERY_ROTATED ? rotated(head_from, at, turn) : q[head_from + at];
    if (QUERY == QUERY_NORMED) weights[i / 4][i % 4] = d < HEAD_DIM4 ? dot(v, v) : 0.0;
    tile_q[i] = d < HEAD_DIM4 ? scale * v * (QUERY == QUERY_NORMED ? turns[at] : vec4(1.0)) : vec4(0.0);
  }
  if (own < CHUNK) take_own(heads, kv_head, turn);
  barrier();

  // Keys beyond the last are read as the last; nobody looks at their scores.
  const uint lane = thread % KEY_THREADS;
  for (uint j = thread / KEY_THREADS; j < count; j += SETS * KEYS) {
    uvec4 k[SETS][ROUNDS];
    [[unroll]] for (uint s = 0; s < SETS; ++s) [[unroll]]
      for (uint i = 0; i < ROUNDS; ++i) k[s][i] = keys[from + min(j + s * KEYS, last) * pitch + min(i * KEY_THREADS + lane, PIECES - 1)];
    [[unroll]] for (uint s = 0; s < SETS; ++s)
      if (QUERY == QUERY_ROTATED && j + s * KEYS == own) [[unroll]]
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
  float score[MINE], highest = -1e30, factor = 1.0;
  if (QUERY == QUERY_NORMED) {
    vec4 squares = vec4(0.0);
    [[unroll]] for (uint i = 0; i < PADDED4 / 4; ++i)
      squares += weights[head * PADDED4 / 4 + i];
    factor = 1.0 / sqrt(dot(squares, vec4(1.0)) / float(HEAD_DIM) + eps);
  }
  [[unroll]] for (uint i = 0; i < MINE; ++i) {
    const uint j = mine + i * LANES;
    const vec4 share = shares[head * CHUNK + min(j, CHUNK - 1)];
    score[i] = j < count ? factor * (share.x + share.y + share.z + share.w) : -1e30;
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
    parts[(part + head * splits) * PART4 + HEAD_DIM4] = vec4(highest, total, 0.0, 0.0);
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
        if (QUERY == QUERY_ROTATED && j + u >= own)
          v[u] = own_value[piece];  // beyond it, too: weight 0 times what the cache holds may be NaN
      [[unroll]] for (uint g = 0; g < GROUP; ++g) {
        vec4 factor[AHEAD / 4];
        [[unroll]] for (uint i = 0; i < AHEAD / 4; ++i)
          factor[i] = weights[(g * CHUNK + j) / 4 + i];
        [[unroll]] for (uint u = 0; u < AHEAD; ++u) [[unroll]]
          for (uint e = 0; e < QUADS; ++e) sum[g * QUADS + e] += factor[u / 4][u % 4] * unpack_kv(v[u], e);
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
    parts[(part + i / HEAD_DIM4 * splits) * PART4 + i % HEAD_DIM4] = sum;
  }
  // Last, when nothing here reads the cache any more.
  if (own < CHUNK)
    for (uint i = thread; i < PIECES; i += 64) {
      keys[from + own * pitch + i] = own_key[i];
      values[from + own * pitch + i] = own_value[i];
    }
  if (MERGE == 0) return;
  memoryBarrierBuffer();  // the part before the count
  barrier();
  const uint used = (visible + CHUNK - 1) / CHUNK, arrival = row * gl_NumWorkGroups.y + kv_head;
  if (thread == 0) arrived = atomicAdd(arrivals[arrival], 1u) + 1u;
  barrier();
  if (arrived != used) return;
  memoryBarrierBuffer();
  if (thread == 0) arrivals[arrival] = 0u;
  merge(part - split, used, out_offset / 4 + (row * heads + kv_head * GROUP) * HEAD_DIM4);
}
