// Keys and values as 32-bit words: two float16 or one float32 each (KV_F16, KV_F32).
// `element` is a multiple of 4 (2 for load_kv2).

#if defined(KV_F16)
#define load_kv4(words, element) vec4(unpackHalf2x16(words[(element) >> 1]), unpackHalf2x16(words[((element) >> 1) + 1]))
#define load_kv2(words, element) unpackHalf2x16(words[(element) >> 1])
#else
#define load_kv4(words, element)                                                                                      \
  vec4(uintBitsToFloat(words[element]), uintBitsToFloat(words[(element) + 1]), uintBitsToFloat(words[(element) + 2]), \
       uintBitsToFloat(words[(element) + 3]))
#define load_kv2(words, element) vec2(uintBitsToFloat(words[element]), uintBitsToFloat(words[(element) + 1]))
#endif
