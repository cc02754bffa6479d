// 16 pixels a vector: AVX-512 F.
// Included by simd.h, which says what the members mean.
#pragma once

#include <immintrin.h>

namespace ls {

using Vec = __m512;

LS_LANE Vec root(Vec x) { return _mm512_sqrt_ps(x); }
// 14 bits, doubled by one Newton step.
LS_LANE Vec inverse_root(Vec x) {
  Vec estimate = _mm512_rsqrt14_ps(x);
  return estimate * (1.5f - (0.5f * x * estimate) * estimate);
}
LS_LANE Vec reciprocal(Vec x) {
  Vec estimate = _mm512_rcp14_ps(x);
  return estimate * (2.0f - x * estimate);
}
LS_LANE Vec rough_reciprocal(Vec x) { return _mm512_rcp14_ps(x); }
LS_LANE Vec endless(Vec) { return Vec{} + INFINITY; }
LS_LANE Vec lesser(Vec a, Vec b) { return _mm512_min_ps(a, b); }
LS_LANE Vec greater(Vec a, Vec b) { return _mm512_max_ps(a, b); }
LS_LANE bool any(Vec x) {
  return _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_NEQ_UQ) != 0;
}

// Lane numbers for two-source permutations, as arrays that the compiler computes.
struct alignas(64) Order {
  int lane[16];
};
// x0 y0 z0 x1 ...: output register r, first from x and y, then z into the gaps.
static constexpr Order weave_first(int r) {
  Order order{};
  for (int i = 0; i < 16; ++i) {
    int component = (16 * r + i) % 3, pixel = (16 * r + i) / 3;
    order.lane[i] = component == 0 ? pixel : 16 + pixel;
  }
  return order;
}
static constexpr Order weave_last(int r) {
  Order order{};
  for (int i = 0; i < 16; ++i)
    order.lane[i] = (16 * r + i) % 3 == 2 ? 16 + (16 * r + i) / 3 : i;
  return order;
}
// Component c of 16 triples: first from registers a and b, then c into the gaps.
static constexpr Order unweave_first(int c) {
  Order order{};
  for (int i = 0; i < 16; ++i) order.lane[i] = 3 * i + c < 32 ? 3 * i + c : 0;
  return order;
}
static constexpr Order unweave_last(int c) {
  Order order{};
  for (int i = 0; i < 16; ++i) order.lane[i] = 3 * i + c < 32 ? i : 3 * i + c - 16;
  return order;
}
constexpr Order weave_orders[2][3] = {{weave_first(0), weave_first(1), weave_first(2)},
                                      {weave_last(0), weave_last(1), weave_last(2)}};
constexpr Order unweave_orders[2][3] = {{unweave_first(0), unweave_first(1), unweave_first(2)},
                                        {unweave_last(0), unweave_last(1), unweave_last(2)}};

LS_LANE Vec permuted(Vec a, Vec b, const Order& order) {
  return _mm512_permutex2var_ps(a, _mm512_load_si512(order.lane), b);
}

template <>
struct Lanes<Vec> {
  static constexpr int width = 16;
  LS_LANE Vec load(const uint8_t* at) {
    return _mm512_cvtepi32_ps(
        _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at))));
  }
  LS_LANE Vec load(const uint16_t* at) {
    return _mm512_cvtepi32_ps(
        _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at))));
  }
  LS_LANE Vec load(const float* at) { return _mm512_loadu_ps(at); }
  LS_LANE void store(float* at, Vec x) { _mm512_storeu_ps(at, x); }
  LS_LANE void store(uint16_t* at, Vec x) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(at),
                        _mm512_cvtepi32_epi16(_mm512_cvttps_epi32(x)));
  }
  LS_LANE void store(uint8_t* at, Vec x) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(at),
                     _mm512_cvtepi32_epi8(_mm512_cvttps_epi32(x)));
  }
  LS_LANE void stream(float* at, Vec x) { _mm512_stream_ps(at, x); }
  LS_LANE void weave(Vec& x, Vec& y, Vec& z) {
    Vec out[3];
    for (int r = 0; r < 3; ++r)
      out[r] = permuted(permuted(x, y, weave_orders[0][r]), z, weave_orders[1][r]);
    x = out[0], y = out[1], z = out[2];
  }
  LS_LANE void unweave(Vec& x, Vec& y, Vec& z) {
    Vec out[3];
    for (int c = 0; c < 3; ++c)
      out[c] = permuted(permuted(x, y, unweave_orders[0][c]), z, unweave_orders[1][c]);
    x = out[0], y = out[1], z = out[2];
  }
  LS_LANE void fence() { _mm_sfence(); }
};

}  // namespace ls
