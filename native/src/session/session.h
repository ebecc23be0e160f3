#pragma once
// One conversation with a loaded model: prompts in, tokens out, everything reusable kept in between.

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/vision_encoder.h"
#include "session/kv_cache.h"
#include "session/speculation.h"

namespace loupe {

struct Prompt {
  std::vector<uint32_t> tokens;       ///< the whole conversation from its first token
  std::vector<PreparedImage> images;  ///< one per image token, in order
};

struct GenerateRequest {
  Prompt prompt;
  uint32_t max_tokens = 0;
  std::vector<uint32_t> stop_tokens;
  ops::Sampling sampling;
  uint64_t seed = 0;
  /// How the answer is computed; the tokens are the same.
  Speculation speculation = Speculation::automatic;
};

enum class Stage { encode, prefill, decode };

/// Called on the engine's thread.
struct Listener {
  std::function<void(uint32_t token)> on_token;
  std::function<void(Stage stage, uint32_t done, uint32_t total)> on_stage;
};

enum class Finish { stop, length, context, cancelled };

/// What the device is asked to do, and how long the host waits for it. The barriers that begin and end every submission are
/// not counted.
struct DeviceWork {
  double dispatches = 0, barriers = 0, submissions = 0, waited_ms = 0;
};

struct GenerateStatistics {
  uint32_t prompt_tokens = 0, reused_tokens = 0, generated_tokens = 0, images_encoded = 0, images_cached = 0;
  uint32_t proposed_tokens = 0, accepted_tokens = 0;  ///< by speculation; what was not checked is not counted
  double encode_ms = 0, prefill_ms = 0, first_token_ms = 0, decode_ms = 0;
  DeviceWork token_work;     ///< of one token after the first, drawing it included
  double token_host_us = 0;  ///< of decode_ms a token, what is not waiting
};

struct GenerateResult {
  std::vector<uint32_t> tokens;
  Finish finish = Finish::length;
  GenerateStatistics statistics;
};

/// Everything the reference files hold; row by row, float32. See reference fixtures and docs/trace.md.
struct TraceResult {
  std::vector<float> pixel_values;            ///< [images, max_tiles, 3, size, size]
  std::vector<float> vision_output;           ///< [images, max_tiles, tokens, features]
  std::vector<float> cross_attention_states;  ///< [images * max_tiles * tokens, H]
  std::vector<float> logits;                  ///< [tokens, vocab]
  std::vector<uint32_t> greedy_tokens;
  std::vector<float> greedy_logits;  ///< [greedy_tokens, vocab]
};

class Session {
 public:
  /// `context_length` = 0 takes the checkpoint's, at most 8192. `cancel` outlives the session.
  Session(vk::Device& device, vk::Memory& memory, vk::Pipelines& pipelines, Model model, Activations activations, uint32_t context_length,
          const std::atomic<bool>& cancel);
  ~Session();

  /// Computes only what the cached prefix lacks. Throws prompt_invalid, context_full, device_*; a
  /// cancelled request is a result, not an error, and what it computed stays cached.
  GenerateResult generate(const GenerateRequest& request, const Listener& listener);
  /// From an empty cache: every position's logits, then `continue_for` greedy tokens that nothing stops.
  TraceResult trace(const Prompt& prompt, uint32_t continue_for);

  /// Logits [vocab] of the last computed position.
  std::vector<float> last_logits();

  const Model& model() const { return model_; }
  uint32_t context_length() const { return context_length_; }
  uint64_t self_kv_bytes() const { return self_kv_.bytes(); }
  uint64_t cross_kv_bytes() const { return cross_kv_.bytes(); }
  double longest_submission_ms() const;

 private:
  /// What the self KV holds: a token, and for an image token the picture that follows it.
  struct CachedToken {
    uint32_t token;
    std::string image;
    bool operator==(const CachedToken&) const = default;
  };
  /// Consecutive rows that see the same picture.
  struct Segment {
    uint32_t begin = 0, end = 0;
    const PreparedImage* image = nullptr;
  };

  bool is_image_token(uint32_t token) const;
  std::vector<CachedToken> validate(const Prompt& prompt) const;
  std::vector<Segment> segments(const Prompt& prompt, uint32_t from) const;
  const CrossKv* cross_kv(const PreparedImage* image, const Listener& listener, GenerateStatistics& statistics);
  /// Encodes a picture; `trace` (may be null) receives features and states of every tile.
  CrossKv encode(const PreparedImage& image, const Listener& listener, TraceResult* trace);
  /// Positions [begin, end) of the prompt; `logits_of` receives each chunk's hidden rows.
  void prefill(const Prompt& prompt, const Segment& segment, const CrossKv* image, const Listener& listener, uint32_t total,
               const std::function<void(const Tensor& hidden)>& then);
  /// Self KV for `positions`, keeping the first `used`, and the cross KV of the picture in force.
  void make_room(uint32_t positions, uint32_t used, const CrossKv* image);
  /// Runs `work`. If the device is full, frees what is only kept for later (pictures other than `kept`, spare scratch) and
  /// runs it once more.
  template <class Work>
  auto with_room(const CrossKv* kept, Work&& work);
  /// One token at `position`, or `checked_rows` from there, by a recorded step. Leaves the logits of each in logits_, and what is
  /// drawn from them in chosen_.
  void step(std::span<const uint32_t> tokens, uint32_t position, const CrossKv* image, const ops::SamplingPlan& plan);
  /// Logits of each row into logits_, and a draw from them into chosen_.
  void output_and_draw(Graph& g, const Tensor& hidden, const ops::SamplingPlan& plan);
  /// Writes what draw number `draw` of a request depends on, from row `row`, which computes the last of `next`. These follow
  /// the tokens of `history`.
  void prepare_draw(const GenerateRequest& request, uint32_t draw, std::span<const CachedToken> history,
                    std::span<const uint32_t> next = {}, uint32_t row = 0);
  uint32_t chosen(uint32_t row) const;
  /// Computes `token`, the last of the answer's `draw` so far, and what is proposed behind it. Returns what comes next: one token,
  /// and one more for each proposed token that is the right one.
  std::vector<uint32_t> step_ahead(const GenerateRequest& request, uint32_t token, uint32_t draw, const CrossKv* image,
                                   const ops::SamplingPlan& plan, Guesser& guesser, GenerateStatistics& statistics);
  /// Of all steps so far, and of what else has been submitted.
  DeviceWork work_so_far() const;
  void upload_rows(const uint32_t* tokens, uint32_t rows, uint32_t first);
  void read_back(const Tensor& tensor, std::vector<float>& out);
  void forget_recorded_steps();
  /// [1, vocab]
  Tensor logits_of(uint32_t row) const;

  vk::Device& device_;
  vk::Memory& memory_;
  vk::Pipelines& pipelines_;
  Model model_;
  const std::atomic<bool>& cancel_;
  uint32_t context_length_ = 0;
  SelfKv self_kv_;
  CrossKvCache cross_kv_;
  Arena arena_;
  vk::Recorder recorder_;
  Graph graph_;
  vk::Buffer tokens_, rotations_, state_;  // written by the host before each pass
  vk::Buffer step_inputs_;                 // of a recorded step: state_, then the rotations of its rows, copied by the device
  vk::Buffer arrivals_;                    // Graph::arrivals
  vk::Buffer sampling_;                    // ops::SamplingInputs of each row's next draw, likewise
  vk::Buffer logits_, chosen_, readback_;  // the first two of up to `checked_rows` rows
  uint32_t last_row_ = 0;                  // of logits_, which was computed for the last of `cached_`
  std::vector<CachedToken> cached_;

  /// A decode step recorded once, replayed at every position until what it points to moves.
  struct Recorded;
  std::unique_ptr<Recorded> recorded_step_, recorded_check_;  // of one row, and of `checked_rows`
  SpeculationCost speculation_cost_;
  double recorded_longest_ms_ = 0;
  DeviceWork replayed_;  ///< by recorded steps
};

}  // namespace loupe
