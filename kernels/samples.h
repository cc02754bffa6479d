// What the CPU entry points share: how a block of pixels reads its samples and its mask.
#pragma once

#include "simd.h"

#include "least_squares.cuh"

namespace {

template <class F, class T, int samples>
struct LaneSamples {
  const T* __restrict__ pixel;
  int64_t plane;

  LS_METHOD void load(int k, F (&raw)[samples]) const {
    const T* at = pixel + k * plane;
    if constexpr (samples == 1)
      raw[0] = ls::Lanes<F>::load(at);
    else
      ls::load3(at, raw[0], raw[1], raw[2]);
    if constexpr (T(0.5f) != T(0))  // only floats can be that large
      for (int c = 0; c < samples; ++c) raw[c] = ls::missing_if_absurd(raw[c]);
  }
};

template <class F>
LS_FN F mask_value(const uint8_t* mask, int64_t p) {
  F one = ls::splat<F>(1.0f);
  return mask ? ls::select(ls::Lanes<F>::load(mask + p) > F{}, one, F{}) : one;
}

}  // namespace
