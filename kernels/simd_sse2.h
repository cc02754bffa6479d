// 4 pixels a vector: SSE2, which every x86-64 has.
// Included by simd.h, which says what the members mean.
#pragma once

#include <emmintrin.h>

namespace ls {

using Vec = __m128;

LS_LANE Vec root(Vec x) { return _mm_sqrt_ps(x); }
// 11 bits, doubled by one Newton step.
LS_LANE Vec inverse_root(Vec x) {
  Vec estimate = _mm_rsqrt_ps(x);
  return estimate * (1.5f - (0.5f * x * estimate) * estimate);
}
LS_LANE Vec reciprocal(Vec x) {
  Vec estimate = _mm_rcp_ps(x);
  return estimate * (2.0f - x * estimate);
}
LS_LANE Vec lesser(Vec a, Vec b) { return _mm_min_ps(a, b); }
LS_LANE Vec greater(Vec a, Vec b) { return _mm_max_ps(a, b); }
LS_LANE Vec rough_reciprocal(Vec x) { return reciprocal(x); }
LS_LANE Vec endless(Vec) { return Vec{} + 3e38f; }  // Newton's step cannot take infinity
LS_LANE bool any(Vec x) { return _mm_movemask_ps(_mm_cmpneq_ps(x, _mm_setzero_ps())) != 0; }

template <>
struct Lanes<Vec> {
  static constexpr int width = 4;
  LS_LANE Vec load(const uint8_t* at) {
    int four;
    memcpy(&four, at, sizeof four);
    __m128i pairs = _mm_unpacklo_epi8(_mm_cvtsi32_si128(four), _mm_setzero_si128());
    return _mm_cvtepi32_ps(_mm_unpacklo_epi16(pairs, _mm_setzero_si128()));
  }
  LS_LANE Vec load(const uint16_t* at) {
    __m128i pairs = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(at));
    return _mm_cvtepi32_ps(_mm_unpacklo_epi16(pairs, _mm_setzero_si128()));
  }
  LS_LANE Vec load(const float* at) { return _mm_loadu_ps(at); }
  // SSE2 packs to signed shorts only: shifted by half the range there and back.
  LS_LANE __m128i shorts(Vec x) {
    __m128i whole = _mm_sub_epi32(_mm_cvttps_epi32(x), _mm_set1_epi32(0x8000));
    return _mm_xor_si128(_mm_packs_epi32(whole, whole),
                         _mm_set1_epi16(static_cast<short>(0x8000)));
  }
  LS_LANE void store(float* at, Vec x) { _mm_storeu_ps(at, x); }
  LS_LANE void store(uint16_t* at, Vec x) {
    _mm_storel_epi64(reinterpret_cast<__m128i*>(at), shorts(x));
  }
  LS_LANE void store(uint8_t* at, Vec x) {
    __m128i pairs = shorts(x);
    int four = _mm_cvtsi128_si32(_mm_packus_epi16(pairs, pairs));
    memcpy(at, &four, sizeof four);
  }
  LS_LANE void stream(float* at, Vec x) { _mm_stream_ps(at, x); }
  LS_LANE void weave(Vec& x, Vec& y, Vec& z) {
    Vec xy = _mm_shuffle_ps(x, y, _MM_SHUFFLE(2, 0, 2, 0));
    Vec yz = _mm_shuffle_ps(y, z, _MM_SHUFFLE(3, 1, 3, 1));
    Vec zx = _mm_shuffle_ps(z, x, _MM_SHUFFLE(3, 1, 2, 0));
    x = _mm_shuffle_ps(xy, zx, _MM_SHUFFLE(2, 0, 2, 0));
    y = _mm_shuffle_ps(yz, xy, _MM_SHUFFLE(3, 1, 2, 0));
    z = _mm_shuffle_ps(zx, yz, _MM_SHUFFLE(3, 1, 3, 1));
  }
  LS_LANE void unweave(Vec& x, Vec& y, Vec& z) {
    Vec tail = _mm_shuffle_ps(y, z, _MM_SHUFFLE(1, 1, 2, 2));
    Vec left = _mm_shuffle_ps(x, y, _MM_SHUFFLE(0, 0, 1, 1));
    Vec right = _mm_shuffle_ps(y, z, _MM_SHUFFLE(2, 2, 3, 3));
    Vec middle = _mm_shuffle_ps(x, y, _MM_SHUFFLE(1, 1, 2, 2));
    x = _mm_shuffle_ps(x, tail, _MM_SHUFFLE(2, 0, 3, 0));
    y = _mm_shuffle_ps(left, right, _MM_SHUFFLE(2, 0, 2, 0));
    z = _mm_shuffle_ps(middle, z, _MM_SHUFFLE(3, 0, 2, 0));
  }
  LS_LANE void fence() { _mm_sfence(); }
};

}  // namespace ls
