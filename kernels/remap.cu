// CUDA entry points of remap.cuh: one thread an output pixel, blocks of 256.
// remap_<u8|u16|f32>_<1|3>, remap_normals; arguments as in remap.cpp, structures by value.
#include "remap.cuh"

namespace {

struct Target {
  long long pixel;
  int u, v;
};

RM_FN Target target_of_thread(int u0, int v0, int columns) {
  long long p = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
  long long row = p / columns;
  return {p, u0 + static_cast<int>(p - row * columns), v0 + static_cast<int>(row)};
}

RM_FN rm::Position position_of(const RemapModel& model, const float* map, const Target& at) {
  if (map != nullptr) return {map[2 * at.pixel], map[2 * at.pixel + 1]};
  return rm::position<true, true, true>(model, at.u, at.v);
}

RM_FN bool finite(float x) { return x - x == 0.0f; }

template <class T>
RM_FN T stored(float x) {
  if constexpr (T(0.5f) != T(0))
    return x;
  else
    return static_cast<T>(static_cast<int>(x + 0.5f));
}

// Steps to the neighbours on the right and below; none where there is no second row or column.
struct Steps {
  long long right, below;
};

RM_FN Steps steps_of(const RemapWindow& window, int channels, long long stride) {
  return {window.width > 1 ? channels : 0, window.rows > 1 ? stride : 0};
}

RM_FN float covered(const RemapWindow& window, const unsigned char* mask, const rm::Footprint& f) {
  if (mask == nullptr) return f.inside;
  const Steps step = steps_of(window, 1, window.mask_stride);
  const unsigned char* m = mask + f.row * window.mask_stride + f.column;
  return f.inside * rm::covered(f.right, f.below, m[0] != 0, m[step.right] != 0,
                                m[step.below] != 0, m[step.below + step.right] != 0);
}

template <class T>
RM_FN float sampled(const T* p, const Steps& step, const rm::Footprint& f) {
  return rm::blended(f.right, f.below, p[0], p[step.right], p[step.below],
                     p[step.below + step.right]);
}

template <int channels, class T>
RM_FN const T* first_neighbour(const T* source, const RemapWindow& window,
                               const rm::Footprint& f) {
  return source + f.row * window.stride + static_cast<long long>(f.column) * channels;
}

template <int channels, class T>
RM_FN void remap(const T* source, const unsigned char* mask, const RemapWindow& window,
                 const rm::Position& at, int nearest, T* out, unsigned char* valid) {
  rm::Footprint f = nearest ? rm::footprint<true>(window, at.x, at.y)
                            : rm::footprint<false>(window, at.x, at.y);
  bool ok = covered(window, mask, f) > 0.0f;
  const Steps step = steps_of(window, channels, window.stride);
  const T* p = first_neighbour<channels>(source, window, f);
  const T* closest = p + (f.right > 0.0f ? step.right : 0) + (f.below > 0.0f ? step.below : 0);
  T values[channels];
  for (int c = 0; c < channels; ++c) {
    float value = sampled(p + c, step, f);
    ok = ok && (nearest || finite(value));
    values[c] = nearest ? closest[c] : stored<T>(value);
  }
  for (int c = 0; c < channels; ++c) out[c] = ok ? values[c] : T(0);
  *valid = ok ? 1 : 0;
}

}  // namespace

#define RM_ARGUMENTS(T)                                                                     \
  const T *__restrict__ source, const unsigned char *__restrict__ mask,                     \
      const RemapWindow window, const RemapModel model, const float *__restrict__ map,      \
      int u0, int v0, int columns, int rows

#define RM_KERNEL(T, type, channels)                                                        \
  extern "C" __global__ void remap_##type##_##channels(                                     \
      RM_ARGUMENTS(T), int nearest, T* __restrict__ out, unsigned char* __restrict__ valid) { \
    Target at = target_of_thread(u0, v0, columns);                                          \
    if (at.pixel >= static_cast<long long>(columns) * rows) return;                         \
    remap<channels>(source, mask, window, position_of(model, map, at), nearest,             \
                    out + at.pixel * channels, valid + at.pixel);                           \
  }

RM_KERNEL(unsigned char, u8, 1)
RM_KERNEL(unsigned char, u8, 3)
RM_KERNEL(unsigned short, u16, 1)
RM_KERNEL(unsigned short, u16, 3)
RM_KERNEL(float, f32, 1)
RM_KERNEL(float, f32, 3)

extern "C" __global__ void remap_normals(RM_ARGUMENTS(float), const RemapRotation rotation,
                                         float* __restrict__ out,
                                         unsigned char* __restrict__ valid) {
  Target at = target_of_thread(u0, v0, columns);
  if (at.pixel >= static_cast<long long>(columns) * rows) return;
  rm::Position where = position_of(model, map, at);
  rm::Footprint f = rm::footprint<false>(window, where.x, where.y);
  const Steps step = steps_of(window, 3, window.stride);
  const float* p = first_neighbour<3>(source, window, f);
  rm::Normal normal =
      rm::rotated(rotation, sampled(p, step, f), sampled(p + 1, step, f), sampled(p + 2, step, f),
                  covered(window, mask, f));
  out[3 * at.pixel] = normal.x;
  out[3 * at.pixel + 1] = normal.y;
  out[3 * at.pixel + 2] = normal.z;
  valid[at.pixel] = normal.valid > 0.0f ? 1 : 0;
}
