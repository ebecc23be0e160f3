// What happens to a matrix product before it is stored; ops.h, Epilogue::Kind.

const uint EPILOGUE_NONE = 0, EPILOGUE_GELU = 1, EPILOGUE_SILU_MUL = 2, EPILOGUE_ADD = 3;

// erf by its Chebyshev fit for erfc (W. J. Cody's form, relative error below 1.2e-7).
float erf_exact(float x) {
  const float z = abs(x);
  const float t = 1.0 / (1.0 + 0.5 * z);
  const float p = -1.26551223 + t * (1.00002368 + t * (0.37409196 + t * (0.09678418 + t * (-0.18628806 +
                  t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277))))))));
  const float r = 1.0 - t * exp(-z * z + p);
  return x < 0.0 ? -r : r;
}

// x * Phi(x), as torch.nn.GELU() without approximation.
float gelu(float x) { return 0.5 * x * (1.0 + erf_exact(x * 0.70710678118654752)); }

float silu(float x) { return x / (1.0 + exp(-x)); }
