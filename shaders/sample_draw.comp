#version 450
// out = the first token at which the mass of the tokens so far, in the order of their numbers, exceeds `uniform_draw` (2^-24) of all.
// logits [n] float32, out uint32; one workgroup, which looks at one part only.
// HANDS_OVER: also the token and the position of the step that follows (ops.h, Handover).
#extension GL_GOOGLE_include_directive : require
#include "common/sampling.glsl"

layout(constant_id = 0) const uint HANDS_OVER = 0;
layout(std430, binding = 4) writeonly buffer Out { uint result; };
layout(std430, binding = 5) writeonly buffer NextToken { uint next_token; };
layout(std430, binding = 6) buffer NextPosition { uint next_position; };

shared uint drawn_part;
shared Mass drawn_missing;

// One thread calls it.
void draw(uint token) {
  result = token;
  if (HANDS_OVER == 0) return;
  next_token = token;
  ++next_position;
}

// Whether `wanted` lies in the mass that ends `through`.
bool lies_in(Mass wanted, Mass through, Mass mass) { return less(wanted, through) && !less(wanted, subtract(through, mass)); }

void main() {
  const uint thread = gl_LocalInvocationID.x;
  const float highest = highest_logit();
  uint unused = 0;
  Mass own = Mass(0, 0);
  if (thread < parts) own = part_mass[thread];
  Mass through = own;
  scan(unused, through);
  if (thread == 255) total_mass = through;
  if (thread == 0) {
    drawn_part = 0;
    drawn_missing = Mass(0, 0);
  }
  barrier();
  if (thread == 0 && total_mass == Mass(0, 0)) draw(0);  // logits that are no numbers
  const Mass wanted = share_of(total_mass, uniform_draw);
  if (lies_in(wanted, through, own)) {
    drawn_part = thread;
    drawn_missing = subtract(wanted, subtract(through, own));
  }
  barrier();

  // Threads take neighbouring runs of tokens: twice through them, the second time only in the run that holds the token.
  const uint first = part_begin(drawn_part), last = part_begin(drawn_part + 1), run = (last - first + 255) / 256;
  const uint begin = min(first + thread * run, last), end = min(begin + run, last);
  own = Mass(0, 0);
  for (uint i = begin; i < end; i += AHEAD) {
    read_distances(i, 1, end, highest);
    [[unroll]] for (uint u = 0; u < AHEAD; ++u)
      own = add(own, Mass(distances[u] <= final_limit ? mass_of(distances[u]) : 0, 0));
  }
  through = own;
  scan(unused, through);
  if (!lies_in(drawn_missing, through, own)) return;
  Mass so_far = subtract(through, own);
  for (uint i = begin; i < end; ++i) {
    const uint distance = distance_of(logits[offset + i], highest);
    if (distance > final_limit) continue;
    so_far = add(so_far, Mass(mass_of(distance), 0));
    if (!less(drawn_missing, so_far)) continue;
    draw(i);
    return;
  }
}
