#version 450
// The same as matmul.comp on the device's matrix units: float16 inputs, float32 sums. x [m, k rounded up to 32] float16 as
// to_half.comp leaves it, w block [n, k], y [m, n_all] float32.
//
// A workgroup makes TILE_M x TILE_N outputs, a subgroup SUB_M x SUB_N of them in fragments of MATRIX_M x MATRIX_N; which sizes
// is the device's matter (ops/matrix_tiles.h). k goes in steps of 32 through shared memory. What the next step needs is on its way
// while this one is multiplied, in registers, as it is stored; no branch stands around a load. Fragments are literals: some
// drivers refuse specialisation constants there.
// Dispatch: (ceil(n / TILE_N), ceil(m / TILE_M)), tiles in the order of tile_order.glsl.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint TILE_M = 128;
layout(constant_id = 2) const uint TILE_N = 128;
layout(constant_id = 3) const uint SUB_M = 64;
layout(constant_id = 4) const uint SUB_N = 32;
layout(constant_id = 5) const uint THREADS = 256;  // the workgroup's
layout(constant_id = 6) const uint AHEAD = 1;  // 0 where the registers of a step ahead would not fit; 2: it has shared memory of its own
layout(constant_id = 7) const uint EPILOGUE = 0;
const uint STEP = 32;
// A row of a step in shared memory, in 16 bytes; one more, so that rows begin in different banks.
const uint STEP_WORDS = STEP / 8, PITCH = STEP_WORDS + 1;
const uint ACROSS = TILE_N / SUB_N, SUBGROUPS = TILE_M / SUB_M * ACROSS, LANES = THREADS / SUBGROUPS;

layout(std430, binding = 0) readonly buffer Weights { uvec4 weights[]; };
layout(std430, binding = 1) readonly buffer X { uvec4 x[]; };
layout(std430, binding = 2) readonly buffer Bias { float bias[]; };
layout(std430, binding = 3) buffer Y { float y[]; };
layout(push_constant) uniform Push {
  uint m;
  uint groups;
  uint n;
  uint first_row;
  uint first_x_row;
  uint y_offset;
  uint y_stride;
  uint has_bias;
  float scale;
};
#include "common/weights.glsl"
#include "common/half_weights.glsl"
#include "common/epilogue.glsl"
#include "common/tile_order.glsl"

// Rows of x, then rows of w; at the end the sums, a row of fragments of each subgroup at a time.
const uint TILE_W = TILE_M * PITCH, INPUTS = TILE_W + TILE_N * PITCH, BUFFERS = AHEAD == 2 ? 2 : 1, SUMS = MATRIX_M * SUB_N / 4;
shared uvec4 tile[BUFFERS * INPUTS > SUBGROUPS* SUMS ? BUFFERS * INPUTS : SUBGROUPS * SUMS];

const uint X_LOADS = TILE_M * STEP_WORDS / THREADS, W_LOADS = TILE_N * PIECES / THREADS;
uint x_from[X_LOADS], w_row[W_LOADS];
uvec4 x_next[X_LOADS];
Piece w_next[W_LOADS];

void fetch(uint step) {
  [[unroll]] for (uint u = 0; u < X_LOADS; ++u)
    x_next[u] = x[x_from[u] + step * STEP_WORDS];
  [[unroll]] for (uint u = 0; u < W_LOADS; ++u)
    w_next[u] = fetch_piece(w_row[u], groups, step, (gl_LocalInvocationID.x + u * THREADS) % PIECES);
}

// Where a step lies in shared memory.
uint begin_of(uint step) { return AHEAD == 2 ? step % 2 * INPUTS : 0; }

void put(uint step, uint begin) {
  const uint thread = gl_LocalInvocationID.x;
  [[unroll]] for (uint u = 0; u < X_LOADS; ++u) {
    const uint i = thread + u * THREADS;
    tile[begin + i / STEP_WORDS * PITCH + i % STEP_WORDS] = x_next[u];
  }
  [[unroll]] for (uint u = 0; u < W_LOADS; ++u) {
    const uint i = thread + u * THREADS, part = i % PIECES;
    uvec4 unpacked[PIECE_WORDS];
    unpack_piece(w_next[u], step, part, unpacked);
    [[unroll]] for (uint word = 0; word < PIECE_WORDS; ++word)
      tile[begin + TILE_W + i / PIECES * PITCH + part * PIECE_WORDS + word] = unpacked[word];
  }
}

float sum_at(uint i) { return uintBitsToFloat(tile[gl_SubgroupID * SUMS + i / 4][i % 4]); }

void main() {
  const uint thread = gl_LocalInvocationID.x;
  const uvec2 place = tile_of(gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x, gl_NumWorkGroups.y, gl_NumWorkGroups.x);
  const uint m0 = place.x * TILE_M, n0 = place.y * TILE_N;
  const uint sub_m = gl_SubgroupID / ACROSS * SUB_M, sub_n = gl_SubgroupID % ACROSS * SUB_N;
  const uint steps = (groups + STEP_WORDS - 1) / STEP_WORDS;

  // Rows beyond the end repeat the last one; their outputs are dropped.
  [[unroll]] for (uint u = 0; u < X_LOADS; ++u) {
    const uint i = thread + u * THREADS;
    x_from[u] = (first_x_row + min(m0 + i / STEP_WORDS, m - 1)) * steps * STEP_WORDS + i % STEP_WORDS;
  }
  [[unroll]] for (uint u = 0; u < W_LOADS; ++u)
    w_row[u] = min(n0 + (thread + u * THREADS) / PIECES, n - 1);

  coopmat<float, gl_ScopeSubgroup, MATRIX_M, MATRIX_N, gl_MatrixUseAccumulator> sum[SUB_M / MATRIX_M][SUB_N / MATRIX_N];
  [[unroll]] for (uint i = 0; i < SUB_M / MATRIX_M; ++i) [[unroll]]
    for (uint j = 0; j < SUB_N / MATRIX_N; ++j)
      sum[i][j] = coopmat<float, gl_ScopeSubgroup, MATRIX_M, MATRIX_N, gl_MatrixUseAccumulator>(0.0);

  if (AHEAD != 0) fetch(0);
  if (AHEAD == 2) {
    put(0, 0);
    barrier();
  }
  for (uint step = 0; step < steps; ++step) {
    const uint next = min(step + 1, steps - 1), begin = begin_of(step);
    if (AHEAD == 0) fetch(step);
    if (AHEAD != 2) {
      put(step, 0);
      barrier();
    }
    if (AHEAD != 0) fetch(next);
    [[unroll]] for (uint k = 0; k < STEP; k += MATRIX_K) {
      coopmat<float16_t, gl_ScopeSubgroup, MATRIX_K, MATRIX_N, gl_MatrixUseB> b[SUB_N / MATRIX_N];
      [[unroll]] for (uint j = 0; j < SUB_N / MATRIX_N; ++j)
        coopMatLoad(b[j], tile, begin + TILE_W + (sub_n + j * MATRIX_N) * PITCH + k / 8, PITCH, gl_CooperativeMatrixLayoutColumnMajor);
      [[unroll]] for (uint i = 0; i < SUB_M / MATRIX_M; ++i) {
        coopmat<float16_t, gl_ScopeSubgroup, MATRIX_M, MATRIX_K, gl_MatrixUseA> a;
        coopMatLoad(a, tile, begin + (sub_m + i * MATRIX_M) * PITCH + k / 8, PITCH, gl_CooperativeMatrixLayoutRowMajor);
        [[unroll]] for (uint j = 0; j < SUB_N / MATRIX_N; ++j)
          sum[i][j] = coopMatMulAdd(a, b[j], sum[i][j]);
      }
    }
    // With two buffers nobody reads what is written now. The last step is put once more, where nobody reads at all.
    if (AHEAD == 2) put(next, begin_of(step + 1));
    barrier();
  }

  const bool pairs = EPILOGUE == EPILOGUE_SILU_MUL;
  const uint width = pairs ? SUB_N / 2 : SUB_N;
  [[unroll]] for (uint i = 0; i < SUB_M / MATRIX_M; ++i) {
    [[unroll]] for (uint j = 0; j < SUB_N / MATRIX_N; ++j)
      coopMatStore(sum[i][j], tile, gl_SubgroupID * SUMS + j * (MATRIX_N / 4), SUB_N / 4, gl_CooperativeMatrixLayoutRowMajor);
    barrier();
    // Lanes side by side write side by side.
    for (uint e = gl_SubgroupInvocationID; e < MATRIX_M * width; e += LANES) {
      const uint row = m0 + sub_m + i * MATRIX_M + e / width, local = n0 + sub_n + e % width * (pairs ? 2 : 1);
      if (row >= m || local >= n) continue;
      const uint column = first_row + local;
      const float added = has_bias != 0 ? bias[column] : 0.0;
      if (pairs) {
        // The rows of such a matrix are an even number.
        const float more = has_bias != 0 ? bias[column + 1] : 0.0;
        y[y_offset + row * y_stride + column / 2] = silu(sum_at(2 * e) + added) * (sum_at(2 * e + 1) + more);
        continue;
      }
      const uint at = y_offset + row * y_stride + column;
      const float v = sum_at(e) + added;
      if (EPILOGUE == EPILOGUE_GELU)
        y[at] = gelu(v);
      else if (EPILOGUE == EPILOGUE_ADD)
        y[at] += scale * v;
      else
        y[at] = v;
    }
    barrier();
  }
}
