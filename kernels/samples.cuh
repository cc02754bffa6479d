// What the CUDA entry points share: how a thread reads its samples and writes its pixel.
#pragma once

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
