#version 450
// y = x * transpose(w), then the epilogue. x [m, k] float32, w block [n, k], y [m, n_all] float32.
// Tiles of 64 x 64 outputs; 64 threads with 8 x 8 outputs each in registers; k in steps of 16 through
// shared memory. Plain float32, needs nothing of the device: the exact path, and the fallback. Loops over the sums are unrolled, those of
// the epilogue too: one index that a compiler cannot see puts all of them into memory, for every multiplication.
// Dispatch: (ceil(n / 64), ceil(m / 64)), tiles in the order of tile_order.glsl.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require

layout(local_size_x = 64) in;
layout(constant_id = 0) const uint EPILOGUE = 0;
const uint TILE = 64, STEP = 16;

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

shared vec4 tile_x[STEP][TILE / 4];
shared vec4 tile_w[STEP][TILE / 4];

void main() {
  const uint thread = gl_LocalInvocationID.x;
  const uint tx = thread % 8, ty = thread / 8;
  const uvec2 tile = tile_of(gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x, gl_NumWorkGroups.y, gl_NumWorkGroups.x);
  const uint m0 = tile.x * TILE, n0 = tile.y * TILE;
  const uint x_row = min(m0 + thread, m - 1), w_row = min(n0 + thread, n - 1);

  vec4 sum[8][2];
  [[unroll]] for (uint i = 0; i < 8; ++i) {
    sum[i][0] = vec4(0);
    sum[i][1] = vec4(0);
  }

  for (uint group = 0; group < groups; group += STEP / 8) {
    // Thread t brings 16 values of row t of both operands, transposed.
    [[unroll]] for (uint h = 0; h < STEP / 8; ++h) {
      vec4 a = vec4(0), b = vec4(0), c = vec4(0), d = vec4(0);
      if (group + h < groups) {
        const uint at = x_offset4 + (x_row * groups + group + h) * 2;
        a = x[at];
        b = x[at + 1];
        load_weights(w_row, group + h, groups, c, d);
      }
      [[unroll]] for (uint i = 0; i < 4; ++i) {
        tile_x[h * 8 + i][thread / 4][thread % 4] = a[i];
        tile_x[h * 8 + 4 + i][thread / 4][thread % 4] = b[i];
        tile_w[h * 8 + i][thread / 4][thread % 4] = c[i];
        tile_w[h * 8 + 4 + i][thread / 4][thread % 4] = d[i];
      }
    }
    barrier();
    for (uint k = 0; k < STEP; ++k) {
      const vec4 a0 = tile_x[k][ty], a1 = tile_x[k][ty + 8];
      const vec4 b0 = tile_w[k][tx], b1 = tile_w[k][tx + 8];
      [[unroll]] for (uint i = 0; i < 4; ++i) {
        sum[i][0] += a0[i] * b0;
        sum[i][1] += a0[i] * b1;
        sum[i + 4][0] += a1[i] * b0;
        sum[i + 4][1] += a1[i] * b1;
      }
    }
    barrier();
  }

  [[unroll]] for (uint i = 0; i < 8; ++i) {
    const uint row = m0 + (i < 4 ? ty * 4 + i : 32 + ty * 4 + i - 4);
    if (row >= m) continue;
    [[unroll]] for (uint half_index = 0; half_index < 2; ++half_index) {
      const uint local = n0 + half_index * 32 + tx * 4;
      if (local >= n) continue;
      const uint column = first_row + local;
      vec4 v = sum[i][half_index];
      [[unroll]] for (uint j = 0; j < 4; ++j)
        if (has_bias != 0 && local + j < n) v[j] += bias[column + j];
      if (EPILOGUE == EPILOGUE_SILU_MUL) {
        const uint at = y_offset + row * y_stride + column / 2;
        if (local + 1 < n) y[at] = silu(v[0]) * v[1];
        if (local + 3 < n) y[at + 1] = silu(v[2]) * v[3];
      } else {
        const uint at = y_offset + row * y_stride + column;
        [[unroll]] for (uint j = 0; j < 4; ++j) {
          if (local + j >= n) continue;
          if (EPILOGUE == EPILOGUE_GELU)
            y[at + j] = gelu(v[j]);
          else if (EPILOGUE == EPILOGUE_ADD)
            y[at + j] += scale * v[j];
          else
            y[at + j] = v[j];
        }
      }
    }
  }
}
