// The end of a matrix-vector kernel: sums of ROWS x COLUMNS over the workgroup, then the epilogue.
// Needs the declarations of matvec.comp. Every invocation calls it.
//
// EPILOGUE_ADD_NORM: the workgroup that is the last of `workgroups` to be done, those of other blocks counted, also leaves
// normed = y / sqrt(mean(y^2) + eps) * norm_weight, row by row. `arrivals` is 0 before and after.

shared float partial[64 * ROWS * COLUMNS];

float sum[ROWS * COLUMNS];  // of this invocation; sum[r * COLUMNS + c]

shared uint arrived;

void norm_if_last() {
  const uint thread = gl_LocalInvocationID.x, threads = gl_WorkGroupSize.x;
  memoryBarrierBuffer();  // outputs before the count
  barrier();
  if (thread == 0) arrived = atomicAdd(arrivals[0], 1u) + 1u;
  barrier();
  if (arrived != workgroups) return;
  memoryBarrierBuffer();
  if (thread == 0) arrivals[0] = 0u;
  // Sixteen loads of a thread are what a row of 4,096 has for 64 threads, which then need it once, and can ask for the weights with it.
  const uint quads = y_stride / 4;
  const bool together = AT_ONCE == 16;
  const bool once = quads <= AT_ONCE * threads;
  for (uint c = 0; c < COLUMNS; ++c) {
    const uint from = y_offset / 4 + c * quads, to = normed_offset4 + c * quads;
    vec4 v[AT_ONCE], w[AT_ONCE];
    float squares = 0.0;
    for (uint i = thread; i < quads; i += AT_ONCE * threads) {
      [[unroll]] for (uint u = 0; u < AT_ONCE; ++u)
        v[u] = y[from + min(i + u * threads, quads - 1)];
      if (together) [[unroll]]
        for (uint u = 0; u < AT_ONCE; ++u) w[u] = norm_weight[min(i + u * threads, quads - 1)];
      [[unroll]] for (uint u = 0; u < AT_ONCE; ++u)
        squares += i + u * threads < quads ? dot(v[u], v[u]) : 0.0;
    }
    const float all = subgroupAdd(squares);
    barrier();  // the sums of the product, or of the column before, may still be read
    if (subgroupElect()) partial[gl_SubgroupID] = all;
    barrier();
    squares = 0.0;
    for (uint s = 0; s < gl_NumSubgroups; ++s) squares += partial[s];
    const float factor = 1.0 / sqrt(squares / float(y_stride) + eps);
    for (uint i = thread; i < quads; i += AT_ONCE * threads) {
      if (!once) [[unroll]]
        for (uint u = 0; u < AT_ONCE; ++u) v[u] = y[from + min(i + u * threads, quads - 1)];
      if (!once || !together) [[unroll]]
        for (uint u = 0; u < AT_ONCE; ++u) w[u] = norm_weight[min(i + u * threads, quads - 1)];
      [[unroll]] for (uint u = 0; u < AT_ONCE; ++u)
        if (i + u * threads < quads) normed[to + i + u * threads] = v[u] * factor * w[u];
    }
  }
}

void write_outputs(uint row) {
  const uint thread = gl_LocalInvocationID.x, threads = gl_WorkGroupSize.x;
  for (uint i = 0; i < ROWS * COLUMNS; ++i) {
    const float total = subgroupAdd(sum[i]);
    if (subgroupElect()) partial[gl_SubgroupID * (ROWS * COLUMNS) + i] = total;
  }
  barrier();
  const bool pairs = EPILOGUE == EPILOGUE_SILU_MUL;
  const uint outputs = pairs ? ROWS / 2 : ROWS;
  for (uint i = thread; i < outputs * COLUMNS; i += threads) {
    const uint r = pairs ? i / COLUMNS * 2 : i / COLUMNS, c = i % COLUMNS;
    if (row + r >= n) continue;
    float v = 0.0, v2 = 0.0;
    for (uint s = 0; s < gl_NumSubgroups; ++s) v += partial[s * (ROWS * COLUMNS) + r * COLUMNS + c];
    if (pairs)
      for (uint s = 0; s < gl_NumSubgroups; ++s) v2 += partial[s * (ROWS * COLUMNS) + (r + 1) * COLUMNS + c];
    const uint column = first_row + row + r;
    if (has_bias != 0) {
      v += bias[column];
      if (pairs) v2 += bias[column + 1];
    }
    const uint at = y_offset + c * y_stride + (pairs ? column / 2 : column);
    if (EPILOGUE == EPILOGUE_GELU)
      y[at / 4][at % 4] = gelu(v);
    else if (EPILOGUE == EPILOGUE_SILU_MUL)
      y[at / 4][at % 4] = silu(v) * v2;
    else if (EPILOGUE == EPILOGUE_ADD || EPILOGUE == EPILOGUE_ADD_NORM)
      y[at / 4][at % 4] += scale * v;
    else
      y[at / 4][at % 4] = v;
  }
  if (EPILOGUE == EPILOGUE_ADD_NORM) norm_if_last();
}
