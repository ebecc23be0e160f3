#include "ops/common.h"
#include "ops/ops.h"
#include "ops/scalar.h"

namespace loupe::ops {

void rope_kv_write(Graph& g, const Tensor& qkv, const Rotations& rotations, const HeadShape& shape, const Position& position,
                   const KvCache& cache) {
  struct Push {
    uint32_t heads, kv_heads, head_dim, index, base, offset, first_rotation;
  };
  static_assert(sizeof(Push) == 28);
  g.run(kv_variant("rope_kv_write", cache.half), {},
        {vk::updates(qkv.slice), vk::reads(rotations.pairs), vk::reads(position.state), vk::updates(cache.keys.slice()),
         vk::updates(cache.values.slice())},
        Push{shape.heads, shape.kv_heads, shape.head_dim, position.index, position.base, qkv.offset, rotations.first},
        {shape.heads + 2 * shape.kv_heads, qkv.rows}, {elements(qkv) * 3, elements(qkv) * 12});
}

namespace {

/// Where kv_write.comp finds keys and values, as elements of a row.
struct KvSource {
  vk::Slice keys, values;
  uint32_t stride = 0, k_offset = 0, v_offset = 0;
};

void write_rows(Graph& g, const KvSource& from, uint32_t rows, bool half, uint32_t width, const vk::Slice& keys, const vk::Slice& values,
                uint32_t first) {
  struct Push {
    uint32_t width, first, stride, k_offset, v_offset;
  };
  static_assert(sizeof(Push) == 20);
  g.run(kv_variant("kv_write", half), {}, {vk::reads(from.keys), vk::reads(from.values), vk::updates(keys), vk::updates(values)},
        Push{width, first, from.stride, from.k_offset, from.v_offset}, {divide_up(width / 2, 64), rows}, {0, 16.0 * rows * width});
}

}  // namespace

void kv_write(Graph& g, const Tensor& keys, const Tensor& values, const KvCache& cache, uint32_t first) {
  write_rows(g, {keys.slice, values.slice, cache.width, keys.offset, values.offset}, keys.rows, cache.half, cache.width, cache.keys.slice(),
             cache.values.slice(), first);
}

void kv_halves(Graph& g, const Tensor& qkv, uint32_t width, const vk::Slice& keys, const vk::Slice& values) {
  write_rows(g, {qkv.slice, qkv.slice, qkv.cols, qkv.offset + width, qkv.offset + 2 * width}, qkv.rows, true, width, keys, values, 0);
}

}  // namespace loupe::ops

namespace loupe::scalar {

void rope_kv_write(Floats& qkv, const Floats& rotations, const ops::HeadShape& shape, uint32_t position, Floats& keys, Floats& values) {
  const uint32_t heads = shape.heads + 2 * shape.kv_heads, middle = shape.head_dim / 2;
  for (uint32_t row = 0; row < qkv.size() / (heads * shape.head_dim); ++row)
    for (uint32_t head = 0; head < heads; ++head) {
      float* u = &qkv[(row * heads + head) * shape.head_dim];
      Floats turned(u, u + shape.head_dim);
      if (head < shape.heads + shape.kv_heads)
        for (uint32_t i = 0; i < middle; ++i) {
          const float c = rotations[(row * middle + i) * 2], s = rotations[(row * middle + i) * 2 + 1];
          turned[i] = u[i] * c - u[i + middle] * s;
          turned[i + middle] = u[i + middle] * c + u[i] * s;
        }
      if (head < shape.heads) {
        std::copy(turned.begin(), turned.end(), u);
        continue;
      }
      const bool key = head < shape.heads + shape.kv_heads;
      const uint32_t kv_head = head - shape.heads - (key ? 0 : shape.kv_heads);
      std::copy(turned.begin(), turned.end(),
                (key ? keys : values).begin() + ((position + row) * shape.kv_heads + kv_head) * shape.head_dim);
    }
}

void kv_write(const Floats& k, const Floats& v, uint32_t width, uint32_t first, Floats& keys, Floats& values) {
  std::copy(k.begin(), k.end(), keys.begin() + static_cast<size_t>(first) * width);
  std::copy(v.begin(), v.end(), values.begin() + static_cast<size_t>(first) * width);
}

}  // namespace loupe::scalar
