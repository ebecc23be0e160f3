#version 450
// Draws one token from softmax(logits / temperature) restricted by top-k, then top-p, then min-p.
// logits [n] float32 (penalised in place), recent [recent_count] distinct uint32 tokens, out uint32.
// One workgroup. Thresholds are found by bisection over the bits of order-preserving integer keys:
// 32 counting passes instead of a sort; the logits stay in the device's cache meanwhile.
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require

layout(local_size_x = 256) in;
layout(std430, binding = 0) buffer Logits { float logits[]; };
layout(std430, binding = 1) readonly buffer Recent { uint recent[]; };
layout(std430, binding = 2) writeonly buffer Out { uint result; };
layout(push_constant) uniform Push {
  uint n;
  uint offset;
  uint recent_count;
  float temperature;
  uint top_k;
  float top_p;
  float min_p;
  float repetition_penalty;
  float uniform_draw;
};
#include "common/reduce.glsl"

shared uint count_scratch[64];
shared float segment_mass[256];

uint workgroup_count(uint value) {
  value = subgroupAdd(value);
  barrier();
  if (subgroupElect()) count_scratch[gl_SubgroupID] = value;
  barrier();
  uint sum = 0;
  for (uint i = 0; i < gl_NumSubgroups; ++i) sum += count_scratch[i];
  return sum;
}

float workgroup_max(float value) {
  value = subgroupMax(value);
  barrier();
  if (subgroupElect()) reduce_scratch[gl_SubgroupID] = value;
  barrier();
  float highest = reduce_scratch[0];
  for (uint i = 1; i < gl_NumSubgroups; ++i) highest = max(highest, reduce_scratch[i]);
  return highest;
}

// Larger float, larger key.
uint key_of(float v) {
  const uint bits = floatBitsToUint(v);
  return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}

void main() {
  const uint thread = gl_LocalInvocationID.x;
  for (uint i = thread; i < recent_count; i += 256) {
    const uint at = offset + recent[i];
    const float v = logits[at];
    logits[at] = v > 0.0 ? v / repetition_penalty : v * repetition_penalty;
  }
  // Not memoryBarrierBuffer: its device scope is a feature of its own, and the writes stay in this workgroup.
  groupMemoryBarrier();
  barrier();

  float highest = -3.4e38;
  for (uint i = thread; i < n; i += 256) highest = max(highest, logits[offset + i]);
  highest = workgroup_max(highest);

  uint threshold = 0;
  if (top_k > 0 && top_k < n)
    for (int bit = 31; bit >= 0; --bit) {
      const uint candidate = threshold | 1u << bit;
      uint count = 0;
      for (uint i = thread; i < n; i += 256) count += uint(key_of(logits[offset + i]) >= candidate);
      if (workgroup_count(count) >= top_k) threshold = candidate;
    }
  if (top_p < 1.0) {
    float mass = 0.0;
    for (uint i = thread; i < n; i += 256) {
      const float v = logits[offset + i];
      if (key_of(v) >= threshold) mass += exp((v - highest) / temperature);
    }
    const float wanted = top_p * workgroup_add(mass);
    uint nucleus = 0;
    for (int bit = 31; bit >= 0; --bit) {
      const uint candidate = nucleus | 1u << bit;
      mass = 0.0;
      for (uint i = thread; i < n; i += 256) {
        const float v = logits[offset + i];
        if (key_of(v) >= max(candidate, threshold)) mass += exp((v - highest) / temperature);
      }
      if (workgroup_add(mass) >= wanted) nucleus = candidate;
    }
    threshold = max(threshold, nucleus);
  }
  const float least = min_p > 0.0 ? highest + temperature * log(min_p) : -3.4e38;
  // The most probable token always stays.
  threshold = min(threshold, key_of(highest));

  // Inverse of the cumulated distribution, in the order of token numbers: thread t sums segment t.
  const uint segment = (n + 255) / 256, begin = min(thread * segment, n), end = min(begin + segment, n);
  float mass = 0.0;
  for (uint i = begin; i < end; ++i) {
    const float v = logits[offset + i];
    if (key_of(v) >= threshold && v >= min(least, highest)) mass += exp((v - highest) / temperature);
  }
  segment_mass[thread] = mass;
  barrier();
  if (thread != 0) return;
  float total = 0.0;
  for (uint i = 0; i < 256; ++i) total += segment_mass[i];
  const float wanted = uniform_draw * total;
  float before = 0.0;
  uint chosen_segment = 0;
  for (uint i = 0; i < 256; ++i) {
    if (segment_mass[i] == 0.0) continue;
    chosen_segment = i;
    if (before + segment_mass[i] > wanted) break;
    before += segment_mass[i];
  }
  uint chosen = 0;
  for (uint i = chosen_segment * segment; i < min(chosen_segment * segment + segment, n); ++i) {
    const float v = logits[offset + i];
    if (key_of(v) < threshold || v < min(least, highest)) continue;
    chosen = i;
    before += exp((v - highest) / temperature);
    if (before > wanted) break;
  }
  result = chosen;
}
