// CPU entry points of least_squares.cuh: a block of pixels a step, the tail pixel by pixel.
// mvps_ls_<u8|u16|f32>_<grey|rgb|channels>[_full]_<LS_VARIANT>; arguments as in least_squares.cu,
// the table by address. `streaming` sends large results past the caches.
#include "simd.h"

#include "least_squares.cuh"
#include "samples.h"
#include "variant.h"

namespace {

using ls::Lanes;
using ls::Vec;

// Where the results of a call go.
struct Results {
  float* __restrict__ normals;
  float* __restrict__ albedo;
  uint8_t* __restrict__ valid;
};

template <LsMode mode, bool streaming, class F>
LS_FN void write(const ls::Pixel<F>& pixel, int64_t p, const Results& to) {
  ls::store3_floats<streaming>(to.normals + 3 * p, pixel.normal.x, pixel.normal.y, pixel.normal.z);
  if constexpr (mode == LS_CHANNELS)
    ls::store3_floats<streaming>(to.albedo + 3 * p, pixel.albedo[0], pixel.albedo[1],
                                 pixel.albedo[2]);
  else
    ls::store_floats<streaming>(to.albedo + p, pixel.albedo[0]);
  Lanes<F>::store(to.valid + p, pixel.valid);
}

// Whole vectors from pixel p on while they fit into n; returns the first pixel left.
template <LsMode mode, bool streaming, class F, class T>
LS_FN int64_t solve_from(int64_t p, const T* img, int64_t plane, int64_t n, int lights,
                         const LsTable& table, float clamp, float floor2, const uint8_t* mask,
                         const Results& to) {
  constexpr int samples = ls::samples_per_light(mode), width = Lanes<F>::width;
  for (; p + width <= n; p += width) {
    LaneSamples<F, T, samples> source{img + p * samples, plane};
    F inside = mask_value<F>(mask, p);
    write<mode, streaming>(ls::solved<mode>(source, table, lights, clamp, floor2, inside), p, to);
  }
  return p;
}

LS_FN bool aligned(const void* address) {
  return reinterpret_cast<uintptr_t>(address) % sizeof(Vec) == 0;
}

template <LsMode mode, class T>
LS_FN void solve(const T* img, int64_t plane, int64_t n, int lights, const LsTable& table,
                 float clamp, float floor2, const uint8_t* mask, const Results& to,
                 bool streaming) {
  int64_t p = 0;
  if (streaming && aligned(to.normals) && aligned(to.albedo)) {
    p = solve_from<mode, true, Vec>(p, img, plane, n, lights, table, clamp, floor2, mask, to);
    Lanes<Vec>::fence();
  } else {
    p = solve_from<mode, false, Vec>(p, img, plane, n, lights, table, clamp, floor2, mask, to);
  }
  solve_from<mode, false, float>(p, img, plane, n, lights, table, clamp, floor2, mask, to);
}

template <LsMode mode, class F, class T>
LS_FN int64_t solve_full_from(int64_t p, const T* img, int64_t plane, int64_t n, int lights,
                              const LsTable& table, float clamp, float floor2,
                              const uint8_t* mask, const Results& to, const float* directions,
                              float low, float high, float* residual, uint8_t* used) {
  constexpr int samples = ls::samples_per_light(mode), width = Lanes<F>::width;
  for (; p + width <= n; p += width) {
    LaneSamples<F, T, samples> source{img + p * samples, plane};
    ls::Pixel<F> pixel =
        ls::solved_full<mode>(source, table, lights, clamp, floor2, mask_value<F>(mask, p),
                              directions, low, high, residual != nullptr);
    write<mode, false>(pixel, p, to);
    if (residual) Lanes<F>::store(residual + p, pixel.residual);
    if (used) Lanes<F>::store(used + p, pixel.used);
  }
  return p;
}

}  // namespace

#define LS_ARGUMENTS(T)                                                                       \
  const T *img, int64_t plane, int64_t n, int K, const LsTable *table, float clamp,           \
      float floor2, const uint8_t *mask, float *normals, float *albedo, uint8_t *valid

#define LS_ENTRIES(T, name, MODE)                                                             \
  LS_EXPORT void LS_NAMED(name)(LS_ARGUMENTS(T), int streaming) {                             \
    solve<MODE>(img, plane, n, K, *table, clamp, floor2, mask, {normals, albedo, valid},      \
                streaming != 0);                                                              \
  }                                                                                           \
  LS_EXPORT void LS_NAMED(name##_full)(LS_ARGUMENTS(T), const float* directions,              \
                                              float low, float high, float* residual,         \
                                              uint8_t* used) {                                \
    const Results to{normals, albedo, valid};                                                 \
    int64_t p = solve_full_from<MODE, Vec>(0, img, plane, n, K, *table, clamp, floor2, mask,  \
                                           to, directions, low, high, residual, used);        \
    solve_full_from<MODE, float>(p, img, plane, n, K, *table, clamp, floor2, mask, to,        \
                                 directions, low, high, residual, used);                      \
  }

#define LS_MODES(T, type)                           \
  LS_ENTRIES(T, mvps_ls_##type##_grey, LS_GREY)     \
  LS_ENTRIES(T, mvps_ls_##type##_rgb, LS_RGB)       \
  LS_ENTRIES(T, mvps_ls_##type##_channels, LS_CHANNELS)

LS_MODES(uint8_t, u8)
LS_MODES(uint16_t, u16)
LS_MODES(float, f32)
