// CPU entry points of near.cuh: row by row, a block of pixels a step, the tail pixel by pixel.
// mvps_near_<u8|u16|f32>_<LS_VARIANT>; arguments as in near.cu, table, sight and limits by address.
#include "simd.h"

#include "powers.h"

#include "near.cuh"
#include "samples.h"
#include "variant.h"

namespace {

using ls::Lanes;
using ls::Vec;

// What one call reads and writes; what comes after `valid` may be missing.
struct Request {
  int64_t plane;
  int lights;
  const NearTable& table;
  const NearSight& sight;
  const float* lobes;
  const ls::NearLimits& limits;
  float floor2;
  int64_t pixels;
  const float* lateral;  // a of every pixel, then b of every pixel; null: affine in the pixel
  const float* depth;    // beyond the reference depth; null: the assumed plane
  const uint8_t* mask;
  float* normals;
  float* albedo;
  uint8_t* valid;
  float* residual;
  uint8_t* used;
  uint8_t* fallback;
  float* condition;  // this and what follows together
  float* deviation;
  uint8_t* saturated;
  uint8_t* shadowed;
  const QualityModel* model;
};

alignas(64) constexpr float steps[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

template <class F>
LS_FN void look(const Request& wanted, int64_t p, float x, float y, F& a, F& b) {
  if (wanted.lateral != nullptr) {
    a = Lanes<F>::load(wanted.lateral + p);
    b = Lanes<F>::load(wanted.lateral + wanted.pixels + p);
    return;
  }
  const float* m = wanted.sight.affine;
  F across = Lanes<F>::load(steps) + x;
  a = across * m[0] + (m[1] * y + m[2]);
  b = across * m[3] + (m[4] * y + m[5]);
}

template <class F, class T>
LS_FN void solve_at(const T* img, const Request& wanted, int64_t p, float x, float y) {
  F a, b, inside = mask_value<F>(wanted.mask, p);
  look(wanted, p, x, y, a, b);
  F t = wanted.depth ? Lanes<F>::load(wanted.depth + p) : ls::plane_depth(wanted.sight, a, b);
  ls::Lamps<F> lamps{wanted.table, wanted.lobes, ls::point_of(wanted.sight, a, b, t, inside)};
  LaneSamples<F, T, 1> source{img + p, wanted.plane};
  ls::Quality<F> quality;
  const ls::NearWish<F> wish{wanted.residual != nullptr, wanted.model, &quality};
  ls::NearPixel<F> solved = ls::solved_near(source, lamps, wanted.lights, wanted.limits,
                                            wanted.floor2, inside, wish);
  const ls::Pixel<F>& pixel = solved.pixel;
  ls::store3_floats<false>(wanted.normals + 3 * p, pixel.normal.x, pixel.normal.y,
                           pixel.normal.z);
  Lanes<F>::store(wanted.albedo + p, pixel.albedo[0]);
  Lanes<F>::store(wanted.valid + p, pixel.valid);
  if (wanted.residual) Lanes<F>::store(wanted.residual + p, pixel.residual);
  if (wanted.used) Lanes<F>::store(wanted.used + p, pixel.used);
  if (wanted.fallback) Lanes<F>::store(wanted.fallback + p, solved.fallback);
  if (wanted.model == nullptr) return;
  Lanes<F>::store(wanted.condition + p, quality.condition);
  Lanes<F>::store(wanted.deviation + p, quality.deviation);
  Lanes<F>::store(wanted.saturated + p, quality.saturated);
  Lanes<F>::store(wanted.shadowed + p, quality.shadowed);
}

template <class T>
LS_FN void solve_rows(const T* img, const Request& wanted, int64_t width, int64_t y0) {
  for (int64_t row = 0; row * width < wanted.pixels; ++row) {
    int64_t p = row * width, x = 0;
    float y = static_cast<float>(y0 + row);
    for (; x + Lanes<Vec>::width <= width; x += Lanes<Vec>::width)
      solve_at<Vec>(img, wanted, p + x, static_cast<float>(x), y);
    for (; x < width; ++x) solve_at<float>(img, wanted, p + x, static_cast<float>(x), y);
  }
}

}  // namespace

#define NEAR_ENTRY(T, name)                                                                     \
  LS_EXPORT void LS_NAMED(name)(                                                                \
      const T* img, int64_t plane, int64_t n, int K, const NearTable* table,                    \
      const NearSight* sight, const float* lobes, const ls::NearLimits* limits, float floor2,   \
      int64_t width, int64_t y0, const float* lateral, const float* depth, const uint8_t* mask, \
      float* normals, float* albedo, uint8_t* valid, float* residual, uint8_t* used,            \
      uint8_t* fallback, float* condition, float* deviation, uint8_t* saturated,                \
      uint8_t* shadowed, const QualityModel* model) {                                           \
    const Request wanted{plane,    K,         *table,    *sight,    lobes,   *limits, floor2,   \
                         n,        lateral,   depth,     mask,      normals, albedo,  valid,    \
                         residual, used,      fallback,  condition, deviation, saturated,       \
                         shadowed, model};                                                      \
    solve_rows(img, wanted, width, y0);                                                         \
  }

NEAR_ENTRY(uint8_t, mvps_near_u8)
NEAR_ENTRY(uint16_t, mvps_near_u16)
NEAR_ENTRY(float, mvps_near_f32)
