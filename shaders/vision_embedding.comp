#version 450
// out[tile, 0]     = class                        + position[0] + g_t * tile_position[tile, 0]
// out[tile, 1 + p] = patch[tile, p] + g_p * pre[tile] + position[1 + p] + g_t * tile_position[tile, 1 + p]
// out[tile, t]     = 0 for tokens <= t < padded
// patches [tiles * (tokens - 1), hidden]; pre [tiles, hidden] and tile_position [tiles, tokens, hidden] of
// the picture's aspect ratio; position already holds its gate. One thread an output element.
#extension GL_GOOGLE_include_directive : require

layout(local_size_x = 64) in;
layout(std430, binding = 0) readonly buffer TilePosition { uvec4 weights[]; };
layout(std430, binding = 1) readonly buffer Patches { float patches[]; };
layout(std430, binding = 2) readonly buffer Class { float class_embedding[]; };
layout(std430, binding = 3) readonly buffer Position { float position_embedding[]; };
layout(std430, binding = 4) readonly buffer Pre { uvec4 pre_words[]; };
layout(std430, binding = 5) writeonly buffer Out { float values[]; };
layout(push_constant) uniform Push {
  uint hidden;
  uint tokens;
  uint padded;
  uint tile_position_first;
  uint pre_first;
  float tile_position_gate;
  float pre_gate;
  uint patches_offset;
  uint offset;
};
#include "common/weights.glsl"

float load_pre(uint element) {
#if defined(WEIGHT_F32)
  return uintBitsToFloat(pre_words[element >> 2][element & 3u]);
#else
  const vec2 pair = unpack_weights(pre_words[element >> 3][(element >> 1) & 3u]);
  return (element & 1u) == 0u ? pair.x : pair.y;
#endif
}

void main() {
  const uint d = gl_GlobalInvocationID.x, token = gl_WorkGroupID.y, tile = gl_WorkGroupID.z;
  if (d >= hidden) return;
  float value = 0.0;
  if (token < tokens) {
    value = token == 0 ? class_embedding[d]
                       : patches[patches_offset + (tile * (tokens - 1) + token - 1) * hidden + d] +
                             pre_gate * load_pre(pre_first + tile * hidden + d);
    value += position_embedding[token * hidden + d];
    value += tile_position_gate * load_weight(tile_position_first + (tile * tokens + token) * hidden + d);
  }
  values[offset + (tile * padded + token) * hidden + d] = value;
}
