#pragma once
// One operation at given shapes, with inputs and with what its scalar twin makes of them. `loupe doctor` compares
// a few small cases, the tests many, and bench_ops times those of a model's shapes.

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"
#include "ops/scalar.h"

namespace loupe::cases {

using scalar::Floats;

/// Largest relative difference (L2) that passes. Sums in another order, in float32: what every driver meets.
constexpr double exact_tolerance = 2e-5;
/// Inputs rounded to 11 bits, for the cooperative-matrix kernels.
constexpr double half_tolerance = 2e-3;

/// Where cases run: a recorder, scratch memory, and the buffers of the cases, which live as long as this does.
class Bench {
 public:
  enum class Fill {
    random,  ///< for comparing
    zeros,   ///< for timing: no kernel here is faster for them, and large inputs need not be made
  };
  Bench(vk::Device& device, vk::Memory& memory, vk::Pipelines& pipelines, Activations activations, Fill fill);
  ~Bench();
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  Fill fill() const { return fill_; }
  /// In [-1, 1), the same in every run; empty where inputs are zeros.
  Floats random(uint64_t count) { return fill_ == Fill::zeros ? Floats() : random_.floats(count); }

  /// Empty `values` become zeros, as in the two below.
  Tensor tensor(uint32_t rows, uint32_t cols, const Floats& values = {});
  /// Cut into row blocks as an upload cuts it. `values` become what the matrix stores.
  Matrix matrix(uint32_t rows, uint32_t cols, DType dtype, Floats& values);
  KvCache cache(uint32_t capacity, uint32_t width, bool half, Floats& keys, Floats& values);
  template <class Value>
  vk::Slice value(const Value& value) {
    buffers_.push_back(buffer(&value, sizeof value, vk::Intent::activations));
    return buffers_.back().slice().part(0, sizeof value);
  }

  /// Submits what is recorded, waits, and fetches.
  template <class Value>
  std::vector<Value> download(const vk::Slice& slice) {
    vk::Buffer readback = memory_.allocate(slice.size, vk::Intent::readback);
    recorder_.copy(slice, readback.slice());
    recorder_.sync();
    const Value* values = readback.mapped<Value>();
    return {values, values + slice.size / sizeof(Value)};
  }
  void sync() { recorder_.sync(); }
  double longest_submission_ms() const { return recorder_.longest_submission_ms(); }

 private:
  vk::Buffer buffer(const void* data, uint64_t bytes, vk::Intent intent);

  Fill fill_;
  vk::Memory& memory_;
  Arena arena_;
  vk::Recorder recorder_;
  std::vector<vk::Buffer> buffers_;
  Random random_{1};

 public:
  Graph graph;
};

struct Case {
  std::string name;
  double flops = 0, bytes = 0;  ///< of one run
  double tolerance = 0;         ///< 0 = equal
  std::function<void()> record;
  /// What the device made of one recorded run, and what the twin makes of the same inputs.
  std::function<Floats()> found, expected;
};

struct Comparison {
  bool ok = false;
  std::string detail;  ///< the measured difference and what is allowed
};
/// Records the case once, runs it and compares.
Comparison compare(const Case& one);

Case matmul(Bench& bench, const std::string& name, uint32_t rows, uint32_t k, uint32_t n, DType weights, ops::Epilogue::Kind kind);
Case add_norm(Bench& bench, const std::string& name, uint32_t rows, uint32_t k, uint32_t n, DType weights);
Case layer_norm(Bench& bench, const std::string& name, uint32_t rows, uint32_t cols);
Case rms_norm(Bench& bench, const std::string& name, uint32_t rows, uint32_t cols);
/// Rows at the end of `mask.length` keys. `half`: the cache is float16.
Case attention(Bench& bench, const std::string& name, uint32_t rows, const ops::HeadShape& shape, const ops::AttentionMask& mask,
               bool half);
/// The last of `length` rows, whose own key and value are not in the cache yet.
Case rope_attention(Bench& bench, const std::string& name, uint32_t length, const ops::HeadShape& shape, bool half);
Case norm_attention(Bench& bench, const std::string& name, uint32_t rows, const ops::HeadShape& shape, uint32_t length, bool half);
/// As in the vision encoder: queries, keys and values in one tensor.
Case attention_packed(Bench& bench, const std::string& name, const ops::HeadShape& shape, const ops::AttentionMask& mask);
Case argmax(Bench& bench, const std::string& name, uint32_t vocabulary);
Case sample(Bench& bench, const std::string& name, uint32_t vocabulary, const ops::Sampling& sampling);

/// Makes a case when it is its turn: inputs of one case at a time lie on the device.
using MakeCase = std::function<Case(Bench&)>;

/// What `loupe doctor` compares. Cases of one name are one line of its report.
struct NamedCase {
  std::string name;
  MakeCase make;
};
std::vector<NamedCase> self_test_cases();

/// What bench_ops times: the products, attentions and samplers of a model, `weights` in its matrices.
struct ModelShapes {
  uint32_t vision_rows, vision_hidden, vision_inner, vision_heads;
  uint32_t text_hidden, text_inner, heads, kv_heads, head_dim, vocabulary, prompt, context, image_tokens;
};
extern const ModelShapes demo_shapes, llama_11b_shapes;
std::vector<NamedCase> model_cases(const ModelShapes& shapes, DType weights);

}  // namespace loupe::cases
