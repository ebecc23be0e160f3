#version 450
// out[row, head] = softmax(q k^T / sqrt(head_dim) + mask) v with a running maximum and sum, so that no more
// than 16 x 16 scores exist at a time. q rows of q_stride, keys and values rows of kv_stride elements.
// For many query rows (prefill, vision). One workgroup: 16 rows of one head, keys in steps of 16;
// thread t serves row t / 4 and every fourth key and every fourth vec4 of the head. Float32 throughout.
// Dispatch: (ceil(rows / 16), heads).
#extension GL_GOOGLE_include_directive : require

layout(local_size_x = 64) in;
layout(constant_id = 0) const uint HEAD_DIM = 128;
layout(constant_id = 1) const uint MASK = 0;  // AttentionMask::Kind
const uint MASK_ALL = 0, MASK_CAUSAL = 1, MASK_VISION = 2;
const uint HEAD_DIM4 = HEAD_DIM / 4, MINE = (HEAD_DIM4 + 3) / 4, ROWS = 16, KEYS = 16;

layout(std430, binding = 0) readonly buffer Q { float q[]; };
layout(std430, binding = 1) readonly buffer K { uint keys[]; };
layout(std430, binding = 2) readonly buffer V { uint values[]; };
layout(std430, binding = 3) readonly buffer State { uint state[]; };
layout(std430, binding = 4) writeonly buffer Out { float result[]; };
layout(push_constant) uniform Push {
  uint rows; uint first_row; uint q_stride; uint q_offset; uint kv_stride; uint k_offset; uint v_offset; uint group; uint out_stride; uint out_offset;
  uint length; uint index; uint base; uint num_tiles; uint tokens; uint padded; float scale;
};
#include "common/kv.glsl"

shared vec4 tile_q[ROWS * HEAD_DIM4];
shared vec4 tile_k[KEYS * HEAD_DIM4];
shared vec4 tile_v[KEYS * HEAD_DIM4];
shared float scores[ROWS * KEYS];

bool is_padding(uint token) { return token / padded >= num_tiles || token % padded >= tokens; }

void main() {
  const uint thread = gl_LocalInvocationID.x, lane = thread % 4, mine = thread / 4;
  const uint head = gl_WorkGroupID.y, row0 = first_row + gl_WorkGroupID.x * ROWS;
  const uint row = row0 + mine;
  const uint position0 = MASK == MASK_CAUSAL ? base + state[index] : 0;
  const uint last_row = min(row0 + ROWS, rows) - 1;
  const uint visible = MASK == MASK_CAUSAL ? position0 + last_row + 1 : length;

  for (uint i = thread; i < ROWS * HEAD_DIM4; i += 64) {
    const uint from = q_offset + min(row0 + i / HEAD_DIM4, rows - 1) * q_stride + head * HEAD_DIM + i % HEAD_DIM4 * 4;
    tile_q[i] = scale * vec4(q[from], q[from + 1], q[from + 2], q[from + 3]);
  }
  vec4 sum[MINE];
  for (uint i = 0; i < MINE; ++i) sum[i] = vec4(0);
  float highest = -1e30, total = 0.0;
  const bool row_is_padding = MASK == MASK_VISION && is_padding(row);

  for (uint key0 = 0; key0 < visible; key0 += KEYS) {
    barrier();
    for (uint i = thread; i < KEYS * HEAD_DIM4; i += 64) {
      // Keys beyond the end repeat the last one; their scores are masked.
      const uint from = min(key0 + i / HEAD_DIM4, visible - 1) * kv_stride + head / group * HEAD_DIM + i % HEAD_DIM4 * 4;
      tile_k[i] = load_kv4(keys, k_offset + from);
      tile_v[i] = load_kv4(values, v_offset + from);
    }
    barrier();
    for (uint j = lane; j < KEYS; j += 4) {
      vec4 product = vec4(0);
      for (uint d = 0; d < HEAD_DIM4; ++d) product += tile_q[mine * HEAD_DIM4 + d] * tile_k[j * HEAD_DIM4 + d];
      const uint key = key0 + j;
      bool seen = key < visible;
      if (MASK == MASK_CAUSAL) seen = seen && key <= position0 + row;
      if (MASK == MASK_VISION) seen = seen && !(row_is_padding && is_padding(key));
      scores[mine * KEYS + j] = seen ? product.x + product.y + product.z + product.w : -3e38;
    }
    barrier();
    float tile_highest = highest;
    for (uint j = 0; j < KEYS; ++j) tile_highest = max(tile_highest, scores[mine * KEYS + j]);
    const float rescale = exp(highest - tile_highest);
    highest = tile_highest;
    barrier();
    for (uint j = lane; j < KEYS; j += 4) scores[mine * KEYS + j] = exp(scores[mine * KEYS + j] - highest);
    barrier();
    total *= rescale;
    for (uint i = 0; i < MINE; ++i) sum[i] *= rescale;
    for (uint j = 0; j < KEYS; ++j) {
      const float p = scores[mine * KEYS + j];
      total += p;
      for (uint i = 0; i < MINE; ++i)
        if (lane + i * 4 < HEAD_DIM4) sum[i] += p * tile_v[j * HEAD_DIM4 + lane + i * 4];
    }
  }
  if (row >= rows) return;
  for (uint i = 0; i < MINE; ++i) {
    const uint d = lane + i * 4;
    if (d >= HEAD_DIM4) break;
    const uint to = out_offset + row * out_stride + head * HEAD_DIM + d * 4;
    const vec4 v = sum[i] / total;
    result[to] = v.x;
    result[to + 1] = v.y;
    result[to + 2] = v.z;
    result[to + 3] = v.w;
  }
}
