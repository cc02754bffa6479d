// The value types of the CPU build. Vec is the widest vector of the compiler's target; where there
// is none, float stands for it. Arithmetic and comparisons are the operators of GCC and Clang;
// Lanes<F> moves pixels between memory and F.
#pragma once

#include <math.h>
#include <stdint.h>
#include <string.h>

#define LS_LANE static inline __attribute__((always_inline))

namespace ls {

// Members of every specialisation:
//   width                  pixels in F
//   load(at), store(at, x) consecutive samples; a store of integers truncates
//   stream(at, x)          past the caches; `at` is aligned to the size of F
//   weave, unweave         x x.. y y.. z z.. to x y z x y z.. and back, over three F
//   fence()                orders what was streamed before what follows
template <class F>
struct Lanes;

template <>
struct Lanes<float> {
  static constexpr int width = 1;
  template <class T>
  LS_LANE float load(const T* at) {
    return static_cast<float>(*at);
  }
  template <class T>
  LS_LANE void store(T* at, float x) {
    *at = static_cast<T>(x);
  }
  LS_LANE void stream(float* at, float x) { *at = x; }
  LS_LANE void weave(float&, float&, float&) {}
  LS_LANE void unweave(float&, float&, float&) {}
  LS_LANE void fence() {}
};

}  // namespace ls

#if defined(__AVX512F__)
#include "simd_avx512.h"
#elif defined(__AVX2__) && defined(__FMA__)
#include "simd_avx2.h"
#elif defined(__SSE2__)
#include "simd_sse2.h"
#elif defined(__aarch64__)
#include "simd_neon.h"
#else
namespace ls {
using Vec = float;
}
#endif

namespace ls {

template <class F, class T>
LS_LANE void load3(const T* at, F& x, F& y, F& z) {
  constexpr int width = Lanes<F>::width;
  x = Lanes<F>::load(at), y = Lanes<F>::load(at + width), z = Lanes<F>::load(at + 2 * width);
  Lanes<F>::unweave(x, y, z);
}

template <bool streaming, class F>
LS_LANE void store_floats(float* at, F x) {
  if constexpr (streaming)
    Lanes<F>::stream(at, x);
  else
    Lanes<F>::store(at, x);
}

template <bool streaming, class F>
LS_LANE void store3_floats(float* at, F x, F y, F z) {
  constexpr int width = Lanes<F>::width;
  Lanes<F>::weave(x, y, z);
  store_floats<streaming>(at, x);
  store_floats<streaming>(at + width, y);
  store_floats<streaming>(at + 2 * width, z);
}

}  // namespace ls
