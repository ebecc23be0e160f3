#version 450
// logits[token] in place: divided by the penalty where above 0, else multiplied by it; for the tokens that the inputs list, each once.
// logits [n] float32; a thread a token of the list, dispatched for the longest list.
layout(local_size_x = 256) in;
layout(std430, binding = 0) buffer Logits { float logits[]; };
layout(std430, binding = 1) readonly buffer Inputs {
  float penalty, inverse_penalty, scale;
  uint top_k, top_p, farthest, uniform_draw;
  uint penalised_count;
  uint penalised[];
};
layout(push_constant) uniform Push { uint offset; };

void main() {
  const uint i = gl_GlobalInvocationID.x;
  if (i >= penalised_count) return;
  const uint at = offset + penalised[i];
  const float v = logits[at];
  // A product is rounded correctly everywhere, a quotient is not.
  logits[at] = v * (v > 0.0 ? inverse_penalty : penalty);
}
