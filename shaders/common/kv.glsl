// Keys and values as 32-bit words: two float16 or one float32 each (KV_F16, KV_F32).
// `element` is a multiple of 4. A piece is 16 bytes; unpack_kv and pack_kv mean its elements 4 i .. 4 i + 3.

#if defined(KV_F16)
#define load_kv4(words, element) vec4(unpackHalf2x16(words[(element) >> 1]), unpackHalf2x16(words[((element) >> 1) + 1]))
const uint KV_PIECE = 8;  // elements
vec4 unpack_kv(uvec4 piece, uint i) { return vec4(unpackHalf2x16(piece[i * 2]), unpackHalf2x16(piece[i * 2 + 1])); }
void pack_kv(inout uvec4 piece, uint i, vec4 v) {
  piece[i * 2] = packHalf2x16(v.xy);
  piece[i * 2 + 1] = packHalf2x16(v.zw);
}
#else
#define load_kv4(words, element)                                                                                      \
  vec4(uintBitsToFloat(words[element]), uintBitsToFloat(words[(element) + 1]), uintBitsToFloat(words[(element) + 2]), \
       uintBitsToFloat(words[(element) + 3]))
const uint KV_PIECE = 4;
vec4 unpack_kv(uvec4 piece, uint i) { return uintBitsToFloat(piece); }
void pack_kv(inout uvec4 piece, uint i, vec4 v) { piece = floatBitsToUint(v); }
#endif
