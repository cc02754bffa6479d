// CUDA entry points of least_squares.cuh: one thread a pixel, blocks of 256.
// ls_<u8|u16|f32>_<grey|rgb|channels>[_full]; light k of pixel p stands at img[k * plane + p * C].
#include "least_squares.cuh"

namespace {

LS_FN float value_of(float x) { return ls::missing_if_absurd(x); }
LS_FN float value_of(unsigned char x) { return static_cast<float>(x); }
LS_FN float value_of(unsigned short x) { return static_cast<float>(x); }

template <class T, int samples>
struct ThreadSamples {
  const T* __restrict__ pixel;
  long long plane;

  LS_METHOD void load(int k, float (&raw)[samples]) const {
    const T* at = pixel + k * plane;
    for (int c = 0; c < samples; ++c) raw[c] = value_of(at[c]);
  }
};

LS_FN long long pixel_of_thread() {
  return static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
}

LS_FN float mask_value(const unsigned char* mask, long long p) {
  return mask == nullptr || mask[p] != 0 ? 1.0f : 0.0f;
}

template <LsMode mode>
LS_FN void write(const ls::Pixel<float>& pixel, long long p, float* normals, float* albedo,
                 unsigned char* valid) {
  normals[3 * p] = pixel.normal.x;
  normals[3 * p + 1] = pixel.normal.y;
  normals[3 * p + 2] = pixel.normal.z;
  for (int c = 0; c < ls::columns(mode); ++c) albedo[ls::columns(mode) * p + c] = pixel.albedo[c];
  valid[p] = pixel.valid > 0.0f;
}

}  // namespace

#define LS_ARGUMENTS(T)                                                                          \
  const T *__restrict__ img, long long plane, long long n, int K, const LsTable table,           \
      float clamp, float floor2, const unsigned char *__restrict__ mask,                         \
      float *__restrict__ normals, float *__restrict__ albedo, unsigned char *__restrict__ valid

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
