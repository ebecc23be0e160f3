#version 450
// out[row, head] = softmax(q k^T / sqrt(head_dim) + mask) v for many rows, as attention.comp, by the device's matrix
// units. q float32, rounded to float16 here; keys and values float16; scores, maxima, sums and out float32;
// probabilities float16, of which a row's largest lies between 1 and 2^SLACK.
// One workgroup: SUBGROUPS that share a tile of KEYS, then of their values, for one head. SHARERS of them have
// the same MATRIX_M rows: of scores each takes a share of the keys, of sums a share of the columns, so that both fit
// its registers; with KEEP_QUERIES the queries lie there, too. How a fragment lies in registers is the driver's
// business: scores pass through shared memory, where a row has LANES / MATRIX_M threads. A new maximum scales the
// sums by a fragment of factors; that is put off until it exceeds the old one by SLACK octaves, so it seldom happens.
// Shared memory: the larger of 2 KEYS (HEAD_DIM + 8) and 2 HEAD_DIM (KEYS + 8) bytes, both with APART; SUBGROUPS MATRIX_M (4 MATRIX_N + 20) and
// 2 SUBGROUPS MATRIX_M (KEYS + 8) / SHARERS; 4 KEYS; and without KEEP_QUERIES 2 SUBGROUPS MATRIX_M (HEAD_DIM + 8) / SHARERS.
// Subgroups that have nothing to do still meet the others at every barrier: some drivers take those of a subgroup for the workgroup's.
// Dispatch: (ceil(rows SHARERS / (SUBGROUPS MATRIX_M)), heads), or some of the rows and heads.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint HEAD_DIM = 128;
layout(constant_id = 2) const uint MASK = 0;  // AttentionMask::Kind
layout(constant_id = 3) const uint SHARERS = 1;
layout(constant_id = 4) const bool KEEP_QUERIES = true;
layout(constant_id = 5) const uint SUBGROUPS = 8;
layout(constant_id = 6) const uint KEYS = 32;      // of a tile
layout(constant_id = 7) const bool APART = false;  // keys and values each have their own place in shared memory
layout(constant_id = 8) const bool AHEAD = false;  // the next tile is on its way, in registers, while this one is computed
const uint THREADS = gl_WorkGroupSize.x, LANES = THREADS / SUBGROUPS;
const uint ROWS = SUBGROUPS / SHARERS * MATRIX_M;
const float SLACK = 8.0;

layout(std430, binding = 0) readonly buffer Q { float q[]; };
layout(std430, binding = 1) readonly buffer K { uvec4 keys[]; };    // eight float16
layout(std430, binding = 2) readonly buffer V { uvec4 values[]; };  // the same
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
#include "common/attention_mask.glsl"

// All in 16 bytes, since fragments are loaded from and stored to addresses that are multiples of that; scalars would lie as the driver likes.
// Pitches keep rows apart by a quarter of the banks. Values lie the other way round, [HEAD_DIM][KEYS], because
// matrix units take both inputs in runs along the sum.
const uint PIECES = HEAD_DIM / 8, K_PITCH = PIECES + 1, V_PITCH = KEYS / 8 + 1;  // uvec4
const uint KEY_LOADS = (KEYS * PIECES + THREADS - 1) / THREADS, VALUE_LOADS = (KEYS / 2 * PIECES + THREADS - 1) / THREADS;
const uint KEY_WORDS = KEYS * K_PITCH, VALUE_WORDS = HEAD_DIM * V_PITCH, VALUES = APART ? KEY_WORDS : 0;
shared uvec4 tile[APART ? KEY_WORDS + VALUE_WORDS : KEY_WORDS > VALUE_WORDS ? KEY_WORDS : VALUE_WORDS];
const uint S_PITCH = MATRIX_N / 4 + 1, P_PITCH = KEYS / 8 + 1, Q_PITCH = PIECES + 1;
shared vec4 fragments[SUBGROUPS * MATRIX_M * S_PITCH];    // float32, one of each subgroup
shared uvec4 probabilities[ROWS * P_PITCH];               // float16, [ROWS][KEYS]
shared uvec4 queries[KEEP_QUERIES ? 1 : ROWS * Q_PITCH];  // float16
shared float of_row[SUBGROUPS * MATRIX_M];                // maximum, or sum, of a share of the keys
shared bool padding[KEYS];                                // keys of the vision encoder

// Fragments of a subgroup. In one of scores or sums a thread has one row, MINE columns.
const uint SCORES = KEYS / MATRIX_N / SHARERS, SUMS = (HEAD_DIM / MATRIX_N + SHARERS - 1) / SHARERS;
const uint THREADS_A_ROW = LANES / MATRIX_M, MINE = MATRIX_N / THREADS_A_ROW;  // 4 or 8

#define Accumulator coopmat<float, gl_ScopeSubgroup, MATRIX_M, MATRIX_N, gl_MatrixUseAccumulator>
#define Left coopmat<float16_t, gl_ScopeSubgroup, MATRIX_M, MATRIX_K, gl_MatrixUseA>
#define Right coopmat<float16_t, gl_ScopeSubgroup, MATRIX_K, MATRIX_N, gl_MatrixUseB>

// Over the threads of a row.
float row_max(float value) {
  for (uint lanes = 1; lanes < THREADS_A_ROW; lanes *= 2) value = max(value, subgroupShuffleXor(value, lanes));
  return value;
}
float row_sum(float value) {
  for (uint lanes = 1; lanes < THREADS_A_ROW; lanes *= 2) value += subgroupShuffleXor(value, lanes);
  return value;
}

uint halves(float a, float b) { return packFloat2x16(f16vec2(float16_t(a), float16_t(b))); }
// Eight columns of a row. Beyond its range float16 has no numbers; a query that large must not become infinite.
uvec4 query(uint at, uint head, uint column) {
  const uint from = q_offset + min(at, rows - 1) * q_stride + head * HEAD_DIM + column;
  uvec4 piece;
  [[unroll]] for (uint e = 0; e < 4; ++e)
    piece[e] = halves(clamp(q[from + 2 * e], -65504.0, 65504.0), clamp(q[from + 2 * e + 1], -65504.0, 65504.0));
  return piece;
}
// Of a tile, on their way. Keys and values beyond the end repeat the last one; nobody sees them.
uvec4 key_pieces[KEY_LOADS], value_pieces[VALUE_LOADS][2];
void fetch_keys(uint from, uint stride, uint key0, uint end) {
  [[unroll]] for (uint j = 0; j < KEY_LOADS; ++j) {
    const uint i = min(gl_LocalInvocationID.x + j * THREADS, KEYS * PIECES - 1);
    key_pieces[j] = keys[from + min(key0 + i / PIECES, end - 1) * stride + i % PIECES];
  }
}
void put_keys() {
  [[unroll]] for (uint j = 0; j < KEY_LOADS; ++j) {
    const uint i = gl_LocalInvocationID.x + j * THREADS;
    if (i < KEYS * PIECES) tile[i / PIECES * K_PITCH + i % PIECES] = key_pieces[j];
  }
}
// Two neighbours at a time, so that whole words can be put in their columns.
void fetch_values(uint from, uint stride, uint key0, uint end) {
  [[unroll]] for (uint j = 0; j < VALUE_LOADS; ++j) {
    const uint i = min(gl_LocalInvocationID.x + j * THREADS, KEYS / 2 * PIECES - 1), key = key0 + i % (KEYS / 2) * 2;
    [[unroll]] for (uint e = 0; e < 2; ++e)
      value_pieces[j][e] = values[from + min(key + e, end - 1) * stride + i / (KEYS / 2)];
  }
}
void put_values() {
  [[unroll]] for (uint j = 0; j < VALUE_LOADS; ++j) {
    const uint i = gl_LocalInvocationID.x + j * THREADS, d = i / (KEYS / 2) * 8, pair = i % (KEYS / 2);
    if (i < KEYS / 2 * PIECES) {
      [[unroll]] for (uint e = 0; e < 4; ++e) {
        const uint a = value_pieces[j][0][e], b = value_pieces[j][1][e];
        tile[VALUES + (d + 2 * e) * V_PITCH + pair / 4][pair % 4] = (a & 0xFFFF) | b << 16;
        tile[VALUES + (d + 2 * e + 1) * V_PITCH + pair / 4][pair % 4] = a >> 16 | (b & 0xFFFF0000);
      }
    }
  }
}

void main() {
  const uint lane = gl_SubgroupInvocationID, row = lane / THREADS_A_ROW, column0 = lane % THREADS_A_ROW * MINE;
  const uint share = gl_SubgroupID % SHARERS, rows0 = gl_SubgroupID / SHARERS * MATRIX_M;
  const uint head = first_head + gl_WorkGroupID.y;
  const uint first = first_row + gl_WorkGroupID.x * ROWS, last = min(first + ROWS, rows) - 1;                  // of the workgroup
  const uint my_first = first + rows0, my_last = min(my_first + MATRIX_M, rows) - 1, my_row = my_first + row;  // of the subgroup
  const bool my_padding = MASK == MASK_VISION && is_padding(my_row);
  const uint position0 = MASK == MASK_CAUSAL ? base + state[index] : 0;
  const uint end = MASK == MASK_CAUSAL ? position0 + last + 1 : length;
  const uint column = head / group * HEAD_DIM, stride = kv_stride / 8;
  const uint s0 = gl_SubgroupID * MATRIX_M * S_PITCH, my_s = s0 + row * S_PITCH + column0 / 4;
  const uint p0 = rows0 * P_PITCH, my_p = (p0 + row * P_PITCH) * 4 + (share * SCORES * MATRIX_N + column0) / 2;

  Left kept[KEEP_QUERIES ? HEAD_DIM / MATRIX_K : 1];
  const uint K_PIECES = MATRIX_K / 8;
  if (KEEP_QUERIES) {
    [[unroll]] for (uint k = 0; k < HEAD_DIM / MATRIX_K; ++k) {
      barrier();
      for (uint i = gl_LocalInvocationID.x; i < ROWS * K_PIECES; i += THREADS)
        probabilities[i / K_PIECES * P_PITCH + i % K_PIECES] = query(first + i / K_PIECES, head, k * MATRIX_K + i % K_PIECES * 8);
      barrier();
      coopMatLoad(kept[k], probabilities, p0, P_PITCH, gl_CooperativeMatrixLayoutRowMajor);
    }
  } else {
    for (uint i = gl_LocalInvocationID.x; i < ROWS * PIECES; i += THREADS)
      queries[i / PIECES * Q_PITCH + i % PIECES] = query(first + i / PIECES, head, i % PIECES * 8);
  }
  Accumulator sum[SUMS];
  [[unroll]] for (uint c = 0; c < SUMS; ++c)
    sum[c] = Accumulator(0.0);
  const float octaves = scale * 1.4426950408889634;  // of probability, for a score
  float highest = -1e30, total = 0.0;

  const uint keys_from = (k_offset + column) / 8, values_from = (v_offset + column) / 8;
  uint key0 = 0;
  while (key0 < end && none_sees(first, last, key0, KEYS, position0)) key0 += KEYS;
  if (AHEAD && key0 < end) fetch_keys(keys_from, stride, key0, end);
  if (AHEAD && APART && key0 < end) fetch_values(values_from, stride, key0, end);
  while (key0 < end) {
    uint next = key0 + KEYS;
    while (next < end && none_sees(first, last, next, KEYS, position0)) next += KEYS;
    if (!AHEAD) fetch_keys(keys_from, stride, key0, end);
    if (!AHEAD && APART) fetch_values(values_from, stride, key0, end);
    barrier();
    put_keys();
    if (APART) put_values();
    if (MASK == MASK_VISION && gl_LocalInvocationID.x < KEYS) padding[gl_LocalInvocationID.x] = is_padding(key0 + gl_LocalInvocationID.x);
    barrier();
    if (AHEAD) fetch_keys(keys_from, stride, min(next, end - 1), end);
    if (AHEAD) fetch_values(values_from, stride, APART ? min(next, end - 1) : key0, end);
    const bool seeing = my_first < rows && !none_sees(my_first, my_last, key0, KEYS, position0);
    vec4 score[SCORES][MINE / 4];
    float largest = -3e38;
    [[unroll]] for (uint f = 0; f < SCORES; ++f) {
      Accumulator s = Accumulator(0.0);
      if (seeing) {
        [[unroll]] for (uint k = 0; k < HEAD_DIM / MATRIX_K; ++k) {
          Right b;
          coopMatLoad(b, tile, (share * SCORES + f) * MATRIX_N * K_PITCH + k * K_PIECES, K_PITCH, gl_CooperativeMatrixLayoutColumnMajor);
          if (KEEP_QUERIES) {
            s = coopMatMulAdd(kept[k], b, s);
          } else {
            Left a;
            coopMatLoad(a, queries, rows0 * Q_PITCH + k * K_PIECES, Q_PITCH, gl_CooperativeMatrixLayoutRowMajor);
            s = coopMatMulAdd(a, b, s);
          }
        }
      }
      subgroupBarrier();
      coopMatStore(s, fragments, s0, S_PITCH, gl_CooperativeMatrixLayoutRowMajor);
      subgroupBarrier();
      [[unroll]] for (uint e = 0; e < MINE / 4; ++e)
        score[f][e] = fragments[my_s + e];
    }
    if (seeing) {
      if (!each_sees(my_first, my_last, key0, KEYS, position0)) {
        [[unroll]] for (uint f = 0; f < SCORES; ++f) [[unroll]]
          for (uint e = 0; e < MINE; ++e) {
            const uint key = (share * SCORES + f) * MATRIX_N + column0 + e;
            const bool both_padding = MASK == MASK_VISION && padding[key] && my_padding;
            if (!row_sees(my_row, key0 + key, position0, both_padding)) score[f][e / 4][e % 4] = -3e38;
          }
      }
      [[unroll]] for (uint f = 0; f < SCORES; ++f) [[unroll]]
        for (uint e = 0; e < MINE; ++e) largest = max(largest, score[f][e / 4][e % 4]);
      largest = row_max(largest);
      if (SHARERS > 1) of_row[gl_SubgroupID * MATRIX_M + row] = largest;
    }
    if (!APART) {
      if (!AHEAD) fetch_values(values_from, stride, key0, end);
      barrier();
      put_values();
    } else if (SHARERS > 1) {
      barrier();
    }
    for (uint i = 0; i < SHARERS && SHARERS > 1; ++i)
      largest = max(largest, of_row[(gl_SubgroupID / SHARERS * SHARERS + i) * MATRIX_M + row]);
    const bool rising = seeing && subgroupMax((largest - highest) * octaves) > SLACK;
    if (rising) {
      const float before = highest;
      highest = max(highest, largest);
      const float factor = exp2((before - highest) * octaves);
      total *= factor;
      [[unroll]] for (uint e = 0; e < MINE / 4; ++e)
        fragments[my_s + e] = vec4(factor);
    }
    subgroupBarrier();
    if (rising) {
      Accumulator factors;
      coopMatLoad(factors, fragments, s0, S_PITCH, gl_CooperativeMatrixLayoutRowMajor);
      [[unroll]] for (uint c = 0; c < SUMS; ++c)
        sum[c] = sum[c] * factors;
    }
    if (seeing) {
      [[unroll]] for (uint f = 0; f < SCORES; ++f) [[unroll]]
        for (uint e = 0; e < MINE / 4; ++e) {
          const vec4 p = exp2((score[f][e] - highest) * octaves);
          total += p.x + p.y + p.z + p.w;
          const uint word = my_p + f * (MATRIX_N / 2) + 2 * e;
          probabilities[word / 4][word % 4] = halves(p.x, p.y);
          probabilities[word / 4][word % 4 + 1] = halves(p.z, p.w);
        }
    }
    if (APART && SHARERS == 1)
      subgroupBarrier();
    else
      barrier();
    key0 = next;
    if (seeing) {
      [[unroll]] for (uint k = 0; k < KEYS / MATRIX_K; ++k) {
        Left p;
        coopMatLoad(p, probabilities, p0 + k * K_PIECES, P_PITCH, gl_CooperativeMatrixLayoutRowMajor);
        [[unroll]] for (uint c = 0; c < SUMS; ++c) {
          // Columns beyond the head repeat its last; they are not stored.
          const uint at = min(share * SUMS + c, HEAD_DIM / MATRIX_N - 1);
          Right b;
          coopMatLoad(b, tile, VALUES + at * MATRIX_N * V_PITCH + k * K_PIECES, V_PITCH, gl_CooperativeMatrixLayoutColumnMajor);
          sum[c] = coopMatMulAdd(p, b, sum[c]);
        }
      }
    }
  }

  total = row_sum(total);
  if (SHARERS > 1) {
    of_row[gl_SubgroupID * MATRIX_M + row] = total;
    barrier();
    total = 0.0;
    for (uint i = 0; i < SHARERS; ++i) total += of_row[(gl_SubgroupID / SHARERS * SHARERS + i) * MATRIX_M + row];
  }
  [[unroll]] for (uint c = 0; c < SUMS; ++c) {
    subgroupBarrier();
    coopMatStore(sum[c], fragments, s0, S_PITCH, gl_CooperativeMatrixLayoutRowMajor);
    subgroupBarrier();
    const uint at = share * SUMS + c;
    if (my_row < rows && at < HEAD_DIM / MATRIX_N) {
      [[unroll]] for (uint e = 0; e < MINE; ++e)
        result[out_offset + my_row * out_stride + head * HEAD_DIM + at * MATRIX_N + column0 + e] = fragments[my_s + e / 4][e % 4] / total;
    }
  }
}
