// x^y of CPU lanes, for cosines and their exponents: 2^(y log2 x) by polynomials, right to 1e-6 for
// y up to 10. Bits are reinterpreted as GCC's and Clang's vectors are.
#pragma once

#include "simd.h"

#include "least_squares.cuh"

namespace ls {

template <class F>
struct Bits;

template <>
struct Bits<float> {
  typedef int32_t Int;
  LS_LANE Int of(float x) {
    Int bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
  }
  LS_LANE float back(Int bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
  }
  LS_LANE float value(Int x) { return static_cast<float>(x); }
};

#if defined(__SSE2__) || defined(__aarch64__)  // where simd.h has a vector
typedef int32_t IntVec __attribute__((vector_size(sizeof(Vec))));
typedef float RealVec __attribute__((vector_size(sizeof(Vec))));

template <>
struct Bits<Vec> {
  typedef IntVec Int;
  LS_LANE Int of(Vec x) { return (Int)x; }
  LS_LANE Vec back(Int x) { return (Vec)x; }
  LS_LANE Vec value(Int x) { return (Vec)__builtin_convertvector(x, RealVec); }
};
#endif

// Of a normal positive number: exponent, and the series of artanh around 1 for what is left.
template <class F>
LS_FN F log2_of(F x) {
  using B = Bits<F>;
  typename B::Int bits = B::of(x), exponent = (bits - 0x3f3504f3) >> 23;  // from sqrt(1/2) on
  F m = B::back(bits - exponent * (1 << 23));
  F t = (m - 1.0f) * reciprocal(m + 1.0f), t2 = t * t;
  F series = ((((t2 * (1.0f / 9) + 1.0f / 7) * t2 + 1.0f / 5) * t2 + 1.0f / 3) * t2 + 1.0f) * t;
  return B::value(exponent) + series * 2.8853900817779268f;  // 2 / ln 2
}

// From -126 to 127: whole powers by the exponent, the rest by the series of exp.
template <class F>
LS_FN F exp2_of(F y) {
  using B = Bits<F>;
  constexpr float shift = 12582912.0f;  // 1.5 * 2^23: adding it rounds to whole numbers
  F shifted = y + shift;
  F x = (y - (shifted - shift)) * 0.6931471805599453f;
  F rest = ((((x * (1.0f / 720) + 1.0f / 120) * x + 1.0f / 24) * x + 1.0f / 6) * x + 0.5f) * x;
  typename B::Int scale = (B::of(shifted) - 0x4b400000 + 127) * (1 << 23);
  return ((rest + 1.0f) * x + 1.0f) * B::back(scale);
}

template <class F>
LS_FN F power(F x, float y) {
  F exponent = log2_of(x) * y, least = splat<F>(-126.0f);
  return exp2_of(select(exponent > least, exponent, least));
}

}  // namespace ls
