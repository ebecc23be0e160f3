#include <algorithm>
#include <cmath>
#include <optional>

#include "base/error.h"
#include "ops/common.h"
#include "ops/ops.h"
#include "ops/scalar.h"

namespace loupe::ops {
namespace {

/// Where keys and values lie: a cache, or columns of the vision encoder's qkv.
struct KeysAndValues {
  vk::Slice keys, values;
  bool half = false;
  uint32_t stride = 0, k_offset = 0, v_offset = 0;
  uint32_t capacity = 0;
};

/// Shared memory of the two kernels; every device that we accept has 32 KiB.
constexpr uint32_t shared_bytes = 32768;
constexpr uint32_t tiled_bytes(uint32_t head_dim, uint32_t side) {
  return 64 * side * (side + 1) + 64 * std::max(8 * side + 8, head_dim) + 16 * side * side;
}
static_assert(tiled_bytes(176, 16) <= shared_bytes && tiled_bytes(180, 16) > shared_bytes);
/// Of attention_decode with the smaller pieces, those of float16 caches: its queries are padded to four of them.
constexpr uint32_t split_bytes(uint32_t head_dim, uint32_t group) { return group * (20 * 128 + 4 * round_up(head_dim, 32)) + 64 * 4 + 4; }
/// And of one that rotates: the row's own key and value, in a float32 cache.
constexpr uint32_t own_bytes(uint32_t head_dim) { return 2 * 4 * head_dim; }

float score_scale(const HeadShape& shape) { return 1.0f / std::sqrt(static_cast<float>(shape.head_dim)); }

/// Keys that some row of the pass may see. A recorded step is replayed at later positions, so without a
/// stated length it covers the whole cache.
uint32_t longest_view(const AttentionMask& mask, uint32_t capacity) {
  return mask.kind == AttentionMask::Kind::causal && mask.length == 0 ? capacity : mask.length;
}

/// A kernel for many rows: its constants, and how many rows of a head a workgroup takes.
struct TiledKernel {
  std::string shader;
  std::vector<uint32_t> constants;
  uint32_t rows = 0;
};

/// The kernel in float32, for any device.
TiledKernel plain_kernel(const vk::Device& device, const KeysAndValues& kv, const HeadShape& shape, const AttentionMask& mask) {
  const uint32_t side = device.quirks().attention_side;
  if (shape.head_dim % 4 || tiled_bytes(shape.head_dim, 16) > shared_bytes)
    throw Error(ErrorCode::internal, "Attention has no kernel for heads of " + std::to_string(shape.head_dim) + " elements.");
  return {kv_variant("attention", kv.half), {side * side, shape.head_dim, static_cast<uint32_t>(mask.kind), side}, 4 * side};
}

/// How subgroups divide the work on matrix units. From counts of compilers (docs/decisions/0037-attention-on-matrix-units.md): the fewer
/// share rows, the fewer workgroups read all keys; the more, the fewer registers each needs.
vk::AttentionSplit split_of(const vk::Device& device, const vk::MatrixShape& matrix, uint32_t head_dim) {
  if (device.quirks().attention_split) return *device.quirks().attention_split;
  if (matrix.n == 8) return {16, 4, false};
  return {8, head_dim > 96 ? 2u : 1u, matrix.m == 16};
}

/// The kernel for matrix units (attention_coopmat.comp), where the float16 path is chosen and it takes such heads.
std::optional<TiledKernel> matrix_kernel(const Graph& g, const HeadShape& shape, AttentionMask::Kind mask) {
  const std::optional<vk::MatrixShape> matrix = matrix_shape(g.device);
  if (g.activations != Activations::f16 || !matrix || !g.device.info().subgroup_shuffle) return {};
  const auto& [m, n, k] = *matrix;
  const auto [subgroups, sharers, keep_queries] = split_of(g.device, *matrix, shape.head_dim);
  const auto [keys, apart, ahead] = g.device.quirks().attention_tile;
  const uint32_t dim = shape.head_dim, lanes = g.device.matrix_subgroup(), threads = subgroups * lanes, rows = subgroups / sharers * m;
  const uint32_t key_bytes = 2 * keys * (dim + 8), value_bytes = 2 * dim * (keys + 8);
  const uint32_t bytes = (apart ? key_bytes + value_bytes : std::max(key_bytes, value_bytes)) + 4 * subgroups * m * (n + 5) +
                         2 * rows * (keys + 8 + (keep_queries ? 0 : dim + 8)) + 4 * keys + 16;
  if (dim % n || dim % k || lanes % m || n % (4 * lanes / m) || bytes > g.device.info().max_shared_bytes ||
      threads > g.device.info().max_workgroup_threads)
    return {};
  return TiledKernel{"coopmat_attention_" + to_string(*matrix),
                     {threads, dim, static_cast<uint32_t>(mask), sharers, keep_queries, subgroups, keys, apart, ahead},
                     rows};
}

void tiled_attention(Graph& g, const TiledKernel& kernel, const Tensor& q, const KeysAndValues& kv, const HeadShape& shape,
                     const AttentionMask& mask, const Tensor& out) {
  struct Push {
    uint32_t rows, first_row, q_stride, q_offset, kv_stride, k_offset, v_offset, group, out_stride, out_offset;
    uint32_t length, index, base, num_tiles, tokens, padded;
    float scale;
    uint32_t first_head;
  };
  static_assert(sizeof(Push) == 72);
  const double flops_a_row = 4.0 * longest_view(mask, kv.capacity) * shape.query_width();
  const uint32_t step = static_cast<uint32_t>(std::clamp(g.recorder.affordable_flops() / flops_a_row, 1.0 * kernel.rows, 16384.0)) /
                        kernel.rows * kernel.rows;
  // In front of many keys one group of rows may still be too long; then by heads, too. Not before it takes several
  // submissions' time, because few workgroups leave much of the device idle.
  constexpr double patience = 4;
  const double flops_a_head = flops_a_row * kernel.rows / shape.heads;
  const uint32_t heads =
      step > kernel.rows
          ? shape.heads
          : static_cast<uint32_t>(std::clamp(patience * g.recorder.affordable_flops() / flops_a_head, 1.0, 1.0 * shape.heads));
  const vk::Slice state = mask.position.state ? mask.position.state : q.slice;  // a binding must be something
  for (uint32_t part = 0; part < divide_up(q.rows, step) * divide_up(shape.heads, heads); ++part) {
    const uint32_t row = part / divide_up(shape.heads, heads) * step, end = std::min(row + step, q.rows);
    const uint32_t first_head = part % divide_up(shape.heads, heads) * heads, count = std::min(heads, shape.heads - first_head);
    g.run(kernel.shader, kernel.constants,
          {vk::reads(q.slice), vk::reads(kv.keys), vk::reads(kv.values), vk::reads(state), vk::writes(out.slice)},
          Push{end, row, q.cols, q.offset, kv.stride, kv.k_offset, kv.v_offset, shape.heads / shape.kv_heads, out.cols, out.offset,
               mask.length, mask.position.index, mask.position.base, mask.num_tiles, mask.tokens, mask.padded, score_scale(shape),
               first_head},
          {divide_up(end - row, kernel.rows), count},
          {flops_a_row * round_up(end - row, kernel.rows) * count / shape.heads,
           8.0 * longest_view(mask, kv.capacity) * kv.stride * count / shape.heads});
  }
}

bool can_split(const Tensor& q, const HeadShape& shape, uint32_t more_bytes = 0) {
  return q.rows <= matvec_rows && shape.head_dim % 8 == 0 && shape.head_dim <= 256 &&
         split_bytes(shape.head_dim, shape.heads / shape.kv_heads) + more_bytes <= shared_bytes;
}

/// What queries are, when they are read.
struct Queries {
  enum class Kind : uint32_t { ready, rotated, normed } kind = Kind::ready;
  vk::Slice turns{};  ///< rotated: rotations; normed: weights
  float eps = 0;
  uint32_t first_turn = 0;  ///< rotated: position of the first rotation
};

void split_attention(Graph& g, const Tensor& q, const Queries& queries, const KvCache& cache, const HeadShape& shape,
                     const AttentionMask& mask, const Tensor& out) {
  struct Push {
    uint32_t q_stride, q_offset, kv_stride, length, index, base, splits;
    float scale;
    uint32_t out_offset;
    float eps;
    uint32_t first_turn;
  };
  struct MergePush {
    uint32_t splits, offset, length, index, base;
  };
  static_assert(sizeof(Push) == 44 && sizeof(MergePush) == 20);
  constexpr uint32_t chunk = 128;
  const bool causal = mask.kind == AttentionMask::Kind::causal, rotated = queries.kind == Queries::Kind::rotated;
  const bool merges = g.arrivals && q.rows * shape.kv_heads <= Graph::arrival_words;
  const uint32_t keys = longest_view(mask, cache.capacity), splits = divide_up(keys, chunk);
  // A binding must be something.
  const vk::Binding unused = vk::reads(q.slice), state = mask.position.state ? vk::reads(mask.position.state) : unused;
  const auto cached = [rotated](const vk::Buffer& buffer) { return rotated ? vk::updates(buffer.slice()) : vk::reads(buffer.slice()); };
  Arena::Scope scope(g.arena);
  const Tensor parts = g.arena.tensor(q.rows * shape.heads * splits, shape.head_dim + 4);
  g.run(kv_variant("attention_decode", cache.half),
        {shape.head_dim, shape.heads / shape.kv_heads, causal, static_cast<uint32_t>(queries.kind), merges, g.device.quirks().loads_ahead},
        {vk::reads(q.slice), cached(cache.keys), cached(cache.values), state, vk::writes(parts.slice),
         queries.turns ? vk::reads(queries.turns) : unused, merges ? vk::writes(out.slice) : unused,
         merges ? vk::updates(g.arrivals) : unused},
        Push{q.cols, q.offset, cache.width, mask.length, mask.position.index, mask.position.base, splits, score_scale(shape), out.offset,
             queries.eps, queries.first_turn},
        {splits, shape.kv_heads, q.rows}, {4.0 * q.rows * keys * shape.query_width(), 2.0 * keys * cache.width * (cache.half ? 2.0 : 4.0)});
  if (merges) return;
  g.run("attention_merge", {shape.head_dim, causal}, {vk::reads(parts.slice), state, vk::writes(out.slice)},
        MergePush{splits, out.offset, mask.length, mask.position.index, mask.position.base}, {shape.heads, q.rows},
        {elements(parts) * 2, elements(parts) * 4});
}

}  // namespace

void attention(Graph& g, const Tensor& q, const KvCache& cache, const HeadShape& shape, const AttentionMask& mask, const Tensor& out) {
  if (can_split(q, shape)) return split_attention(g, q, {}, cache, shape, mask, out);
  const KeysAndValues kv{cache.keys.slice(), cache.values.slice(), cache.half, cache.width, 0, 0, cache.capacity};
  const std::optional<TiledKernel> on_matrices = cache.half ? matrix_kernel(g, shape, mask.kind) : std::nullopt;
  tiled_attention(g, on_matrices ? *on_matrices : plain_kernel(g.device, kv, shape, mask), q, kv, shape, mask, out);
}

void rope_attention(Graph& g, const Tensor& qkv, const Rotations& rotations, const HeadShape& shape, const AttentionMask& mask,
                    const KvCache& cache, const Tensor& out) {
  if (qkv.rows == 1 && can_split(qkv, shape, own_bytes(shape.head_dim)))
    return split_attention(g, qkv, {Queries::Kind::rotated, rotations.pairs, 0, rotations.first}, cache, shape, mask, out);
  rope_kv_write(g, qkv, rotations, shape, mask.position, cache);
  attention(g, qkv, cache, shape, mask, out);
}

void norm_attention(Graph& g, const Tensor& q, const Tensor& norm, float eps, const KvCache& cache, const HeadShape& shape,
                    const AttentionMask& mask, const Tensor& out) {
  if (can_split(q, shape)) return split_attention(g, q, {Queries::Kind::normed, norm.slice, eps}, cache, shape, mask, out);
  const Tensor by_head = q.reshape(q.rows * shape.heads, shape.head_dim);
  rms_norm(g, by_head, norm, eps, by_head);
  attention(g, q, cache, shape, mask, out);
}

void attention_packed(Graph& g, const Tensor& qkv, const HeadShape& shape, const AttentionMask& mask, const Tensor& out) {
  const uint32_t width = shape.query_width();
  if (const std::optional<TiledKernel> on_matrices = matrix_kernel(g, shape, mask.kind)) {
    // Every workgroup reads all keys and values of its head: in float16 half as much, and rounded once.
    Arena::Scope scope(g.arena);
    const uint64_t bytes = uint64_t{2} * qkv.rows * width;
    const KeysAndValues halves{g.arena.take(bytes), g.arena.take(bytes), true, width, 0, 0, qkv.rows};
    kv_halves(g, qkv, width, halves.keys, halves.values);
    return tiled_attention(g, *on_matrices, qkv, halves, shape, mask, out);
  }
  const KeysAndValues kv{qkv.slice, qkv.slice, false, qkv.cols, qkv.offset + width, qkv.offset + 2 * width, qkv.rows};
  tiled_attention(g, plain_kernel(g.device, kv, shape, mask), qkv, kv, shape, mask, out);
}

}  // namespace loupe::ops

namespace loupe::scalar {

Floats attention(const Floats& q, const Floats& keys, const Floats& values, const ops::HeadShape& shape, const ops::AttentionMask& mask,
                 uint32_t position) {
  using Kind = ops::AttentionMask::Kind;
  const uint32_t width = shape.query_width(), kv_width = shape.kv_width(), dim = shape.head_dim;
  auto is_padding = [&](uint32_t token) { return token / mask.padded >= mask.num_tiles || token % mask.padded >= mask.tokens; };
  Floats out(q.size());
  for (uint32_t row = 0; row < q.size() / width; ++row)
    for (uint32_t head = 0; head < shape.heads; ++head) {
      const uint32_t kv_head = head / (shape.heads / shape.kv_heads);
      const uint32_t length = mask.kind == Kind::causal ? position + row + 1 : mask.length;
      std::vector<double> p(length, 0);
      double highest = -INFINITY, total = 0;
      for (uint32_t key = 0; key < length; ++key) {
        double score = 0;
        for (uint32_t d = 0; d < dim; ++d)
          score += static_cast<double>(q[row * width + head * dim + d]) * keys[key * kv_width + kv_head * dim + d];
        const bool hidden = mask.kind == Kind::vision && is_padding(row) && is_padding(key);
        p[key] = hidden ? -INFINITY : score / std::sqrt(static_cast<double>(dim));
        highest = std::max(highest, p[key]);
      }
      for (double& value : p) total += value = std::exp(value - highest);
      for (uint32_t d = 0; d < dim; ++d) {
        double sum = 0;
        for (uint32_t key = 0; key < length; ++key) sum += p[key] * values[key * kv_width + kv_head * dim + d];
        out[row * width + head * dim + d] = static_cast<float>(sum / total);
      }
    }
  return out;
}

}  // namespace loupe::scalar
