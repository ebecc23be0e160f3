#version 450
// out[row] = index of the largest of a row's parts, the lowest of equals.
// best [rows, parts <= 64] (a float's bits, its index), out [rows] uint32; one workgroup a row.
// HANDS_OVER, for one row: also the token and the position of the step that follows (ops.h, Handover).
layout(local_size_x = 64) in;
layout(constant_id = 0) const uint HANDS_OVER = 0;
layout(std430, binding = 0) readonly buffer Best { uvec2 best[]; };
layout(std430, binding = 1) writeonly buffer Out { uint result[]; };
layout(std430, binding = 2) writeonly buffer NextToken { uint next_token; };
layout(std430, binding = 3) buffer NextPosition { uint next_position; };
layout(push_constant) uniform Push { uint parts; };

shared uvec2 one[64];

void main() {
  const uint thread = gl_LocalInvocationID.x, row = gl_WorkGroupID.x;
  one[thread] = best[row * parts + min(thread, parts - 1)];
  for (uint step_size = 32; step_size > 0; step_size /= 2) {
    barrier();
    if (thread < step_size) {
      const uvec2 other = one[thread + step_size];
      const float value = uintBitsToFloat(one[thread].x), other_value = uintBitsToFloat(other.x);
      if (other_value > value || (other_value == value && other.y < one[thread].y)) one[thread] = other;
    }
  }
  if (thread != 0) return;
  result[row] = one[0].y;
  if (HANDS_OVER == 0) return;
  next_token = one[0].y;
  ++next_position;
}
