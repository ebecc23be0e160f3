// Weights in their stored type, read as 32-bit words so that no 16-bit storage feature is needed.
// Include after defining one of WEIGHT_F32, WEIGHT_F16, WEIGHT_BF16 and after declaring
// `readonly buffer { uvec4 weights[]; }`. A row is a whole number of groups of 8 elements.

#if defined(WEIGHT_F32)
#define WORDS_PER_GROUP 2  // uvec4 words in 8 elements
#else
#define WORDS_PER_GROUP 1
#endif

vec2 unpack_weights(uint word) {
#if defined(WEIGHT_BF16)
  return vec2(uintBitsToFloat(word << 16), uintBitsToFloat(word & 0xffff0000u));
#else
  return unpackHalf2x16(word);
#endif
}

// Elements 0..3 and 4..7 of 8-element group `group` of the bound range.
void load_weights(uint group, out vec4 low, out vec4 high) {
#if defined(WEIGHT_F32)
  low = uintBitsToFloat(weights[group * 2]);
  high = uintBitsToFloat(weights[group * 2 + 1]);
#else
  const uvec4 words = weights[group];
  low = vec4(unpack_weights(words.x), unpack_weights(words.y));
  high = vec4(unpack_weights(words.z), unpack_weights(words.w));
#endif
}

// One element.
float load_weight(uint element) {
#if defined(WEIGHT_F32)
  return uintBitsToFloat(weights[element >> 2][element & 3u]);
#else
  const vec2 pair = unpack_weights(weights[element >> 3][(element >> 1) & 3u]);
  return (element & 1u) == 0u ? pair.x : pair.y;
#endif
}
