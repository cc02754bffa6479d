// 8 pixels a vector: AVX2 with FMA.
// Included by simd.h, which says what the members mean.
#pragma once

#include <immintrin.h>

namespace ls {

using Vec = __m256;

LS_LANE Vec root(Vec x) { return _mm256_sqrt_ps(x); }
// 11 bits, doubled by one Newton step.
LS_LANE Vec inverse_root(Vec x) {
  Vec estimate = _mm256_rsqrt_ps(x);
  return estimate * (1.5f - (0.5f * x * estimate) * estimate);
}
LS_LANE Vec reciprocal(Vec x) {
  Vec estimate = _mm256_rcp_ps(x);
  return estimate * (2.0f - x * estimate);
}
LS_LANE Vec lesser(Vec a, Vec b) { return _mm256_min_ps(a, b); }
LS_LANE Vec greater(Vec a, Vec b) { return _mm256_max_ps(a, b); }
LS_LANE Vec rough_reciprocal(Vec x) { return reciprocal(x); }
LS_LANE Vec endless(Vec) { return Vec{} + 3e38f; }  // Newton's step cannot take infinity
LS_LANE bool any(Vec x) {
  return _mm256_movemask_ps(_mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_NEQ_UQ)) != 0;
}

template <>
struct Lanes<Vec> {
  static constexpr int width = 8;
  LS_LANE Vec load(const uint8_t* at) {
    return _mm256_cvtepi32_ps(
        _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(at))));
  }
  LS_LANE Vec load(const uint16_t* at) {
    return _mm256_cvtepi32_ps(
        _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at))));
  }
  LS_LANE Vec load(const float* at) { return _mm256_loadu_ps(at); }
  LS_LANE __m128i shorts(Vec x) {
    __m256i whole = _mm256_cvttps_epi32(x);
    return _mm_packus_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
  }
  LS_LANE void store(float* at, Vec x) { _mm256_storeu_ps(at, x); }
  LS_LANE void store(uint16_t* at, Vec x) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(at), shorts(x));
  }
  LS_LANE void store(uint8_t* at, Vec x) {
    __m128i pairs = shorts(x);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(at), _mm_packus_epi16(pairs, pairs));
  }
  LS_LANE void stream(float* at, Vec x) { _mm256_stream_ps(at, x); }
  LS_LANE void weave(Vec& x, Vec& y, Vec& z) {
    Vec xy = _mm256_shuffle_ps(x, y, _MM_SHUFFLE(2, 0, 2, 0));
    Vec yz = _mm256_shuffle_ps(y, z, _MM_SHUFFLE(3, 1, 3, 1));
    Vec zx = _mm256_shuffle_ps(z, x, _MM_SHUFFLE(3, 1, 2, 0));
    Vec a = _mm256_shuffle_ps(xy, zx, _MM_SHUFFLE(2, 0, 2, 0));
    Vec b = _mm256_shuffle_ps(yz, xy, _MM_SHUFFLE(3, 1, 2, 0));
    Vec c = _mm256_shuffle_ps(zx, yz, _MM_SHUFFLE(3, 1, 3, 1));
    x = _mm256_permute2f128_ps(a, b, 0x20);
    y = _mm256_permute2f128_ps(c, a, 0x30);
    z = _mm256_permute2f128_ps(b, c, 0x31);
  }
  LS_LANE void unweave(Vec& x, Vec& y, Vec& z) {
    Vec a = _mm256_permute2f128_ps(x, y, 0x30);
    Vec b = _mm256_permute2f128_ps(x, z, 0x21);
    Vec c = _mm256_permute2f128_ps(y, z, 0x30);
    Vec tail = _mm256_shuffle_ps(b, c, _MM_SHUFFLE(1, 1, 2, 2));
    Vec left = _mm256_shuffle_ps(a, b, _MM_SHUFFLE(0, 0, 1, 1));
    Vec right = _mm256_shuffle_ps(b, c, _MM_SHUFFLE(2, 2, 3, 3));
    Vec middle = _mm256_shuffle_ps(a, b, _MM_SHUFFLE(1, 1, 2, 2));
    x = _mm256_shuffle_ps(a, tail, _MM_SHUFFLE(2, 0, 3, 0));
    y = _mm256_shuffle_ps(left, right, _MM_SHUFFLE(2, 0, 2, 0));
    z = _mm256_shuffle_ps(middle, c, _MM_SHUFFLE(3, 0, 2, 0));
  }
  LS_LANE void fence() { _mm_sfence(); }
};

}  // namespace ls
