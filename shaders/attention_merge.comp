#version 450
// out = sum_s exp(m_s - m) part_s / sum_s exp(m_s - m) l_s,  m = max m_s: joins the parts of attention_decode.comp.
// parts [rows, heads, splits, head_dim], stats [rows, heads, splits, (m, l)], out [rows, heads * head_dim] float32.
// Dispatch: (heads, rows); threads over head_dim. Parts with l = 0 are never read: they were never written.

layout(local_size_x = 64) in;
layout(std430, binding = 0) readonly buffer Parts { float parts[]; };
layout(std430, binding = 1) readonly buffer Stats { float stats[]; };
layout(std430, binding = 2) writeonly buffer Out { float result[]; };
layout(push_constant) uniform Push {
  uint splits;
  uint head_dim;
  uint offset;
};

void main() {
  const uint head = gl_WorkGroupID.x, row = gl_WorkGroupID.y, heads = gl_NumWorkGroups.x;
  const uint part = (row * heads + head) * splits;
  float highest = -1e30, total = 0.0;
  for (uint s = 0; s < splits; ++s) highest = max(highest, stats[(part + s) * 2]);
  for (uint s = 0; s < splits; ++s) total += exp(stats[(part + s) * 2] - highest) * stats[(part + s) * 2 + 1];
  for (uint d = gl_LocalInvocationID.x; d < head_dim; d += 64) {
    float sum = 0.0;
    for (uint s = 0; s < splits; ++s)
      if (stats[(part + s) * 2 + 1] > 0.0) sum += exp(stats[(part + s) * 2] - highest) * parts[(part + s) * head_dim + d];
    result[offset + (row * heads + head) * head_dim + d] = sum / total;
  }
}
