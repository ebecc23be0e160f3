// What the shaders of a draw share: distances from the largest logit, probabilities as whole numbers, and their sums. Whole
// numbers, because their sums have no order: however the work is divided, and whatever exp() the device has, it draws the
// token that the scalar twin (ops/sample.cpp) draws.
//
// A part is a range of tokens; a workgroup has one. `best` is what argmax.comp found in each.
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require

layout(local_size_x = 256) in;
const uint AHEAD = 8;            // logits that a thread has on their way
const uint NEVER = 0xFFFFFFFFu;  // a distance: 32 octaves or more, no probability left

// A limit is found to 2^-17 of an octave, five millionths of a probability: in 2048 bins over all distances, then in 2048 over one bin.
const uint BINS = 2048, COARSE = 21, FINE = 10;
const uint EVERYTHING = 0, AT_TOP_K = 1, AT_TOP_P = 2;

struct Mass {
  uint low, high;
};
struct Histogram {
  uint count[BINS], low[BINS], high[BINS];
};

layout(std430, binding = 0) readonly buffer Logits { float logits[]; };
layout(std430, binding = 1) readonly buffer Best { uvec2 best[]; };  // a float's bits, its index
layout(std430, binding = 2) readonly buffer Inputs {
  float penalty, inverse_penalty, scale;
  uint top_k, top_p, farthest, uniform_draw;
};
// What a dispatch leaves to the next; zero before the first.
layout(std430, binding = 3) buffer Work {
  uint top_k_bin, top_k_missing;  // the bin of the k-th token, and how many of its tokens belong to the k
  Mass top_k_before;              // mass of the bins before it
  uint top_k_limit;               // the largest distance that stays
  uint top_p_bin;
  Mass top_p_missing;  // what its tokens have to add
  uint final_limit;
  Mass part_mass[64];
  Histogram histograms[3];
};
layout(push_constant) uniform Push {
  uint n, offset, parts;
  uint has_top_k, has_top_p;
};

Mass add(Mass a, Mass b) {
  uint carry;
  const uint low = uaddCarry(a.low, b.low, carry);
  return Mass(low, a.high + b.high + carry);
}
Mass subtract(Mass a, Mass b) {
  uint borrow;
  const uint low = usubBorrow(a.low, b.low, borrow);
  return Mass(low, a.high - b.high - borrow);
}
bool less(Mass a, Mass b) { return a.high < b.high || (a.high == b.high && a.low < b.low); }

uint high_product(uint a, uint b) {
  uint high, low;
  umulExtended(a, b, high, low);
  return high;
}

// floor(mass * share / 2^24), share <= 2^24, mass < 2^56.
Mass share_of(Mass mass, uint share) {
  uint high, low;
  umulExtended(mass.low, share, high, low);
  const Mass of_low = Mass(high << 8 | low >> 24, high >> 24);
  umulExtended(mass.high, share, high, low);
  return add(of_low, Mass(low << 8, high << 8 | low >> 24));
}

shared float max_scratch[64];

float highest_logit() {
  const uint thread = gl_LocalInvocationID.x;
  const float value = subgroupMax(thread < parts ? uintBitsToFloat(best[thread].x) : -3.4e38);
  if (subgroupElect()) max_scratch[gl_SubgroupID] = value;
  barrier();
  float highest = max_scratch[0];
  for (uint i = 1; i < gl_NumSubgroups; ++i) highest = max(highest, max_scratch[i]);
  return highest;
}

// How far a token is from the most probable one, in 2^-27 octaves of probability.
uint distance_of(float logit, float highest) {
  // Vulkan wants both operations rounded correctly; `precise` keeps them two.
  precise float distance = (highest - logit) * scale;
  return logit >= highest ? 0 : distance < 4294967040.0 ? uint(distance) : NEVER;
}

// round(2^31 * 2^-octaves), by the series of e^-z; off by some billionths.
uint mass_of(uint distance) {
  const uint z = high_product(distance << 5, 2977044472u);  // ln 2 times the fraction
  uint power = 0x80000000u;
  [[unroll]] for (uint k = 10; k >= 1; --k)
    power = 0x80000000u - high_product(z, power) / k;
  const uint octaves = distance >> 27;
  const uint rounded = octaves == 0 ? power : (power + (1u << (octaves - 1))) >> octaves;
  return distance == NEVER ? 0 : rounded;
}

// Distances of AHEAD logits, `stride` apart; NEVER from `end` on. Without branches, so that all loads are on their way at once.
uint distances[AHEAD];
void read_distances(uint first, uint stride, uint end, float highest) {
  float v[AHEAD];
  [[unroll]] for (uint u = 0; u < AHEAD; ++u)
    v[u] = logits[offset + min(first + u * stride, end - 1)];
  [[unroll]] for (uint u = 0; u < AHEAD; ++u)
    distances[u] = first + u * stride < end ? distance_of(v[u], highest) : NEVER;
}

uint part_begin(uint part) { return min(part * ((n + parts - 1) / parts), n); }

shared uint scan_count[256], scan_low[256], scan_high[256];

// Sums over this thread and those before it. Every invocation calls it.
void scan(inout uint count, inout Mass mass) {
  const uint thread = gl_LocalInvocationID.x;
  for (uint reach = 1; reach < 256; reach *= 2) {
    barrier();
    scan_count[thread] = count;
    scan_low[thread] = mass.low;
    scan_high[thread] = mass.high;
    barrier();
    if (thread >= reach) {
      count += scan_count[thread - reach];
      mass = add(mass, Mass(scan_low[thread - reach], scan_high[thread - reach]));
    }
  }
}

// Of the histogram that was read last: this thread's bins, and what lies before them.
const uint OWN = BINS / 256;
uint own_count[OWN], count_before;
Mass own_mass[OWN], mass_before;
shared Mass total_mass;

void read_histogram(uint which) {
  const uint thread = gl_LocalInvocationID.x;
  [[unroll]] for (uint i = 0; i < OWN; ++i) {
    own_count[i] = histograms[which].count[thread * OWN + i];
    own_mass[i] = Mass(histograms[which].low[thread * OWN + i], histograms[which].high[thread * OWN + i]);
  }
  uint count = 0;
  Mass mass = Mass(0, 0);
  [[unroll]] for (uint i = 0; i < OWN; ++i) {
    count += own_count[i];
    mass = add(mass, own_mass[i]);
  }
  uint count_through = count;
  Mass mass_through = mass;
  scan(count_through, mass_through);
  count_before = count_through - count;
  mass_before = subtract(mass_through, mass);
  if (thread == 255) total_mass = mass_through;
  barrier();
}

// Where a search ended; BINS where all bins together are not enough.
shared uint found_bin, found_count_before;
shared Mass found_mass_before, found_mass_through;

// The first bin up to which the histogram has `count` tokens (by_count), or `mass`.
void find(bool by_count, uint count, Mass mass) {
  if (gl_LocalInvocationID.x == 0) found_bin = BINS;
  barrier();
  uint so_far = count_before;
  Mass mass_so_far = mass_before;
  [[unroll]] for (uint i = 0; i < OWN; ++i) {
    const Mass through = add(mass_so_far, own_mass[i]);
    if (by_count ? so_far < count && so_far + own_count[i] >= count : less(mass_so_far, mass) && !less(through, mass)) {
      found_bin = gl_LocalInvocationID.x * OWN + i;
      found_count_before = so_far;
      found_mass_before = mass_so_far;
      found_mass_through = through;
    }
    so_far += own_count[i];
    mass_so_far = through;
  }
  barrier();
}
void find_count(uint count) { find(true, count, Mass(0, 0)); }
// The most probable token always stays.
void find_mass(Mass mass) { find(false, 0, mass == Mass(0, 0) ? Mass(1, 0) : mass); }

uint limit_in(uint bin, uint fine_bin) { return bin << COARSE | fine_bin << FINE | ((1u << FINE) - 1); }

// The largest distance of the `top_k` tokens; `kept` becomes their mass. NEVER where fewer have any.
uint limit_of_top_k(out Mass kept) {
  kept = Mass(0, 0);
  if (top_k_bin == BINS) return NEVER;
  read_histogram(AT_TOP_K);
  find_count(top_k_missing);
  kept = add(top_k_before, found_mass_through);
  return limit_in(top_k_bin, found_bin);
}
