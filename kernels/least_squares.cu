// CUDA entry points of least_squares.cuh: one thread a pixel, blocks of 256.
// ls_<u8|u16|f32>_<grey|rgb|channels>[_full]; light k of pixel p stands at img[k * plane + p * C].
#include "samples.cuh"

#define LS_KERNELS(T, type, mode, MODE)                                                          \
  extern "C" __global__ void ls_##type##_##mode(LS_ARGUMENTS(T)) {                               \
    long long p = pixel_of_thread();                                                             \
    if (p >= n) return;                                                                          \
    constexpr int samples = ls::samples_per_light(MODE);                                         \
    ThreadSamples<T, samples> source{img + p * samples, plane};                                  \
    write<MODE>(ls::solved<MODE>(source, table, K, clamp, floor2, mask_value(mask, p)), p,       \
                normals, albedo, valid);                                                         \
  }                                                                                              \
  extern "C" __global__ void ls_##type##_##mode##_full(                                          \
      LS_ARGUMENTS(T), const float* __restrict__ directions, float low, float high,              \
      float* __restrict__ residual, unsigned char* __restrict__ used) {                          \
    long long p = pixel_of_thread();                                                             \
    if (p >= n) return;                                                                          \
    constexpr int samples = ls::samples_per_light(MODE);                                         \
    ThreadSamples<T, samples> source{img + p * samples, plane};                                  \
    auto pixel =                                                                                 \
        ls::solved_full<MODE>(source, table, K, clamp, floor2, mask_value(mask, p), directions,  \
                              low, high, residual != nullptr);                                   \
    write<MODE>(pixel, p, normals, albedo, valid);                                               \
    if (residual != nullptr) residual[p] = pixel.residual;                                       \
    if (used != nullptr) used[p] = static_cast<unsigned char>(pixel.used);                       \
  }

#define LS_MODES(T, type)                \
  LS_KERNELS(T, type, grey, LS_GREY)     \
  LS_KERNELS(T, type, rgb, LS_RGB)       \
  LS_KERNELS(T, type, channels, LS_CHANNELS)

LS_MODES(unsigned char, u8)
LS_MODES(unsigned short, u16)
LS_MODES(float, f32)
