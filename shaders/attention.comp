#version 450
// out[row, head] = softmax(q k^T / sqrt(head_dim) + mask) v with a running maximum and sum, so that no more
// than 32 x KEYS scores exist at a time. q rows of q_stride, keys and values rows of kv_stride elements.
// For many query rows (prefill, vision). One workgroup: 32 rows of one head. Both products are register
// tiled: a thread computes 4 rows x KEYS / 8 scores, then 4 rows x a share of the head's columns, so that each
// value read from shared memory serves several multiplications. Keys and values take turns in one tile.
// Float32 throughout. Shared memory: 4 * ((32 + KEYS) * HEAD_DIM + 32 * KEYS + 128) bytes.
// Dispatch: (ceil(rows / 32), heads), or some of the rows and heads.
#extension GL_GOOGLE_include_directive : require

layout(local_size_x = 64) in;
layout(constant_id = 0) const uint HEAD_DIM = 128;
layout(constant_id = 1) const uint MASK = 0;   // AttentionMask::Kind
layout(constant_id = 2) const uint KEYS = 16;  // 16 or 32
const uint MASK_ALL = 0, MASK_CAUSAL = 1, MASK_VISION = 2;
const uint ROWS = 32, HEAD_DIM4 = HEAD_DIM / 4, COLUMNS = (HEAD_DIM4 + 7) / 8, MINE = KEYS / 8;

layout(std430, binding = 0) readonly buffer Q { float q[]; };
layout(std430, binding = 1) readonly buffer K { uint keys[]; };
layout(std430, binding = 2) readonly buffer V { uint values[]; };
layout(std430, binding = 3) readonly buffer State { uint state[]; };
layout(std430, binding = 4) writeonly buffer Out { float result[]; };
layout(push_constant) uniform Push {
  uint rows;
  uint first_row;
  uint q_stride;
  uint q_offset;
  uint kv_stride;
  uint k_offset;
  uint v_offset;
  uint group;
  uint out_stride;
  uint out_offset;
  uint length;
  uint index;
  uint base;
  uint num_tiles;
  uint tokens;
  uint padded;
  float scale;
  uint first_head;
};
#include "common/kv.glsl"

shared vec4 tile_q[HEAD_DIM * ROWS / 4];     // [HEAD_DIM][ROWS]
shared vec4 tile_kv[KEYS * HEAD_DIM4];       // keys as [HEAD_DIM][KEYS], values as [KEYS][HEAD_DIM]
shared vec4 probabilities[KEYS * ROWS / 4];  // [KEYS][ROWS]
shared float row_part[2 * ROWS];
shared vec4 row_scale[ROWS / 4];
shared vec4 row_total[ROWS / 4];

bool is_padding(uint token) { return token / padded >= num_tiles || token % padded >= tokens; }

void main() {
  const uint thread = gl_LocalInvocationID.x;
  const uint ty = thread / 8, tx = thread % 8;                     // products: rows 4 ty .. 4 ty + 3
  const uint soft_row = thread % ROWS, soft_half = thread / ROWS;  // softmax: one row, half of the keys
  const uint head = first_head + gl_WorkGroupID.y, row0 = first_row + gl_WorkGroupID.x * ROWS;
  const uint position0 = MASK == MASK_CAUSAL ? base + state[index] : 0;
  const uint visible = MASK == MASK_CAUSAL ? position0 + min(row0 + ROWS, rows) : length;

  for (uint i = thread; i < ROWS * HEAD_DIM4; i += 64) {
    const uint row = i % ROWS, d = i / ROWS * 4;
    const uint from = q_offset + min(row0 + row, rows - 1) * q_stride + head * HEAD_DIM + d;
    for (uint j = 0; j < 4; ++j) tile_q[(d + j) * (ROWS / 4) + row / 4][row % 4] = scale * q[from + j];
  }
  vec4 sum[4][COLUMNS];
  for (uint i = 0; i < 4; ++i)
    for (uint c = 0; c < COLUMNS; ++c) sum[i][c] = vec4(0);
  float highest = -1e30, total = 0.0;

  for (uint key0 = 0; key0 < visible; key0 += KEYS) {
    barrier();
    for (uint i = thread; i < KEYS * HEAD_DIM4; i += 64) {
      // Keys beyond the end repeat the last one; their scores are masked.
      const uint key = i % KEYS, d = i / KEYS * 4;
      const vec4 k = load_kv4(keys, k_offset + min(key0 + key, visible - 1) * kv_stride + head / group * HEAD_DIM + d);
      for (uint j = 0; j < 4; ++j) tile_kv[((d + j) * KEYS + key) / 4][key % 4] = k[j];
    }
    barrier();

    vec4 score[MINE];  // of 4 rows, for each of this thread's keys
    for (uint j = 0; j < MINE; ++j) score[j] = vec4(0);
    for (uint d = 0; d < HEAD_DIM; ++d) {
      const vec4 a = tile_q[d * (ROWS / 4) + ty];
      if (MINE == 4) {
        const vec4 b = tile_kv[d * 8 + tx];
        for (uint j = 0; j < MINE; ++j) score[j] += a * b[j];
      } else {
        const vec4 b = tile_kv[d * 4 + tx / 2];
        const vec2 pair = tx % 2 == 0 ? b.xy : b.zw;
        for (uint j = 0; j < MINE; ++j) score[j] += a * pair[j];
      }
    }
    for (uint j = 0; j < MINE; ++j) {
      const uint key = key0 + tx * MINE + j;
      for (uint i = 0; i < 4; ++i) {
        const uint row = row0 + ty * 4 + i;
        bool seen = key < visible;
        if (MASK == MASK_CAUSAL) seen = seen && key <= position0 + row;
        if (MASK == MASK_VISION) seen = seen && !(is_padding(row) && is_padding(key));
        if (!seen) score[j][i] = -3e38;
      }
      probabilities[(tx * MINE + j) * (ROWS / 4) + ty] = score[j];
    }
    barrier();

    for (uint i = thread; i < KEYS * HEAD_DIM4; i += 64)
      tile_kv[i] =
          load_kv4(values, v_offset + min(key0 + i / HEAD_DIM4, visible - 1) * kv_stride + head / group * HEAD_DIM + i % HEAD_DIM4 * 4);
    const uint first = soft_half * (KEYS / 2);
    float part = -1e30;
    for (uint j = first; j < first + KEYS / 2; ++j) part = max(part, probabilities[j * (ROWS / 4) + soft_row / 4][soft_row % 4]);
    row_part[thread] = part;
    barrier();
    const float before = highest;
    highest = max(before, max(row_part[soft_row], row_part[soft_row + ROWS]));
    barrier();
    part = 0.0;
    for (uint j = first; j < first + KEYS / 2; ++j) {
      const float p = exp(probabilities[j * (ROWS / 4) + soft_row / 4][soft_row % 4] - highest);
      probabilities[j * (ROWS / 4) + soft_row / 4][soft_row % 4] = p;
      part += p;
    }
    row_part[thread] = part;
    if (soft_half == 0) row_scale[soft_row / 4][soft_row % 4] = exp(before - highest);
    barrier();
    total = total * exp(before - highest) + row_part[soft_row] + row_part[soft_row + ROWS];

    const vec4 rescale = row_scale[ty];
    for (uint i = 0; i < 4; ++i)
      for (uint c = 0; c < COLUMNS; ++c) sum[i][c] *= rescale[i];
    for (uint j = 0; j < KEYS; ++j) {
      const vec4 p = probabilities[j * (ROWS / 4) + ty];
      for (uint c = 0; c < COLUMNS; ++c) {
        // Columns beyond the head repeat its last; they are not stored.
        const vec4 v = tile_kv[j * HEAD_DIM4 + min(tx + c * 8, HEAD_DIM4 - 1)];
        for (uint i = 0; i < 4; ++i) sum[i][c] += p[i] * v;
      }
    }
  }
  if (soft_half == 0) row_total[soft_row / 4][soft_row % 4] = total;
  barrier();
  const vec4 totals = row_total[ty];
  for (uint i = 0; i < 4; ++i) {
    const uint row = row0 + ty * 4 + i;
    if (row >= rows) break;
    for (uint c = 0; c < COLUMNS; ++c) {
      if (tx + c * 8 >= HEAD_DIM4) break;
      const uint to = out_offset + row * out_stride + head * HEAD_DIM + (tx + c * 8) * 4;
      const vec4 v = sum[i][c] / totals[i];
      for (uint j = 0; j < 4; ++j) result[to + j] = v[j];
    }
  }
}
