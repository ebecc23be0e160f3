#version 450
// Mass of the tokens of each part that top-k, top-p and min-p leave.
// logits [n] float32; dispatched [parts].
#extension GL_GOOGLE_include_directive : require
#include "common/sampling.glsl"

void main() {
  const uint thread = gl_LocalInvocationID.x, part = gl_WorkGroupID.x;
  const float highest = highest_logit();
  uint limit = farthest;
  if (has_top_p != 0) {
    read_histogram(AT_TOP_P);
    find_mass(top_p_missing);
    limit = min(limit, min(top_k_limit, limit_in(top_p_bin, found_bin)));
  } else if (has_top_k != 0) {
    Mass kept;
    limit = min(limit, limit_of_top_k(kept));
  }
  if (part == 0 && thread == 0) final_limit = limit;

  const uint begin = part_begin(part), end = part_begin(part + 1);
  Mass mass = Mass(0, 0);
  for (uint first = begin + thread; first < end; first += AHEAD * 256) {
    read_distances(first, 256, end, highest);
    [[unroll]] for (uint u = 0; u < AHEAD; ++u)
      mass = add(mass, Mass(distances[u] <= limit ? mass_of(distances[u]) : 0, 0));
  }
  uint unused = 0;
  scan(unused, mass);
  if (thread == 255) part_mass[part] = mass;
}
