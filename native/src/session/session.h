#pragma once
// One conversation with a loaded model: prompts in, tokens out, everything reusable kept in between.

#include <atomic>
#include <deque>
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
  /// A decode step recorded once, replayed at every position until what it points to moves.
  struct Recorded;
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
  /// Logits of each row into those of logits_ from `row` on, and a draw from them into chosen_. With one row its token goes to
  /// next_, and the position there grows by one.
  void output_and_draw(Graph& g, const Tensor& hidden, const ops::SamplingPlan& plan, uint32_t row);
  /// Writes what draw number `draw` of a request depends on, from row `row`, which computes the last of `next`. These follow
  /// the tokens of `history`.
  void prepare_draw(const GenerateRequest& request, uint32_t draw, std::span<const CachedToken> history,
                    std::span<const uint32_t> next = {}, uint32_t row = 0);
  uint32_t chosen(uint32_t row) const;

  /// Records the way of what a step computes, `tokens` from `position` on, to next_.
  void write_next(std::span<const uint32_t> tokens, uint32_t position);
  /// Room for a step of `rows` rows at `position`, and its rotations. If they have to move, recorded steps are forgotten.
  void open_window(uint32_t position, uint32_t rows, const CrossKv* image);
  /// A step of `rows` rows, whose logits and draws go to the rows from `row` on. It computes what stands in next_.
  std::unique_ptr<Recorded> record_step(uint32_t rows, const CrossKv* image, const ops::SamplingPlan& plan, uint32_t row);
  /// `recorded`, or a new one in its place.
  vk::Recorder& ready(std::unique_ptr<Recorded>& recorded, uint32_t rows, const CrossKv* image, const ops::SamplingPlan& plan,
                      uint32_t row);
  /// Whether a step at `position` may be submitted while the one before it runs: nothing of the host decides about it, and nothing
  /// has to move for it.
  bool may_follow(uint32_t position, const CrossKv* image, const ops::SamplingPlan& plan) const;
  /// Submits a step of one row. What its draw depends on is in row `next_step_row()` of sampling_.
  void start_step(const CrossKv* image, const ops::SamplingPlan& plan);
  uint32_t next_step_row() const;
  /// Waits for the oldest step in flight, whose row becomes last_row_.
  void finish_step();
  /// Waits for steps that nobody asks for any more.
  void finish_leftover_steps();
  void count(const vk::Recorder& recorder, double waited_before);
  /// Computes `token`, the last of the answer's `draw` so far, and what is proposed behind it, or has the device begin with what
  /// follows. Returns what comes next: one token, and one more for each proposed token that is the right one.
  std::vector<uint32_t> step_ahead(const GenerateRequest& request, uint32_t token, uint32_t draw, const CrossKv* image,
                                   const ops::SamplingPlan& plan, Guesser& guesser, GenerateStatistics& statistics);
  /// The same for `token` and a proposal, in one pass.
  std::vector<uint32_t> check(const GenerateRequest& request, uint32_t token, std::span<const uint32_t> proposal, uint32_t draw,
                              const CrossKv* image, const ops::SamplingPlan& plan);
  /// Of all steps so far, and of what else has been submitted.
  DeviceWork work_so_far() const;
  void upload_rows(const uint32_t* tokens, uint32_t rows, uint32_t first);
  void read_back(const Tensor& tensor, std::vector<float>& out);
  void forget_recorded_steps();
  /// [rows, vocab]
  Tensor logits_of(uint32_t row, uint32_t rows = 1) const;

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
  vk::Buffer tokens_, rotations_, state_;  // written by the host before each chunk of a prompt
  vk::Buffer arrivals_;                    // Graph::arrivals
  vk::Buffer sampling_, sampling_inputs_;  // ops::SamplingInputs of each row's next draw: the host's, and the device's copy
  vk::Buffer logits_, chosen_, readback_;  // the first two of up to `checked_rows` rows
  uint32_t last_row_ = 0;                  // of logits_, which was computed for the last of `cached_`
  std::vector<CachedToken> cached_;

  // Recorded steps take all they need from the device, so that one can follow another without the host: each leaves in next_
  // which token the next one computes, and where.
  vk::Buffer next_, host_next_;      // position, then tokens; and what the host copies there where it decides
  bool next_is_known_ = false;       // next_ holds what follows `cached_`
  vk::Buffer window_, host_window_;  // rotations of positions [window_begin_, window_end_), which recorded steps serve
  uint32_t window_begin_ = 0, window_end_ = 0;
  std::unique_ptr<Recorded> recorded_steps_[2], recorded_check_;  // of one row, by turns; and of `checked_rows`
  struct InFlight {
    uint32_t step;  // of recorded_steps_, and its row
    double began;
  };
  std::deque<InFlight> in_flight_;
  double last_finished_ = 0;
  vk::Speed step_speed_;  // what steps have learned of the device
  SpeculationCost speculation_cost_;
  double recorded_longest_ms_ = 0;
  DeviceWork replayed_;  ///< by recorded steps
};

}  // namespace loupe
