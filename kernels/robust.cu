// CUDA entry points of robust.cuh: one thread a pixel, blocks of 256; samples as in
// least_squares.cu. rb_<u8|u16|f32>_<grey|rgb|channels>_<gated|trimmed|irls>_<8|16|0>: the number
// is the deepest rank that fits into registers, 0 where ranks are found by halving or not needed.
#include "robust.cuh"
#include "samples.cuh"

namespace {

template <RbSolver solver, LsMode mode, int room, class Source>
LS_FN ls::RobustPixel<float> solve_as(Source& source, const ls::Task& task, float inside,
                                      const ls::Judge& judge) {
  ls::RobustPixel<float> result[1];
  Source sources[1] = {source};
  const float insides[1] = {inside};
  const ls::Judge judges[1] = {judge};
  ls::solved_robustly<solver, ls::columns(mode), float, room>(sources, task, insides, judges,
                                                              result);
  return result[0];
}

// RB_CAUCHY stands for every loss; which one is asked at run time.
template <LsMode mode, int room, RbSolver first, class Source>
LS_FN ls::RobustPixel<float> solve(Source& source, const ls::Task& task, float inside,
                                   const ls::Judge& judge) {
  if constexpr (first == RB_CAUCHY) {
    if (task.settings.solver == RB_HUBER)
      return solve_as<RB_HUBER, mode, room>(source, task, inside, judge);
    if (task.settings.solver == RB_TUKEY)
      return solve_as<RB_TUKEY, mode, room>(source, task, inside, judge);
  }
  return solve_as<first, mode, room>(source, task, inside, judge);
}

}  // namespace

#define RB_KERNEL(T, name, MODE, room, first)                                                    \
  extern "C" __global__ void __launch_bounds__(256, 2) name(                                        \
      LS_ARGUMENTS(T), const float* __restrict__ directions, float low, float high,              \
      float* __restrict__ residual, unsigned char* __restrict__ used,                            \
      unsigned char* __restrict__ fallback, const RbSettings settings) {                         \
    long long p = pixel_of_thread();                                                             \
    if (p >= n) return;                                                                          \
    constexpr int samples = ls::samples_per_light(MODE);                                         \
    ThreadSamples<T, samples> raw{img + p * samples, plane};                                     \
    ls::Values<MODE, float, ThreadSamples<T, samples>> source{raw, table, clamp, low, high};     \
    const ls::Judge judge{residual != nullptr || used != nullptr};                               \
    const ls::Task task{directions, K, settings, floor2};                                      \
    auto solved = solve<MODE, room, first>(source, task, mask_value(mask, p), judge);          \
    write<MODE>(solved.pixel, p, normals, albedo, valid);                                        \
    if (residual != nullptr) residual[p] = solved.pixel.residual;                                \
    if (used != nullptr) used[p] = static_cast<unsigned char>(solved.pixel.used);                \
    if (fallback != nullptr) fallback[p] = solved.fallback > 0.0f;                               \
  }

#define RB_ROOMS(T, name, MODE, first)    \
  RB_KERNEL(T, name##_8, MODE, 8, first)   \
  RB_KERNEL(T, name##_16, MODE, 16, first) \
  RB_KERNEL(T, name##_0, MODE, 0, first)

#define RB_SOLVERS(T, name, MODE)                   \
  RB_KERNEL(T, name##_gated_0, MODE, 0, RB_GATED)   \
  RB_ROOMS(T, name##_trimmed, MODE, RB_TRIMMED)     \
  RB_ROOMS(T, name##_irls, MODE, RB_CAUCHY)

#define RB_MODES(T, type)                      \
  RB_SOLVERS(T, rb_##type##_grey, LS_GREY)     \
  RB_SOLVERS(T, rb_##type##_rgb, LS_RGB)       \
  RB_SOLVERS(T, rb_##type##_channels, LS_CHANNELS)

// A run needs one type of samples; each is compiled by itself, because compiling takes seconds.
#if !defined(RB_BYTES) || RB_BYTES == 1
RB_MODES(unsigned char, u8)
#endif
#if !defined(RB_BYTES) || RB_BYTES == 2
RB_MODES(unsigned short, u16)
#endif
#if !defined(RB_BYTES) || RB_BYTES == 4
RB_MODES(float, f32)
#endif
