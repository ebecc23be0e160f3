#version 450
// One histogram of a draw: tokens and their mass by distance from the most probable one. A distance has 32 bits: the upper 11 are
// a bin of the histogram of everything; the next 11 a bin of those that refine one of its bins, to find where top-k and top-p cut.
// logits [n] float32; dispatched [parts]. A workgroup counts in shared memory and adds the bins that it met to the device's.
#extension GL_GOOGLE_include_directive : require
#include "common/sampling.glsl"

layout(constant_id = 0) const uint WHICH = EVERYTHING;

shared uint bin_mass[BINS], bin_more[BINS];  // in the second: mass above 32 bits, and from bit 16 on the number of tokens

void main() {
  const uint thread = gl_LocalInvocationID.x, part = gl_WorkGroupID.x;
  [[unroll]] for (uint i = 0; i < BINS; i += 256)
    bin_mass[i + thread] = bin_more[i + thread] = 0;
  const float highest = highest_logit();

  uint wanted_bin = 0, limit = NEVER;
  if (WHICH == AT_TOP_K) {
    read_histogram(EVERYTHING);
    find_count(top_k);
    wanted_bin = found_bin;
    if (part == 0 && thread == 0) {
      top_k_bin = found_bin;
      top_k_missing = top_k - found_count_before;
      top_k_before = found_mass_before;
    }
  }
  if (WHICH == AT_TOP_P) {
    Mass kept = Mass(0, 0);
    if (has_top_k != 0) limit = limit_of_top_k(kept);
    read_histogram(EVERYTHING);
    if (limit == NEVER) kept = total_mass;
    const Mass wanted = share_of(kept, top_p);
    find_mass(wanted);
    wanted_bin = found_bin;
    if (part == 0 && thread == 0) {
      top_k_limit = limit;
      top_p_bin = found_bin;
      top_p_missing = subtract(wanted, found_mass_before);
    }
  }
  barrier();

  const uint begin = part_begin(part), end = part_begin(part + 1);
  for (uint first = begin + thread; first < end; first += AHEAD * 256) {
    read_distances(first, 256, end, highest);
    [[unroll]] for (uint u = 0; u < AHEAD; ++u) {
      const uint distance = distances[u], mass = mass_of(distance);
      const uint bin = WHICH == EVERYTHING ? distance >> COARSE : distance >> FINE & (BINS - 1);
      const bool counts = WHICH == EVERYTHING || (distance >> COARSE == wanted_bin && distance <= limit);
      if (mass == 0 || !counts) continue;
      const uint before = atomicAdd(bin_mass[bin], mass);
      atomicAdd(bin_more[bin], 0x10000u + uint(before + mass < before));
    }
  }
  barrier();

  for (uint i = thread; i < BINS; i += 256) {
    const uint mass = bin_mass[i], more = bin_more[i];
    if (more == 0) continue;
    atomicAdd(histograms[WHICH].count[i], more >> 16);
    const uint before = atomicAdd(histograms[WHICH].low[i], mass);
    const uint high = (more & 0xFFFFu) + uint(before + mass < before);
    if (high != 0) atomicAdd(histograms[WHICH].high[i], high);
  }
}
