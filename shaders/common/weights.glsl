// Weights as graph/row_layout.h lays them out, read as 32-bit words so that no 16-bit storage feature is needed.
// Include after defining one of WEIGHT_F32, WEIGHT_F16, WEIGHT_BF16, WEIGHT_Q8_0, WEIGHT_Q4_0, WEIGHT_Q4_K, WEIGHT_Q5_K,
// WEIGHT_Q6_K and after declaring `readonly buffer { uvec4 weights[]; }`. A row is a whole number of groups of 8
// elements, of units of 32 where the type has blocks. BY_BITS, where it is defined, says whether quants become numbers without a
// conversion.
#ifndef BY_BITS
#define BY_BITS false
#endif

#if defined(WEIGHT_F32) || defined(WEIGHT_F16) || defined(WEIGHT_BF16)

vec2 unpack_weights(uint word) {
#if defined(WEIGHT_BF16)
  return vec2(uintBitsToFloat(word << 16), uintBitsToFloat(word & 0xffff0000u));
#else
  return unpackHalf2x16(word);
#endif
}

// Elements 0..3 and 4..7 of group `group` of row `row`; rows have `groups` of them.
void load_weights(uint row, uint group, uint groups, out vec4 low, out vec4 high) {
  const uint at = row * groups + group;
#if defined(WEIGHT_F32)
  low = uintBitsToFloat(weights[at * 2]);
  high = uintBitsToFloat(weights[at * 2 + 1]);
#else
  const uvec4 words = weights[at];
  low = vec4(unpack_weights(words.x), unpack_weights(words.y));
  high = vec4(unpack_weights(words.z), unpack_weights(words.w));
#endif
}

// One element of a table, counted from its beginning.
float load_weight(uint element) {
#if defined(WEIGHT_F32)
  return uintBitsToFloat(weights[element >> 2][element & 3u]);
#else
  const vec2 pair = unpack_weights(weights[element >> 3][(element >> 1) & 3u]);
  return (element & 1u) == 0u ? pair.x : pair.y;
#endif
}

#else

// --- blocks: value = quant * scale - offset, with one scale and offset for 16 or 32 elements ---------------

// Where the planes of a row begin, in 16-byte words from the block's start. `units` = groups / 4.
struct Row {
  uint quants;
  uint high;
  uint scales;
  uint d;
};

Row row_of(uint row, uint units) {
  Row r;
#if defined(WEIGHT_Q8_0)
  r.quants = row * (units * 2 + (units + 7) / 8);
  r.high = r.quants + units * 2;
  r.scales = r.high;
#elif defined(WEIGHT_Q4_0)
  r.quants = row * (units + (units + 7) / 8);
  r.high = r.quants + units;
  r.scales = r.high;
#elif defined(WEIGHT_Q4_K)
  r.quants = row * (units + units / 8);
  r.high = r.quants + units;
  r.scales = r.high;
#elif defined(WEIGHT_Q5_K)
  r.quants = row * (units + units / 4 + units / 8);
  r.high = r.quants + units;
  r.scales = r.high + units / 4;
#else
  r.quants = row * (units + units / 2 + units / 8 + (units + 63) / 64);
  r.high = r.quants + units;
  r.scales = r.high + units / 2;
#endif
  r.d = r.scales + units / 8;
  return r;
}

float half_of(uint word, uint index) {
  const vec2 pair = unpackHalf2x16(word);
  return (index & 1u) == 0u ? pair.x : pair.y;
}

// Below the exponent of 2^23 the lowest byte of a float32 is worth itself, the next 256 times itself, and both are exact.
vec4 bytes_by_bits(uint word, float middle) {
  const uint exponent = 0x4b000000u, upper = word >> 16;
  const vec4 all = uintBitsToFloat(uvec4(word & 0xffu, word & 0xff00u, upper & 0xffu, upper & 0xff00u) | exponent);
  return fma(all, vec4(1.0, 1.0 / 256.0, 1.0, 1.0 / 256.0), vec4(-8388608.0, -32768.0, -8388608.0, -32768.0) - middle);
}

vec4 bytes_of(uint word) {
  if (BY_BITS) return bytes_by_bits(word, 0.0);
  return vec4(word & 255u, (word >> 8) & 255u, (word >> 16) & 255u, word >> 24);
}
vec4 signed_bytes_of(uint word) {
  if (BY_BITS) return bytes_by_bits(word ^ 0x80808080u, 128.0);
  const int w = int(word);
  return vec4(bitfieldExtract(w, 0, 8), bitfieldExtract(w, 8, 8), bitfieldExtract(w, 16, 8), w >> 24);
}

#if defined(WEIGHT_Q4_K) || defined(WEIGHT_Q5_K)
// As load_scales, of the 16 bytes of eight units.
vec3 unpack_scales(uvec4 packed, uint unit) {
  const uint s = unit % 8;
  const vec2 d = unpackHalf2x16(packed.x);
  const uint scale = ((packed.y >> (4 * s)) & 15u) | ((packed.w >> (2 * s)) & 3u) << 4;
  const uint offset = ((packed.z >> (4 * s)) & 15u) | ((packed.w >> (16 + 2 * s)) & 3u) << 4;
  return vec3(vec2(d.x * float(scale)), d.y * float(offset));
}
#endif

// Scales of elements 0-15 (x) and 16-31 (y) of a unit, offset of both (z): value = quant * scale - offset. Quants of
// Q4_0 and Q6_K count from 0; their offset takes the middle away.
vec3 load_scales(Row row, uint unit) {
#if defined(WEIGHT_Q8_0) || defined(WEIGHT_Q4_0)
  return vec3(vec2(half_of(weights[row.scales + unit / 8][(unit / 2) & 3u], unit)), 0.0);
#elif defined(WEIGHT_Q4_K) || defined(WEIGHT_Q5_K)
  return unpack_scales(weights[row.scales + unit / 8], unit);
#else
  const uint s = unit % 8, block = unit / 8;
  const float d = half_of(weights[row.d + block / 8][(block / 2) & 3u], block);
  const int both = int(weights[row.scales + block][s / 2] >> (16 * (s % 2)));
  return vec3(d * float(bitfieldExtract(both, 0, 8)), d * float(bitfieldExtract(both, 8, 8)), 0.0);
#endif
}

// What the quants count from.
#if defined(WEIGHT_Q4_0)
#define QUANT_MIDDLE 8.0
#elif defined(WEIGHT_Q6_K)
#define QUANT_MIDDLE 32.0
#else
#define QUANT_MIDDLE 0.0
#endif

// Four quants from four bits of each byte of `word` and what `high` adds to them; i = 0 .. 7 is their place in the unit.
vec4 join_bits(uint word, uint high, uint i) {
  word = (word >> (i & 4u)) & 0x0f0f0f0fu;
#if defined(WEIGHT_Q5_K)
  word |= ((high >> i) & 0x01010101u) << 4;
#elif defined(WEIGHT_Q6_K)
  word |= ((high >> (2 * (i & 3u))) & 0x03030303u) << 4;
#endif
  return bytes_of(word);
}

// The word that holds the high bits of elements 4 i .. 4 i + 3.
uint load_high(Row row, uint unit, uint i) {
#if defined(WEIGHT_Q5_K)
  return weights[row.high + unit / 4][unit & 3u];
#elif defined(WEIGHT_Q6_K)
  return weights[row.high + unit / 2][(unit & 1u) * 2 + i / 4];
#else
  return 0;
#endif
}

// Quants of elements 4 i .. 4 i + 3 of a unit, i = 0 .. 7, QUANT_MIDDLE not yet taken away.
vec4 load_quants(Row row, uint unit, uint i) {
#if defined(WEIGHT_Q8_0)
  return signed_bytes_of(weights[row.quants + unit * 2 + i / 4][i & 3u]);
#else
  return join_bits(weights[row.quants + unit][i & 3u], load_high(row, unit, i), i);
#endif
}

// A whole unit as it is stored, in 16-byte loads. Unpacked it would take eight times the registers.
struct Unit {
  uvec4 first;
  uvec4 second;  // Q8_0 only
  uvec2 high;
};

Unit load_unit(Row row, uint unit) {
  Unit u;
#if defined(WEIGHT_Q8_0)
  u.first = weights[row.quants + unit * 2];
  u.second = weights[row.quants + unit * 2 + 1];
#else
  u.first = weights[row.quants + unit];
  u.high = uvec2(load_high(row, unit, 0), load_high(row, unit, 4));
#endif
  return u;
}

// Puts element 4 (i ^ turn) of a unit where quants_of looks for element 4 i; turn = 0 .. 7. Scales and high bits of elements 16-31
// change places with those of 0-15.
void turn_unit(inout Unit u, inout vec3 scales, uint turn) {
  if ((turn & 1u) != 0u) {
    u.first = u.first.yxwz;
    u.second = u.second.yxwz;
  }
  if ((turn & 2u) != 0u) {
    u.first = u.first.zwxy;
    u.second = u.second.zwxy;
  }
  if ((turn & 4u) != 0u) {
    scales.xy = scales.yx;
    u.high = u.high.yx;
#if defined(WEIGHT_Q8_0)
    const uvec4 first = u.first;
    u.first = u.second;
    u.second = first;
#endif
  }
}

// As load_quants, of a unit at hand that was turned by `turn`: elements 4 (i ^ turn) and the three behind.
vec4 quants_of(Unit u, uint i, uint turn) {
#if defined(WEIGHT_Q8_0)
  return signed_bytes_of(i < 4 ? u.first[i & 3u] : u.second[i & 3u]);
#else
  return join_bits(u.first[i & 3u], i < 4 ? u.high.x : u.high.y, i ^ turn);
#endif
}

// Elements 0..3 and 4..7 of group `group` of row `row`; rows have `groups` of them.
void load_weights(uint row, uint group, uint groups, out vec4 low, out vec4 high) {
  const Row r = row_of(row, groups / 4);
  const uint unit = group / 4, i = (group % 4) * 2;
  const vec3 scales = load_scales(r, unit);
  const float scale = i < 4 ? scales.x : scales.y;
  low = (load_quants(r, unit, i) - QUANT_MIDDLE) * scale - scales.z;
  high = (load_quants(r, unit, i + 1) - QUANT_MIDDLE) * scale - scales.z;
}

#endif
