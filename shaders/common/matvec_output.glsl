// The end of a matrix-vector kernel: sums of ROWS x COLUMNS over the workgroup, then the epilogue.
// Needs the declarations of matvec.comp. Every invocation calls it.

shared float partial[64 * ROWS * COLUMNS];

float sum[ROWS * COLUMNS];  // of this invocation; sum[r * COLUMNS + c]

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
      y[at] = gelu(v);
    else if (EPILOGUE == EPILOGUE_SILU_MUL)
      y[at] = silu(v) * v2;
    else if (EPILOGUE == EPILOGUE_ADD)
      y[at] += scale * v;
    else
      y[at] = v;
  }
}
