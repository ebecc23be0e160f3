#version 450
// y = x in float16, beyond whose range a number becomes the largest that it has: an activation that large must not become
// infinite. x [m, k] float32, y [m, k rounded up to 32] float16, zero beyond k. What enters a product on matrix units, once for
// all of its tiles. Dispatch: (ceil(k / 8 / 64), m); a thread makes 8 elements.
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require

layout(local_size_x = 64) in;
// 1: the order of half_weights.glsl for blocks, 0, 2, 1, 3 in every four elements.
layout(constant_id = 0) const uint BY_BLOCKS = 0;

layout(std430, binding = 0) readonly buffer X { vec4 x[]; };
layout(std430, binding = 1) writeonly buffer Y { uvec4 y[]; };
layout(push_constant) uniform Push {
  uint groups;
  uint x_offset4;
};

uvec2 halves(vec4 v) {
  const vec4 ordered = BY_BLOCKS != 0 ? v.xzyw : v;
  const f16vec4 h = f16vec4(clamp(ordered, vec4(-65504.0), vec4(65504.0)));
  return uvec2(packFloat2x16(h.xy), packFloat2x16(h.zw));
}

void main() {
  const uint row = gl_WorkGroupID.y, group = gl_GlobalInvocationID.x, groups_out = (groups + 3) / 4 * 4;
  if (group >= groups_out) return;
  const uint at = x_offset4 + (row * groups + min(group, groups - 1)) * 2;
  const vec4 low = x[at], high = x[at + 1];
  y[row * groups_out + group] = group < groups ? uvec4(halves(low), halves(high)) : uvec4(0);
}
