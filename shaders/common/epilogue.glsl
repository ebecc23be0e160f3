// What happens to a matrix product before it is stored; ops.h, Epilogue::Kind.

const uint EPILOGUE_NONE = 0, EPILOGUE_GELU = 1, EPILOGUE_SILU_MUL = 2, EPILOGUE_ADD = 3;
const uint EPILOGUE_ADD_NORM = 4;  // of matrix-vector kernels only; ops.h, add_norm

// erfc(z) for z >= 0 as t exp(P(u) - z^2), t = 1 / (1 + z / 2): P interpolates log(erfc(z) / t) + z^2 at the ten
// Chebyshev nodes of 1/6 <= t <= 1 (z <= 10), which u maps to [-1, 1]. Relative error below 6e-8 in exact arithmetic.
float erfc_positive(float z) {
  const float t = 1.0 / (1.0 + 0.5 * z), u = 2.4 * t - 1.4;
  const float p =
      -0.558595401 +
      u * (0.570307144 +
           u * (0.0157473877 +
                u * (-0.029470884 +
                     u * (-0.00106381156 +
                          u * (0.00370945598 + u * (-0.000225322784 + u * (-0.000536968178 + u * (7.24096891e-5 + u * 5.60396815e-5))))))));
  return t * exp(p - z * z);
}

// x * Phi(x), as torch.nn.GELU() without approximation. Written with erfc so that the tail of negative x keeps its digits.
float gelu(float x) { return max(x, 0.0) - 0.5 * abs(x) * erfc_positive(abs(x) * 0.70710678118654752); }

float silu(float x) { return x / (1.0 + exp(-x)); }
