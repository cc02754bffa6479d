// Unit normals to integers: trunc(n * sign * max/2 + (max/2 + 1/2)), 0 0 0 where invalid.
// mvps_quantise_<u8|u16>_<LS_VARIANT>. Built without fused multiply-add: product and sum round one
// after the other, as in NumPy, so every machine writes the same bytes.
#include "simd.h"
#include "variant.h"

namespace {

using ls::Lanes;
using ls::Vec;

// Three vectors from pixel p on; whole vectors while they fit into n. Returns the first pixel left.
template <class F, class T>
LS_LANE int64_t quantise_from(int64_t p, const float* normals, const uint8_t* valid, int64_t n,
                              const float (&signs)[3], T* out) {
  constexpr int width = Lanes<F>::width;
  constexpr float half = static_cast<T>(-1) * 0.5f;
  const F zero{}, top = zero + 2 * half, offset = zero + (half + 0.5f);
  F scale[3] = {zero + signs[0] * half, zero + signs[1] * half, zero + signs[2] * half};
  Lanes<F>::weave(scale[0], scale[1], scale[2]);
  for (; p + width <= n; p += width) {
    F kept = Lanes<F>::load(valid + p);
    F keep[3] = {kept, kept, kept};
    Lanes<F>::weave(keep[0], keep[1], keep[2]);
    for (int i = 0; i < 3; ++i) {
      int64_t at = 3 * p + i * width;
      F level = Lanes<F>::load(normals + at) * scale[i] + offset;
      level = level > zero ? level : zero;
      level = level < top ? level : top;
      Lanes<F>::store(out + at, keep[i] > zero ? level : zero);
    }
  }
  return p;
}

template <class T>
LS_LANE void quantise(const float* normals, const uint8_t* valid, int64_t n,
                      const float (&signs)[3], T* out) {
  int64_t p = quantise_from<Vec>(0, normals, valid, n, signs, out);
  quantise_from<float>(p, normals, valid, n, signs, out);
}

}  // namespace

LS_EXPORT void LS_NAMED(mvps_quantise_u8)(const float* normals, const uint8_t* valid, int64_t n,
                                          float sx, float sy, float sz, uint8_t* out) {
  quantise(normals, valid, n, {sx, sy, sz}, out);
}

LS_EXPORT void LS_NAMED(mvps_quantise_u16)(const float* normals, const uint8_t* valid, int64_t n,
                                           float sx, float sy, float sz, uint16_t* out) {
  quantise(normals, valid, n, {sx, sy, sz}, out);
}
