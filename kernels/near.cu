// CUDA entry points of near.cuh: one thread a pixel, blocks of 256. near_<u8|u16|f32>[_examined], the
// latter with the planes of the quality: light k of pixel p stands at img[k * plane + p]; pixels are
// whole rows of `width` from row y0 on.
#include "least_squares.cuh"

namespace ls {

LS_FN float power(float x, float y) { return exp2f(y * log2f(x)); }

}  // namespace ls

#include "near.cuh"
#include "samples.cuh"

#define NEAR_KERNEL(T, name, examined)                                                           \
  extern "C" __global__ void name(                                                               \
      const T* __restrict__ img, long long plane, long long n, int K, const NearTable table,     \
      const NearSight sight, const float* __restrict__ lobes, const ls::NearLimits limits,       \
      float floor2, long long width, long long y0, const float* __restrict__ lateral,            \
      const float* __restrict__ depth, const unsigned char* __restrict__ mask,                   \
      float* __restrict__ normals, float* __restrict__ albedo,                                   \
      unsigned char* __restrict__ valid, float* __restrict__ residual,                           \
      unsigned char* __restrict__ used, unsigned char* __restrict__ fallback,                    \
      float* __restrict__ condition, float* __restrict__ deviation,                              \
      unsigned char* __restrict__ saturated, unsigned char* __restrict__ shadowed,               \
      const QualityModel model) {                                                                \
    long long p = pixel_of_thread();                                                             \
    if (p >= n) return;                                                                          \
    const float* m = sight.affine;                                                               \
    float x = static_cast<float>(p % width), y = static_cast<float>(y0 + p / width);             \
    float a = x * m[0] + (m[1] * y + m[2]), b = x * m[3] + (m[4] * y + m[5]);                    \
    if (lateral != nullptr) a = lateral[p], b = lateral[n + p];                                  \
    float t = depth != nullptr ? depth[p] : ls::plane_depth(sight, a, b);                        \
    float inside = mask_value(mask, p);                                                          \
    ls::Vector<float> at = ls::point_of(sight, a, b, t, inside);                                 \
    ls::Lamps<float> lamps{table, lobes, at};                                                    \
    ThreadSamples<T, 1> source{img + p, plane};                                                  \
    ls::Quality<float> quality;                                                                  \
    const ls::NearWish<float> wish{residual != nullptr, examined ? &model : nullptr, &quality};  \
    ls::NearPixel<float> solved =                                                                \
        ls::solved_near(source, lamps, K, limits, floor2, inside, wish);                         \
    write<LS_GREY>(solved.pixel, p, normals, albedo, valid);                                     \
    if (residual != nullptr) residual[p] = solved.pixel.residual;                                \
    if (used != nullptr) used[p] = static_cast<unsigned char>(solved.pixel.used);                \
    if (fallback != nullptr) fallback[p] = solved.fallback > 0.0f;                               \
    if (!examined) return;                                                                       \
    condition[p] = quality.condition;                                                            \
    deviation[p] = quality.deviation;                                                            \
    saturated[p] = static_cast<unsigned char>(quality.saturated);                                \
    shadowed[p] = static_cast<unsigned char>(quality.shadowed);                                  \
  }

#define NEAR_KERNELS(T, name)  \
  NEAR_KERNEL(T, name, false)  \
  NEAR_KERNEL(T, name##_examined, true)

NEAR_KERNELS(unsigned char, near_u8)
NEAR_KERNELS(unsigned short, near_u16)
NEAR_KERNELS(float, near_f32)
