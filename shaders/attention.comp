#version 450
// out[row, head] = softmax(q k^T / sqrt(head_dim) + mask) v with a running maximum and sum, so that no more
// than 4 SIDE x 4 SIDE scores exist at a time. q rows of q_stride, keys and values rows of kv_stride elements.
// For many query rows (prefill, vision), float32 throughout. One workgroup: SIDE x SIDE threads, 4 SIDE rows of one head against
// 4 SIDE keys at a time. Both products are register tiled: a thread has 4 x 4 scores, then 4 rows of every SIDE-th column,
// so that each value read from shared memory serves several multiplications. Queries and keys come in slices of the
// head, values in slices of the keys; each is on its way while the slice before is computed. So a thread takes little
// shared memory, and with SIDE 16 four subgroups or more fit a SIMD unit.
// Shared memory: 64 SIDE (SIDE + 1) + 64 max(8 SIDE + 8, HEAD_DIM) + 16 SIDE SIDE bytes.
// Dispatch: (ceil(rows / (4 SIDE)), heads), or some of the rows and heads; workgroup = SIDE * SIDE threads.
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint HEAD_DIM = 128;
layout(constant_id = 2) const uint MASK = 0;  // AttentionMask::Kind
layout(constant_id = 3) const uint SIDE = 16;
const uint THREADS = gl_WorkGroupSize.x, ROWS = 4 * SIDE, KEYS = 4 * SIDE, SLICE = 16, PITCH4 = SIDE + 1;  // vec4

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
#include "common/attention_mask.glsl"

const uint SLICES = (HEAD_DIM + SLICE - 1) / SLICE, COLUMNS = (HEAD_DIM + SIDE - 1) / SIDE;
const uint LOADS = ROWS * (SLICE / 4) / (SIDE * SIDE), VALUE_PIECES = SLICE * (HEAD_DIM / 4);
const uint VALUE_LOADS = (VALUE_PIECES + SIDE * SIDE - 1) / (SIDE * SIDE);
const uint TILE4 = 2 * SLICE * PITCH4;                          // queries, then keys: [SLICE][ROWS]
shared vec4 tile[TILE4 > VALUE_PIECES ? TILE4 : VALUE_PIECES];  // or values: [SLICE][HEAD_DIM]
shared vec4 probabilities[KEYS * PITCH4];                       // [KEYS][ROWS]
shared vec4 part[SIDE * SIDE];                                  // of four rows each

vec4 query_pieces[LOADS], key_pieces[LOADS], value_pieces[VALUE_LOADS];

void main() {
  const uint thread = gl_LocalInvocationID.x, ty = thread / SIDE, tx = thread % SIDE;
  const uint head = first_head + gl_WorkGroupID.y;
  const uint first = first_row + gl_WorkGroupID.x * ROWS, last = min(first + ROWS, rows) - 1;
  const uint position0 = MASK == MASK_CAUSAL ? base + state[index] : 0;
  const uint end = MASK == MASK_CAUSAL ? position0 + last + 1 : length;
  const uint q_column = q_offset + head * HEAD_DIM, kv_column = head / group * HEAD_DIM;

  vec4 sum[COLUMNS];  // of four rows
  for (uint c = 0; c < COLUMNS; ++c) sum[c] = vec4(0);
  const float octaves = scale * 1.4426950408889634;  // of probability, for a score
  vec4 highest = vec4(-1e30), total = vec4(0);

  for (uint key0 = 0; key0 < end; key0 += KEYS) {
    if (none_sees(first, last, key0, KEYS, position0)) continue;
    vec4 score[4];  // of four rows, for each of this thread's keys
    for (uint j = 0; j < 4; ++j) score[j] = vec4(0);
    for (uint slice = 0; slice <= SLICES; ++slice) {
      if (slice < SLICES)
        for (uint j = 0; j < LOADS; ++j) {
          // Rows and keys beyond the end repeat the last one; nobody sees or stores them.
          const uint i = thread + j * THREADS, d = slice * SLICE + i / ROWS * 4, at = min(d, HEAD_DIM - 4);
          const uint from = q_column + min(first + i % ROWS, rows - 1) * q_stride + at;
          query_pieces[j] = vec4(q[from], q[from + 1], q[from + 2], q[from + 3]);
          key_pieces[j] = load_kv4(keys, k_offset + min(key0 + i % ROWS, end - 1) * kv_stride + kv_column + at);
          if (d >= HEAD_DIM) query_pieces[j] = key_pieces[j] = vec4(0);
        }
      if (slice > 0)
        for (uint d = 0; d < SLICE; ++d) {
          const vec4 a = tile[d * PITCH4 + ty], b = tile[(SLICE + d) * PITCH4 + tx];
          for (uint j = 0; j < 4; ++j) score[j] += a * b[j];
        }
      barrier();
      if (slice < SLICES) {
        for (uint j = 0; j < LOADS; ++j) {
          const uint i = thread + j * THREADS, d = i / ROWS * 4, at = i % ROWS;
          for (uint e = 0; e < 4; ++e) {
            tile[(d + e) * PITCH4 + at / 4][at % 4] = query_pieces[j][e];
            tile[(SLICE + d + e) * PITCH4 + at / 4][at % 4] = key_pieces[j][e];
          }
        }
        barrier();
      }
    }

    if (!each_sees(first, last, key0, KEYS, position0))
      for (uint i = 0; i < 4; ++i) {
        const uint row = first + ty * 4 + i;
        const bool row_padding = MASK == MASK_VISION && is_padding(row);
        for (uint j = 0; j < 4; ++j) {
          const uint key = key0 + tx * 4 + j;
          if (!row_sees(row, key, position0, row_padding && is_padding(key))) score[j][i] = -3e38;
        }
      }
    part[tx * SIDE + ty] = max(max(score[0], score[1]), max(score[2], score[3]));
    barrier();
    const vec4 before = highest;
    for (uint t = 0; t < SIDE; ++t) highest = max(highest, part[t * SIDE + ty]);
    const vec4 factor = exp2((before - highest) * octaves);
    total *= factor;
    for (uint c = 0; c < COLUMNS; ++c) sum[c] *= factor;
    for (uint j = 0; j < 4; ++j) {
      const vec4 p = exp2((score[j] - highest) * octaves);
      total += p;
      probabilities[(tx * 4 + j) * PITCH4 + ty] = p;
    }

    for (uint slice = 0; slice <= KEYS / SLICE; ++slice) {
      if (slice < KEYS / SLICE)
        for (uint j = 0; j < VALUE_LOADS; ++j) {
          const uint i = min(thread + j * THREADS, VALUE_PIECES - 1), key = key0 + slice * SLICE + i / (HEAD_DIM / 4);
          value_pieces[j] = load_kv4(values, v_offset + min(key, end - 1) * kv_stride + kv_column + i % (HEAD_DIM / 4) * 4);
        }
      if (slice > 0)
        for (uint key = 0; key < SLICE; ++key) {
          const vec4 p = probabilities[((slice - 1) * SLICE + key) * PITCH4 + ty];
          for (uint c = 0; c < COLUMNS; ++c) {
            // Columns beyond the head repeat its last; they are not stored.
            const uint at = key * HEAD_DIM + min(tx + c * SIDE, HEAD_DIM - 1);
            sum[c] += p * tile[at / 4][at % 4];
          }
        }
      barrier();
      if (slice < KEYS / SLICE) {
        for (uint j = 0; j < VALUE_LOADS; ++j)
          if (thread + j * THREADS < VALUE_PIECES) tile[thread + j * THREADS] = value_pieces[j];
        barrier();
      }
    }
  }

  part[tx * SIDE + ty] = total;
  barrier();
  total = vec4(0);
  for (uint t = 0; t < SIDE; ++t) total += part[t * SIDE + ty];
  for (uint i = 0; i < 4; ++i) {
    const uint row = first + ty * 4 + i;
    if (row >= rows) break;
    for (uint c = 0; c < COLUMNS; ++c)
      if (tx + c * SIDE < HEAD_DIM) result[out_offset + row * out_stride + head * HEAD_DIM + tx + c * SIDE] = sum[c][i] / total[i];
  }
}
