#include "session/session.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <set>

#include "base/error.h"
#include "session/working_sizes.h"

namespace loupe {
namespace {

/// Rows of logits computed at once while tracing; a row of Llama 3 has half a MiB.
constexpr uint32_t trace_logit_rows = 16;
constexpr uint64_t readback_bytes = 4u << 20;
/// Of a row's part of chosen_ and sampling_, and where tokens begin in next_: bindings begin at multiples of 256 bytes.
constexpr uint64_t chosen_pitch = 256, sampling_pitch = (sizeof(ops::SamplingInputs) + 255) / 256 * 256, next_tokens = 256;

/// A recorded step serves the positions up to the next multiple of this: its attention has workgroups for so many keys, not for all
/// that the cache has room for. Then it is recorded again. Rotations are kept for these positions, and for those of a pass that
/// goes beyond the multiple.
constexpr uint32_t recorded_length = 512, window_rows = recorded_length + checked_rows;

double now_ms() { return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// Draw number `draw` of stream `seed`, in [0, 1): splitmix64, as a counter, so that a draw depends on nothing else.
float uniform(uint64_t seed, uint32_t draw) {
  uint64_t z = seed + (static_cast<uint64_t>(draw) + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  z ^= z >> 31;
  return static_cast<float>(z >> 40) * 0x1p-24f;
}

/// One picture, and those that may be asked about again: an eighth of the device at most, and never what a full context needs.
uint64_t cross_kv_budget(const ModelConfig& config, const vk::Memory& memory, bool half, uint32_t context) {
  const WorkingSizes sizes = working_sizes(config, half);
  const uint64_t budget = memory.budget_bytes(), needed = memory.use().device_bytes + sizes.total(context);
  return sizes.cross_kv + std::min(budget / 8, budget - std::min(budget, needed));
}

/// Calls `action` at the end of the scope, also when an exception passes. Buffers that the device may still use are
/// kept alive by one that is declared after them and waits.
template <class Action>
class Finally {
 public:
  explicit Finally(Action action) : action_(std::move(action)) {}
  ~Finally() { action_(); }
  Finally(const Finally&) = delete;
  Finally& operator=(const Finally&) = delete;

 private:
  Action action_;
};

}  // namespace

struct Session::Recorded {
  vk::Recorder recorder;
  const CrossKv* image;
  ops::SamplingPlan plan;
  Recorded(vk::Device& device, const vk::Speed& speed, const CrossKv* image, const ops::SamplingPlan& plan)
      : recorder(device, vk::Recorder::Mode::retained, speed), image(image), plan(plan) {}
  bool serves(const CrossKv* picture, const ops::SamplingPlan& draw) const { return image == picture && plan == draw; }
};

Session::Session(vk::Device& device, vk::Memory& memory, vk::Pipelines& pipelines, Model model, Activations activations,
                 uint32_t context_length, const std::atomic<bool>& cancel)
    : device_(device),
      memory_(memory),
      pipelines_(pipelines),
      model_(std::move(model)),
      cancel_(cancel),
      context_length_(usable_context(model_.config, memory, activations == Activations::f16, context_length)),
      self_kv_(model_, memory, activations == Activations::f16, context_length_),
      cross_kv_(cross_kv_budget(model_.config, memory, activations == Activations::f16, context_length_)),
      arena_(memory),
      recorder_(device, vk::Recorder::Mode::immediate),
      graph_{device, memory, pipelines, recorder_, arena_, activations, {}} {
  recorder_.set_cancel(&cancel_);
  const uint64_t vocabulary = model_.text.output().rows, rotation = static_cast<uint64_t>(model_.config.text.head_dim) * 4;
  tokens_ = memory.allocate(prefill_rows * 4, vk::Intent::upload);
  rotations_ = memory.allocate(prefill_rows * rotation, vk::Intent::upload);
  state_ = memory.allocate(4, vk::Intent::upload);  // stays 0: a chunk's position is passed by value
  *state_.mapped<uint32_t>() = 0;
  next_ = memory.allocate(next_tokens + checked_rows * 4, vk::Intent::activations);
  host_next_ = memory.allocate(next_.size(), vk::Intent::upload);
  window_ = memory.allocate(window_rows * rotation, vk::Intent::activations);
  host_window_ = memory.allocate(window_.size(), vk::Intent::upload);
  if (device.quirks().last_workgroup) {
    arrivals_ = memory.allocate(Graph::arrival_words * 4, vk::Intent::activations);
    graph_.arrivals = arrivals_.slice();
  }
  sampling_ = memory.allocate(checked_rows * sampling_pitch, vk::Intent::upload);
  sampling_inputs_ = memory.allocate(sampling_.size(), vk::Intent::activations);
  logits_ = memory.allocate(checked_rows * vocabulary * 4, vk::Intent::activations);
  chosen_ = memory.allocate(checked_rows * chosen_pitch, vk::Intent::readback);
  readback_ = memory.allocate(readback_bytes, vk::Intent::readback);
}

// The buffers below the recorder go first.
Session::~Session() { recorder_.abandon(); }

void Session::forget_recorded_steps() {
  for (auto& recorded : recorded_steps_) recorded.reset();
  recorded_check_.reset();
  in_flight_.clear();  // they were waited for
  next_is_known_ = false;
  window_begin_ = window_end_ = 0;
}

Tensor Session::logits_of(uint32_t row, uint32_t rows) const {
  const Tensor all{logits_.slice(), checked_rows, model_.text.output().rows, 0};
  return all.view(row, rows);
}

uint32_t Session::chosen(uint32_t row) const { return chosen_.mapped<uint32_t>()[row * chosen_pitch / 4]; }

std::vector<float> Session::last_logits() {
  std::vector<float> logits;
  read_back(logits_of(last_row_), logits);
  return logits;
}

double Session::longest_submission_ms() const { return std::max(recorder_.longest_submission_ms(), recorded_longest_ms_); }

bool Session::is_image_token(uint32_t token) const {
  const std::optional<int>& image = model_.config.image_token_index;
  return image && token == static_cast<uint32_t>(*image);
}

std::vector<Session::CachedToken> Session::validate(const Prompt& prompt) const {
  const ModelConfig& config = model_.config;
  const uint32_t known = static_cast<uint32_t>(config.text.embedding_rows);
  if (prompt.tokens.empty()) throw Error(ErrorCode::prompt_invalid, "The prompt is empty.", "Ask a question.");
  std::vector<CachedToken> list;
  size_t images = 0;
  for (uint32_t token : prompt.tokens) {
    if (token >= known)
      throw Error(ErrorCode::prompt_invalid,
                  "Token " + std::to_string(token) + " is not in this model's vocabulary of " + std::to_string(known) + ".",
                  "Use the tokenizer that belongs to this checkpoint.");
    const bool is_image = is_image_token(token);
    if (is_image && images < prompt.images.size())
      list.push_back({token, prompt.images[images].hash});
    else
      list.push_back({token, {}});
    images += is_image;
  }
  if (images != prompt.images.size())
    throw Error(
        ErrorCode::prompt_invalid,
        "The prompt refers to " + std::to_string(images) + " pictures, and " + std::to_string(prompt.images.size()) + " were given.",
        model_.vision ? "Give one picture for each <|image|>." : "This model reads text only; choose a vision model.");
  for (const PreparedImage& image : prompt.images) {
    const VisionConfig& vision = *config.vision;
    const size_t tile_bytes = static_cast<size_t>(vision.image_size) * static_cast<size_t>(vision.image_size) * 3;
    if (image.num_tiles < 1 || image.num_tiles > static_cast<uint32_t>(vision.max_num_tiles) || image.aspect_ratio_id < 1 ||
        image.aspect_ratio_id > vision.supported_aspect_ratios.size() || image.tiles.size() != image.num_tiles * tile_bytes ||
        image.hash.empty())
      throw Error(ErrorCode::prompt_invalid, "A picture's tiles do not have the shape that this model takes.",
                  "Prepare the picture for tiles of " + std::to_string(vision.image_size) + " pixels.");
  }
  return list;
}

std::vector<Session::Segment> Session::segments(const Prompt& prompt, uint32_t from) const {
  // A token sees the latest picture at or before it.
  std::vector<Segment> list;
  const PreparedImage* image = nullptr;
  size_t next_image = 0;
  uint32_t begin = 0;
  const uint32_t count = static_cast<uint32_t>(prompt.tokens.size());
  auto close = [&](uint32_t end) {
    if (end > std::max(begin, from)) list.push_back({std::max(begin, from), end, image});
    begin = end;
  };
  for (uint32_t i = 0; i < count; ++i)
    if (is_image_token(prompt.tokens[i])) {
      close(i);
      image = &prompt.images[next_image++];
    }
  close(count);
  return list;
}

void Session::upload_rows(const uint32_t* tokens, uint32_t rows, uint32_t first) {
  std::memcpy(tokens_.mapped(), tokens, rows * 4);
  write_rotations(model_.config.text, first, rows, rotations_.mapped<float>());
}

void Session::read_back(const Tensor& tensor, std::vector<float>& out) {
  const uint64_t bytes = static_cast<uint64_t>(tensor.rows) * tensor.cols * 4, skip = tensor.offset * 4ull;
  for (uint64_t done = 0; done < bytes; done += readback_bytes) {
    const uint64_t piece = std::min(readback_bytes, bytes - done);
    recorder_.copy(tensor.slice.part(skip + done, piece), readback_.slice().part(0, piece));
    recorder_.sync();
    const float* values = readback_.mapped<float>();
    out.insert(out.end(), values, values + piece / 4);
  }
}

template <class Work>
auto Session::with_room(const CrossKv* kept, Work&& work) {
  try {
    return work();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::device_out_of_memory) throw;
  }
  recorder_.abandon();
  forget_recorded_steps();
  cross_kv_.drop_all_but(kept);
  arena_.trim();
  return work();
}

CrossKv Session::encode(const PreparedImage& image, const Listener& listener, TraceResult* trace) {
  const VisionConfig& config = *model_.config.vision;
  const bool half = graph_.activations == Activations::f16;
  const uint32_t tokens = static_cast<uint32_t>(config.tokens_per_tile()), width = model_.text_heads().kv_width();
  CrossKv kv;
  kv.length = image.num_tiles * tokens;
  const size_t cross_layers = model_.config.text.cross_attention_layers.size();
  const uint64_t expected = cross_layers * 2ull * kv.length * width * (half ? 2 : 4);
  forget_recorded_steps();  // it may refer to a picture that is about to be dropped
  cross_kv_.make_room(expected);
  for (size_t i = 0; i < cross_layers; ++i) kv.layers.push_back(make_kv_cache(memory_, width, half, kv.length));

  vk::Buffer pixels = memory_.allocate((image.tiles.size() + 3) / 4 * 4, vk::Intent::upload);
  std::memcpy(pixels.mapped(), image.tiles.data(), image.tiles.size());
  {
    const Finally idle([&] { recorder_.abandon(); });
    Arena::Scope scope(arena_);
    const VisionEncoder encoder(graph_, model_, pixels.slice(), image, [&](uint32_t done, uint32_t total) {
      if (listener.on_stage) listener.on_stage(Stage::encode, done, total);
    });
    const Tensor features = arena_.tensor(tokens, static_cast<uint32_t>(config.vision_output_dim));
    const Tensor states = arena_.tensor(tokens, static_cast<uint32_t>(model_.config.text.hidden_size));
    // The decoder sees the tiles that the picture uses; a trace shows all of them.
    for (uint32_t tile = 0; tile < (trace ? static_cast<uint32_t>(config.max_num_tiles) : image.num_tiles); ++tile) {
      encoder.features(graph_, tile, features);
      project(graph_, model_, features, states);
      if (tile < image.num_tiles) write_cross_kv(graph_, model_, states, tile * tokens, kv);
      if (trace) {
        read_back(features, trace->vision_output);
        read_back(states, trace->cross_attention_states);
      }
    }
    recorder_.sync();
  }
  arena_.trim();  // encoding takes ten times the scratch of decoding
  return kv;
}

const CrossKv* Session::cross_kv(const PreparedImage* image, const Listener& listener, GenerateStatistics& statistics) {
  if (!image) return nullptr;
  if (const CrossKv* known = cross_kv_.find(image->hash)) {
    ++statistics.images_cached;
    return known;
  }
  const double begin = now_ms();
  const CrossKv& kv = cross_kv_.insert(image->hash, with_room(nullptr, [&] { return encode(*image, listener, nullptr); }));
  statistics.encode_ms += now_ms() - begin;
  ++statistics.images_encoded;
  return &kv;
}

void Session::prefill(const Prompt& prompt, const Segment& segment, const CrossKv* image, const Listener& listener, uint32_t total,
                      const std::function<void(const Tensor& hidden)>& then) {
  for (uint32_t first = segment.begin; first < segment.end; first += prefill_rows) {
    const uint32_t rows = std::min(prefill_rows, segment.end - first);
    make_room(first + rows, first, image);
    upload_rows(&prompt.tokens[first], rows, first);
    Arena::Scope scope(arena_);
    then(decode(graph_, model_,
                {tokens_.slice(), {rotations_.slice(), first}, {state_.slice(), 0, first}, rows, first + rows, &self_kv_.layers(), image}));
    recorder_.sync();  // the next chunk overwrites tokens_ and rotations_
    if (listener.on_stage) listener.on_stage(Stage::prefill, first + rows, total);
  }
}

void Session::make_room(uint32_t positions, uint32_t used, const CrossKv* image) {
  if (positions <= self_kv_.capacity()) return;
  forget_recorded_steps();  // before, because growing that fails half-way has moved some layers
  with_room(image, [&] { self_kv_.grow(positions, used, recorder_); });
}

void Session::output_and_draw(Graph& g, const Tensor& hidden, const ops::SamplingPlan& plan, uint32_t row) {
  const bool hands_over = hidden.rows == 1;
  const vk::Slice inputs = sampling_inputs_.slice().part(row * sampling_pitch, hidden.rows * sampling_pitch);
  // Many workgroups of a draw read these: over the bus they come once.
  if (plan.penalty || !plan.greedy) g.recorder.copy(sampling_.slice().part(row * sampling_pitch, inputs.size), inputs);
  output_logits(g, model_, hidden, logits_of(row, hidden.rows));
  for (uint32_t i = 0; i < hidden.rows; ++i)
    ops::sample(g, logits_of(row + i), plan, inputs.part(i * sampling_pitch, sizeof(ops::SamplingInputs)),
                chosen_.slice().part((row + i) * chosen_pitch, 4),
                hands_over ? ops::Handover{next_.slice().part(next_tokens, 4), next_.slice().part(0, 4)} : ops::Handover{});
}

void Session::write_next(std::span<const uint32_t> tokens, uint32_t position) {
  *host_next_.mapped<uint32_t>() = position;
  std::copy(tokens.begin(), tokens.end(), host_next_.mapped<uint32_t>() + next_tokens / 4);
  recorder_.copy(host_next_.slice(), next_.slice());
}

void Session::open_window(uint32_t position, uint32_t rows, const CrossKv* image) {
  make_room(position + rows, position, image);
  if (position >= window_begin_ && position + rows <= window_end_) return;
  forget_recorded_steps();
  window_end_ = std::min(round_up(position + rows, recorded_length), self_kv_.capacity());
  window_begin_ = window_end_ - std::min(window_end_, window_rows);
  write_rotations(model_.config.text, window_begin_, window_end_ - window_begin_, host_window_.mapped<float>());
  recorder_.copy(host_window_.slice(), window_.slice());
}

std::unique_ptr<Session::Recorded> Session::record_step(uint32_t rows, const CrossKv* image, const ops::SamplingPlan& plan, uint32_t row) {
  auto made = std::make_unique<Recorded>(device_, step_speed_, image, plan);
  made->recorder.set_cancel(&cancel_);
  Graph g{device_, memory_, pipelines_, made->recorder, arena_, graph_.activations, graph_.arrivals};
  Arena::Scope scope(arena_);
  const DecoderInputs inputs{next_.slice().part(next_tokens, rows * 4),
                             {window_.slice(), window_begin_},
                             {next_.slice().part(0, 4), 0, 0},
                             rows,
                             window_end_,
                             &self_kv_.layers(),
                             image};
  output_and_draw(g, decode(g, model_, inputs), plan, row);
  return made;
}

vk::Recorder& Session::ready(std::unique_ptr<Recorded>& recorded, uint32_t rows, const CrossKv* image, const ops::SamplingPlan& plan,
                             uint32_t row) {
  // Only when it is whole: recording may be cancelled, and half a step must not be replayed.
  if (!recorded || !recorded->serves(image, plan)) {
    recorded.reset();
    recorded = record_step(rows, image, plan, row);
  }
  return recorded->recorder;
}

bool Session::may_follow(uint32_t position, const CrossKv* image, const ops::SamplingPlan& plan) const {
  // A penalty is for tokens that the host has seen.
  if (device_.quirks().steps_in_flight < 2 || plan.penalty || in_flight_.size() != 1 || position >= window_end_) return false;
  const std::unique_ptr<Recorded>& recorded = recorded_steps_[next_step_row()];
  return !recorded || recorded->serves(image, plan);
}

uint32_t Session::next_step_row() const { return in_flight_.empty() ? 0 : 1 - in_flight_.back().step; }

void Session::start_step(const CrossKv* image, const ops::SamplingPlan& plan) {
  const uint32_t step = next_step_row();
  ready(recorded_steps_[step], 1, image, plan, step).start();
  in_flight_.push_back({step, now_ms()});
}

void Session::finish_step() {
  const auto [step, began] = in_flight_.front();
  vk::Recorder& recorder = recorded_steps_[step]->recorder;
  const double waited = recorder.waited_ms();
  recorder.finish();
  in_flight_.pop_front();
  last_row_ = step;
  const double now = now_ms();
  speculation_cost_.step_took(now - std::max(began, last_finished_));
  last_finished_ = now;
  count(recorder, waited);
  if (recorder.is_cut_wrongly()) recorded_steps_[step].reset();
}

void Session::finish_leftover_steps() {
  for (; !in_flight_.empty(); in_flight_.pop_front()) recorded_steps_[in_flight_.front().step]->recorder.finish();
}

void Session::count(const vk::Recorder& recorder, double waited_before) {
  replayed_.waited_ms += recorder.waited_ms() - waited_before;
  replayed_.dispatches += static_cast<double>(recorder.dispatches());
  replayed_.barriers += static_cast<double>(recorder.barriers());
  replayed_.submissions += static_cast<double>(recorder.segments());
  recorded_longest_ms_ = std::max(recorded_longest_ms_, recorder.longest_submission_ms());
  step_speed_ = recorder.speed();
}

DeviceWork Session::work_so_far() const {
  return {replayed_.dispatches + static_cast<double>(recorder_.dispatches()),
          replayed_.barriers + static_cast<double>(recorder_.barriers()),
          replayed_.submissions + static_cast<double>(recorder_.submissions()), replayed_.waited_ms + recorder_.waited_ms()};
}

void Session::prepare_draw(const GenerateRequest& request, uint32_t draw, std::span<const CachedToken> history,
                           std::span<const uint32_t> next, uint32_t row) {
  std::set<uint32_t> recent;
  if (request.sampling.repetition_penalty != 1) {
    const auto add = [&](uint32_t token) {
      if (token < model_.text.output().rows) recent.insert(token);
    };
    for (const CachedToken& one : history.last(std::min<size_t>(history.size(), ops::most_penalised - next.size()))) add(one.token);
    for (uint32_t token : next) add(token);
  }
  const std::vector<uint32_t> penalised(recent.begin(), recent.end());
  const ops::SamplingInputs inputs = ops::sampling_inputs(request.sampling, penalised, uniform(request.seed, draw));
  const size_t unused = (ops::most_penalised - inputs.penalised_count) * sizeof inputs.penalised[0];
  std::memcpy(sampling_.mapped<std::byte>() + row * sampling_pitch, &inputs, sizeof inputs - unused);
}

std::vector<uint32_t> Session::step_ahead(const GenerateRequest& request, uint32_t token, uint32_t draw, const CrossKv* image,
                                          const ops::SamplingPlan& plan, Guesser& guesser, GenerateStatistics& statistics) {
  const uint32_t position = static_cast<uint32_t>(cached_.size());
  std::span<const uint32_t> proposal;
  if (draw + checked_rows <= request.max_tokens && position + checked_rows <= context_length_) proposal = guesser.propose();
  if (in_flight_.empty()) {
    if (!proposal.empty()) {
      const std::vector<uint32_t> drawn = check(request, token, proposal, draw, image, plan);
      const uint32_t accepted = static_cast<uint32_t>(drawn.size()) - 1;
      guesser.checked(accepted);
      statistics.proposed_tokens += proposed_tokens;
      statistics.accepted_tokens += accepted;
      return drawn;
    }
    open_window(position, 1, image);
    if (!next_is_known_) write_next({&token, 1}, position);
    recorder_.flush();
    prepare_draw(request, draw, cached_, {&token, 1}, next_step_row());
    start_step(image, plan);
  }
  // The step that computes `token` is on its way. The next one follows it, if there will be one and nothing is to be checked.
  if (proposal.empty() && draw + 1 < request.max_tokens && position + 1 < context_length_ && may_follow(position + 1, image, plan)) {
    prepare_draw(request, draw + 1, {}, {}, next_step_row());
    start_step(image, plan);
  }
  finish_step();
  return {chosen(last_row_)};
}

std::vector<uint32_t> Session::check(const GenerateRequest& request, uint32_t token, std::span<const uint32_t> proposal, uint32_t draw,
                                     const CrossKv* image, const ops::SamplingPlan& plan) {
  const uint32_t position = static_cast<uint32_t>(cached_.size());
  std::vector<uint32_t> rows{token};
  rows.insert(rows.end(), proposal.begin(), proposal.end());
  // Each draw is the one that comes after so many tokens of this answer, whichever row it is.
  for (uint32_t row = 0; row < rows.size(); ++row) prepare_draw(request, draw + row, cached_, std::span(rows).first(row + 1), row);
  open_window(position, checked_rows, image);
  write_next(rows, position);
  next_is_known_ = false;
  recorder_.flush();
  vk::Recorder& recorder = ready(recorded_check_, checked_rows, image, plan, 0);
  const double waited = recorder.waited_ms(), began = now_ms();
  recorder.replay();
  speculation_cost_.pass_took(now_ms() - began);
  last_row_ = 0;
  count(recorder, waited);
  if (recorder.is_cut_wrongly()) recorded_check_.reset();
  std::vector<uint32_t> drawn;
  do drawn.push_back(chosen(static_cast<uint32_t>(drawn.size())));
  while (drawn.size() < rows.size() && drawn.back() == rows[drawn.size()]);
  return drawn;
}

GenerateResult Session::generate(const GenerateRequest& request, const Listener& listener) {
  const double begin = now_ms();
  const std::vector<CachedToken> wanted = validate(request.prompt);
  const uint32_t count = static_cast<uint32_t>(wanted.size());
  if (count >= context_length_)
    throw Error(ErrorCode::context_full,
                "The conversation has " + std::to_string(count) + " tokens; the context holds " + std::to_string(context_length_) + ".",
                "Start a new conversation, ask a shorter question, or choose a longer context in the settings.");

  GenerateResult result;
  GenerateStatistics& statistics = result.statistics;
  statistics.prompt_tokens = count;
  // At least the last position is computed, for its logits.
  uint32_t reused =
      static_cast<uint32_t>(std::mismatch(cached_.begin(), cached_.end(), wanted.begin(), wanted.end()).first - cached_.begin());
  reused = std::min(reused, count - 1);
  statistics.reused_tokens = reused;
  cached_.resize(reused);
  const ops::SamplingPlan plan = ops::plan_of(request.sampling, model_.text.output().rows);

  try {
    finish_leftover_steps();
    prepare_draw(request, 0, wanted);
    size_t computed = reused;
    const CrossKv* image = nullptr;
    for (const Segment& segment : segments(request.prompt, reused)) {
      image = cross_kv(segment.image, listener, statistics);
      const double prefill_begin = now_ms();
      prefill(request.prompt, segment, image, listener, count, [&](const Tensor& hidden) {
        computed += hidden.rows;
        if (computed < count) return;  // an answer begins after the last row alone
        // What the first step needs comes with it.
        if (count < self_kv_.capacity()) open_window(count, 1, image);
        write_next({}, count - 1);
        output_and_draw(graph_, hidden.view(hidden.rows - 1, 1), plan, 0);
      });
      cached_.insert(cached_.end(), wanted.begin() + segment.begin, wanted.begin() + segment.end);
      statistics.prefill_ms += now_ms() - prefill_begin;
    }
    last_row_ = 0;
    next_is_known_ = true;
    Guesser guesser(request.max_tokens > 1 ? request.speculation : Speculation::off, speculation_cost_);
    std::vector<uint32_t> drawn{chosen(0)};  // by the last step: the next token, or several
    uint32_t next = 0;                       // of them
    double first_token_at = 0;
    DeviceWork first_token_work;
    while (true) {
      if (result.tokens.size() == request.max_tokens) {
        result.finish = Finish::length;
        break;
      }
      if (cancel_) throw Error(ErrorCode::cancelled, "The request was cancelled.");
      const uint32_t token = drawn[next++];
      const double arrived = now_ms();
      if (result.tokens.empty()) {
        first_token_at = arrived;
        statistics.first_token_ms = first_token_at - begin;
        first_token_work = work_so_far();
      } else {
        const DeviceWork work = work_so_far();
        const double steps = static_cast<double>(result.tokens.size());
        statistics.token_work = {
            (work.dispatches - first_token_work.dispatches) / steps, (work.barriers - first_token_work.barriers) / steps,
            (work.submissions - first_token_work.submissions) / steps, (work.waited_ms - first_token_work.waited_ms) / steps};
        statistics.token_host_us = 1e3 * ((arrived - first_token_at) / steps - statistics.token_work.waited_ms);
      }
      statistics.decode_ms = arrived - first_token_at;
      if (std::find(request.stop_tokens.begin(), request.stop_tokens.end(), token) != request.stop_tokens.end()) {
        result.finish = Finish::stop;
        break;
      }
      result.tokens.push_back(token);
      if (listener.on_token) listener.on_token(token);
      if (cached_.size() == context_length_) {
        result.finish = Finish::context;
        break;
      }
      if (result.tokens.size() == request.max_tokens) continue;
      if (result.tokens.size() == 1)  // only now: a long prompt takes a millisecond, and the first word is out
        for (const CachedToken& one : wanted) guesser.push(one.token);
      guesser.push(token);
      if (next < drawn.size()) {
        last_row_ = next;
      } else {
        drawn = step_ahead(request, token, static_cast<uint32_t>(result.tokens.size()), image, plan, guesser, statistics);
        next = 0;
      }
      cached_.push_back({token, {}});
    }
  } catch (const Error& error) {
    recorder_.abandon();
    if (error.code() != ErrorCode::cancelled) {
      cached_.clear();
      forget_recorded_steps();
      throw;
    }
    window_begin_ = window_end_ = 0;  // the copy of its rotations may have been dropped
    result.finish = Finish::cancelled;
  } catch (...) {
    recorder_.abandon();
    cached_.clear();
    forget_recorded_steps();
    throw;
  }
  statistics.generated_tokens = static_cast<uint32_t>(result.tokens.size());
  return result;
}

TraceResult Session::trace(const Prompt& prompt, uint32_t continue_for) {
  const std::vector<CachedToken> wanted = validate(prompt);
  if (wanted.size() + continue_for > context_length_)
    throw Error(ErrorCode::context_full,
                "The trace has " + std::to_string(wanted.size() + continue_for) + " tokens; the context holds " +
                    std::to_string(context_length_) + ".",
                "Trace fewer tokens, or choose a longer context.");
  TraceResult result;
  cached_.clear();
  cross_kv_.clear();
  forget_recorded_steps();

  const uint32_t vocabulary = model_.text.output().rows;
  std::vector<std::pair<const PreparedImage*, CrossKv>> images;
  for (const PreparedImage& image : prompt.images) {
    const VisionConfig& config = *model_.config.vision;
    const size_t pixels = static_cast<size_t>(config.image_size) * static_cast<size_t>(config.image_size);
    for (uint32_t tile = 0; tile < static_cast<uint32_t>(config.max_num_tiles); ++tile)
      for (size_t c = 0; c < 3; ++c)
        for (size_t i = 0; i < pixels; ++i)
          result.pixel_values.push_back(
              tile < image.num_tiles ? (image.tiles[(tile * pixels + i) * 3 + c] / 255.0f - config.image_mean[c]) / config.image_std[c]
                                     : 0.0f);
    images.emplace_back(&image, encode(image, {}, &result));
  }
  auto kv_of = [&](const PreparedImage* image) -> const CrossKv* {
    for (const auto& [known, kv] : images)
      if (known == image) return &kv;
    return nullptr;
  };
  const Finally idle([&] {
    recorder_.abandon();
    forget_recorded_steps();
  });  // the device must not use, nor the recorded step keep, the pictures that end here

  const CrossKv* image = nullptr;
  for (const Segment& segment : segments(prompt, 0)) {
    image = kv_of(segment.image);
    prefill(prompt, segment, image, {}, static_cast<uint32_t>(wanted.size()), [&](const Tensor& hidden) {
      for (uint32_t row = 0; row < hidden.rows; row += trace_logit_rows) {
        Arena::Scope scope(arena_);
        const uint32_t rows = std::min(trace_logit_rows, hidden.rows - row);
        const Tensor logits = arena_.tensor(rows, vocabulary);
        output_logits(graph_, model_, hidden.view(row, rows), logits);
        read_back(logits, result.logits);
      }
    });
  }
  std::vector<float> last(result.logits.end() - vocabulary, result.logits.end());
  for (uint32_t i = 0; i < continue_for; ++i) {
    const uint32_t token = static_cast<uint32_t>(std::max_element(last.begin(), last.end()) - last.begin());
    result.greedy_tokens.push_back(token);
    result.greedy_logits.insert(result.greedy_logits.end(), last.begin(), last.end());
    if (i + 1 == continue_for) break;
    const uint32_t position = static_cast<uint32_t>(wanted.size()) + i;
    open_window(position, 1, image);
    write_next({&token, 1}, position);
    recorder_.flush();
    start_step(image, {});
    finish_step();
    last = last_logits();
  }
  return result;
}

}  // namespace loupe
