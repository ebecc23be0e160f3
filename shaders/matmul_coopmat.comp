#version 450
// The same as matmul.comp with inputs rounded to float16 and multiplied by the device's matrix units,
// accumulated in float32. x [m, k] float32, w block [n, k], y [m, n_all] float32.
// Tiles of 64 x 64 outputs; four subgroups with a 32 x 32 quarter each, made of M x N fragments; k in
// steps of 32 through shared memory. M, N, K are literals: some drivers refuse specialisation constants there.
// Dispatch: (ceil(n / 64), ceil(m / 64)), tiles in the order of tile_order.glsl; workgroup = 4 subgroups.
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint EPILOGUE = 0;
const uint TILE = 64, STEP = 32, PITCH = STEP + 8, QUARTER = 32;

layout(std430, binding = 0) readonly buffer Weights { uvec4 weights[]; };
layout(std430, binding = 1) readonly buffer X { vec4 x[]; };
layout(std430, binding = 2) readonly buffer Bias { float bias[]; };
layout(std430, binding = 3) buffer Y { float y[]; };
layout(push_constant) uniform Push {
  uint m;
  uint groups;
  uint n;
  uint first_row;
  uint x_offset4;
  uint y_offset;
  uint y_stride;
  uint has_bias;
  float scale;
};
#include "common/weights.glsl"
#include "common/epilogue.glsl"
#include "common/tile_order.glsl"

shared float16_t tile_x[TILE * PITCH];
shared float16_t tile_w[TILE * PITCH];
shared float tile_y[TILE * TILE];

// Beyond this float16 has no numbers; an activation that large must not become infinite.
vec4 to_half_range(vec4 v) { return clamp(v, vec4(-65504.0), vec4(65504.0)); }

void main() {
  const uint thread = gl_LocalInvocationID.x, threads = gl_WorkGroupSize.x;
  const uvec2 tile = tile_of(gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x, gl_NumWorkGroups.y, gl_NumWorkGroups.x);
  const uint m0 = tile.x * TILE, n0 = tile.y * TILE;
  const uint quarter_m = gl_SubgroupID / 2 * QUARTER, quarter_n = gl_SubgroupID % 2 * QUARTER;
  const bool working = gl_SubgroupID < 4;

  coopmat<float, gl_ScopeSubgroup, MATRIX_M, MATRIX_N, gl_MatrixUseAccumulator> sum[QUARTER / MATRIX_M][QUARTER / MATRIX_N];
  for (uint i = 0; i < QUARTER / MATRIX_M; ++i)
    for (uint j = 0; j < QUARTER / MATRIX_N; ++j)
      sum[i][j] = coopmat<float, gl_ScopeSubgroup, MATRIX_M, MATRIX_N, gl_MatrixUseAccumulator>(0.0);

  for (uint group = 0; group < groups; group += STEP / 8) {
    for (uint i = thread; i < TILE * (STEP / 8); i += threads) {
      const uint row = i / (STEP / 8), h = i % (STEP / 8);
      vec4 a = vec4(0), b = vec4(0), c = vec4(0), d = vec4(0);
      if (group + h < groups) {
        const uint at = x_offset4 + (min(m0 + row, m - 1) * groups + group + h) * 2;
        a = to_half_range(x[at]);
        b = to_half_range(x[at + 1]);
        load_weights(min(n0 + row, n - 1), group + h, groups, c, d);
        c = to_half_range(c);
        d = to_half_range(d);
      }
      const uint to = row * PITCH + h * 8;
      for (uint e = 0; e < 4; ++e) {
        tile_x[to + e] = float16_t(a[e]);
        tile_x[to + 4 + e] = float16_t(b[e]);
        tile_w[to + e] = float16_t(c[e]);
        tile_w[to + 4 + e] = float16_t(d[e]);
      }
    }
    barrier();
    if (working)
      for (uint k = 0; k < STEP; k += MATRIX_K) {
        coopmat<float16_t, gl_ScopeSubgroup, MATRIX_K, MATRIX_N, gl_MatrixUseB> b[QUARTER / MATRIX_N];
        for (uint j = 0; j < QUARTER / MATRIX_N; ++j)
          coopMatLoad(b[j], tile_w, (quarter_n + j * MATRIX_N) * PITCH + k, PITCH, gl_CooperativeMatrixLayoutColumnMajor);
        for (uint i = 0; i < QUARTER / MATRIX_M; ++i) {
          coopmat<float16_t, gl_ScopeSubgroup, MATRIX_M, MATRIX_K, gl_MatrixUseA> a;
          coopMatLoad(a, tile_x, (quarter_m + i * MATRIX_M) * PITCH + k, PITCH, gl_CooperativeMatrixLayoutRowMajor);
          for (uint j = 0; j < QUARTER / MATRIX_N; ++j) sum[i][j] = coopMatMulAdd(a, b[j], sum[i][j]);
        }
      }
    barrier();
  }

  if (working)
    for (uint i = 0; i < QUARTER / MATRIX_M; ++i)
      for (uint j = 0; j < QUARTER / MATRIX_N; ++j)
        coopMatStore(sum[i][j], tile_y, (quarter_m + i * MATRIX_M) * TILE + quarter_n + j * MATRIX_N, TILE,
                     gl_CooperativeMatrixLayoutRowMajor);
  barrier();

  for (uint i = thread; i < TILE * TILE / 2; i += threads) {
    const uint row = m0 + i / (TILE / 2), local = n0 + i % (TILE / 2) * 2;
    if (row >= m || local >= n) continue;
    const bool both = local + 1 < n;
    const uint column = first_row + local, from = i / (TILE / 2) * TILE + i % (TILE / 2) * 2;
    vec2 v = vec2(tile_y[from], tile_y[from + 1]);
    if (has_bias != 0) v += vec2(bias[column], both ? bias[column + 1] : 0.0);
    const uint at = y_offset + row * y_stride;
    if (EPILOGUE == EPILOGUE_SILU_MUL) {
      if (both) y[at + column / 2] = silu(v.x) * v.y;
    } else if (EPILOGUE == EPILOGUE_GELU) {
      y[at + column] = gelu(v.x);
      if (both) y[at + column + 1] = gelu(v.y);
    } else if (EPILOGUE == EPILOGUE_ADD) {
      y[at + column] += scale * v.x;
      if (both) y[at + column + 1] += scale * v.y;
    } else {
      y[at + column] = v.x;
      if (both) y[at + column + 1] = v.y;
    }
  }
}
