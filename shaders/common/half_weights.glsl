// Weights as pairs of float16 for matrix units: a step of 32 elements of a row, in pieces that a thread fetches and unpacks.
// Include after weights.glsl. Quants of blocks lie in bytes; two of them in every other byte of a word become a pair by two
// operations. That makes the order of blocks 0, 2, 1, 3 in every four elements, and x has to have the same (to_half.comp).

#if defined(WEIGHT_F32) || defined(WEIGHT_F16) || defined(WEIGHT_BF16)

const uint PIECES = 4;       // of a step
const uint PIECE_WORDS = 1;  // of 16 bytes, unpacked

struct Piece {
  uvec4 words;
#if defined(WEIGHT_F32)
  uvec4 more;
#endif
};

// Groups beyond the end repeat the last one: x is zero there.
Piece fetch_piece(uint row, uint groups, uint step, uint part) {
  const uint at = row * groups + min(step * PIECES + part, groups - 1);
  Piece p;
#if defined(WEIGHT_F32)
  p.words = weights[at * 2];
  p.more = weights[at * 2 + 1];
#else
  p.words = weights[at];
#endif
  return p;
}

void unpack_piece(Piece p, uint step, uint part, out uvec4 unpacked[PIECE_WORDS]) {
#if defined(WEIGHT_F16)
  unpacked[0] = p.words;
#elif defined(WEIGHT_BF16)
  [[unroll]] for (uint i = 0; i < 4; ++i)
    unpacked[0][i] = packHalf2x16(unpack_weights(p.words[i]));
#else
  [[unroll]] for (uint i = 0; i < 2; ++i) {
    unpacked[0][i] = packFloat2x16(f16vec2(uintBitsToFloat(uvec2(p.words[2 * i], p.words[2 * i + 1]))));
    unpacked[0][2 + i] = packFloat2x16(f16vec2(uintBitsToFloat(uvec2(p.more[2 * i], p.more[2 * i + 1]))));
  }
#endif
}

#else

const uint PIECES = 2;
const uint PIECE_WORDS = 2;

struct Piece {
  uvec4 quants;
  uint high;
#if defined(WEIGHT_Q4_K) || defined(WEIGHT_Q5_K)
  uvec4 scales;
#elif defined(WEIGHT_Q6_K)
  uint scales, d;
#else
  uint d;
#endif
};

Piece fetch_piece(uint row, uint groups, uint unit, uint part) {
  const Row at = row_of(row, groups / 4);
  Piece p;
#if defined(WEIGHT_Q8_0)
  p.quants = weights[at.quants + unit * 2 + part];
#else
  p.quants = weights[at.quants + unit];
#endif
  p.high = load_high(at, unit, part * 4);
#if defined(WEIGHT_Q4_K) || defined(WEIGHT_Q5_K)
  p.scales = weights[at.scales + unit / 8];
#elif defined(WEIGHT_Q6_K)
  p.scales = weights[at.scales + unit / 8][unit / 2 & 3u];
  p.d = weights[at.d + unit / 64][unit / 16 & 3u];
#else
  p.d = weights[at.scales + unit / 8][unit / 2 & 3u];
#endif
  return p;
}

// 0x6400 is 1024 in float16, whose last place is 1: with a byte in its low bits it is 1024 more than the byte.
const uint ABOVE = 0x64006400u;
uint scaled_pair(uint bytes, float scale, float less) {
  return packFloat2x16(f16vec2(fma(unpackHalf2x16(bytes | ABOVE), vec2(scale), vec2(less))));
}

void unpack_piece(Piece p, uint unit, uint part, out uvec4 unpacked[PIECE_WORDS]) {
#if defined(WEIGHT_Q4_K) || defined(WEIGHT_Q5_K)
  const vec3 scales = unpack_scales(p.scales, unit);
  const float scale = scales.x, less = -scales.z - 1024.0 * scale;
#elif defined(WEIGHT_Q6_K)
  const float scale = half_of(p.d, unit / 8) * float(bitfieldExtract(int(p.scales), int(16 * (unit & 1u) + 8 * part), 8));
  const float less = -(1024.0 + QUANT_MIDDLE) * scale;
#else
  const float scale = half_of(p.d, unit);
  // Signed bytes become unsigned ones by their upper bit.
  const float less = -(1024.0 + (QUANT_MIDDLE == 0.0 ? 128.0 : QUANT_MIDDLE)) * scale;
#endif
  [[unroll]] for (uint i = 0; i < 4; ++i) {
#if defined(WEIGHT_Q8_0)
    const uint bytes = p.quants[i] ^ 0x80808080u, even = bytes & 0x00ff00ffu, odd = bytes >> 8 & 0x00ff00ffu;
#else
    uint even = p.quants[i] >> 4 * part & 0x000f000fu, odd = p.quants[i] >> (8 + 4 * part) & 0x000f000fu;
#if defined(WEIGHT_Q5_K)
    const uint high = (p.high >> (4 * part + i) & 0x01010101u) << 4;
#elif defined(WEIGHT_Q6_K)
    const uint high = (p.high >> 2 * i & 0x03030303u) << 4;
#endif
#if defined(WEIGHT_Q5_K) || defined(WEIGHT_Q6_K)
    even |= high & 0x00ff00ffu;
    odd |= high >> 8 & 0x00ff00ffu;
#endif
#endif
    unpacked[i / 2][i % 2 * 2] = scaled_pair(even, scale, less);
    unpacked[i / 2][i % 2 * 2 + 1] = scaled_pair(odd, scale, less);
  }
}

#endif
