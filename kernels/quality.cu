// CUDA entry points of quality.cuh: one thread a pixel, blocks of 256; arguments as in robust.cu and
// then the planes, the pseudo-inverse and the model.
// rq_<u8|u16|f32>_<grey|rgb|channels>_<ls|gated|trimmed|irls>_<8|16|0>: the number as in robust.cu.
#include "quality.cuh"
#include "samples.cuh"

namespace {

// What every loss needs; the loss itself is asked at run time.
struct Request {
  ls::Task task;
  const float* pinv;
  const QualityModel& model;
  float inside;
};

template <RbSolver solver, LsMode mode, int room, class Source>
LS_FN ls::RobustPixel<float> solve_as(const Source& source, const Request& wanted,
                                      ls::Quality<float>& quality) {
  ls::RobustPixel<float> result[1];
  Source sources[1] = {source};
  const float inside[1] = {wanted.inside};
  const ls::Examine<float> examine[1] = {{&wanted.model, wanted.task.settings.tuning, &quality}};
  ls::solved_and_examined<solver, ls::columns(mode), float, room>(
      sources, wanted.pinv, wanted.task, inside, examine, result);
  return result[0];
}

// RB_CAUCHY stands for every loss.
template <LsMode mode, int room, RbSolver first, class Source>
LS_FN ls::RobustPixel<float> solve(const Source& source, const Request& wanted,
                                   ls::Quality<float>& quality) {
  if constexpr (first == RB_CAUCHY) {
    if (wanted.task.settings.solver == RB_HUBER)
      return solve_as<RB_HUBER, mode, room>(source, wanted, quality);
    if (wanted.task.settings.solver == RB_TUKEY)
      return solve_as<RB_TUKEY, mode, room>(source, wanted, quality);
  }
  return solve_as<first, mode, room>(source, wanted, quality);
}

}  // namespace

#define RQ_KERNEL(T, name, MODE, room, first)                                                    \
  extern "C" __global__ void __launch_bounds__(256, 2) name(                                     \
      LS_ARGUMENTS(T), const float* __restrict__ directions, float low, float high,              \
      float* __restrict__ residual, unsigned char* __restrict__ used,                            \
      unsigned char* __restrict__ fallback, const RbSettings settings,                           \
      float* __restrict__ condition, float* __restrict__ deviation,                              \
      unsigned char* __restrict__ saturated, unsigned char* __restrict__ shadowed,               \
      const float* __restrict__ pinv, const QualityModel model) {                                \
    long long p = pixel_of_thread();                                                             \
    if (p >= n) return;                                                                          \
    constexpr int samples = ls::samples_per_light(MODE);                                         \
    ThreadSamples<T, samples> raw{img + p * samples, plane};                                     \
    ls::Values<MODE, float, ThreadSamples<T, samples>> source{raw, table, clamp, low, high};     \
    const Request wanted{{directions, K, settings, floor2}, pinv, model, mask_value(mask, p)};   \
    ls::Quality<float> quality;                                                                  \
    auto solved = solve<MODE, room, first>(source, wanted, quality);                             \
    ls::count_extremes<MODE>(raw, table, K, clamp, model, low, solved.pixel, quality);           \
    write<MODE>(solved.pixel, p, normals, albedo, valid);                                        \
    residual[p] = solved.pixel.residual;                                                         \
    used[p] = static_cast<unsigned char>(solved.pixel.used);                                     \
    if (fallback != nullptr) fallback[p] = solved.fallback > 0.0f;                               \
    condition[p] = quality.condition;                                                            \
    deviation[p] = quality.deviation;                                                            \
    saturated[p] = static_cast<unsigned char>(quality.saturated);                                \
    shadowed[p] = static_cast<unsigned char>(quality.shadowed);                                  \
  }

#define RQ_ROOMS(T, name, MODE, first)     \
  RQ_KERNEL(T, name##_8, MODE, 8, first)   \
  RQ_KERNEL(T, name##_16, MODE, 16, first) \
  RQ_KERNEL(T, name##_0, MODE, 0, first)

#define RQ_SOLVERS(T, name, MODE)                 \
  RQ_KERNEL(T, name##_ls_0, MODE, 0, RB_PLAIN)    \
  RQ_KERNEL(T, name##_gated_0, MODE, 0, RB_GATED) \
  RQ_ROOMS(T, name##_trimmed, MODE, RB_TRIMMED)   \
  RQ_ROOMS(T, name##_irls, MODE, RB_CAUCHY)

#define RQ_MODES(T, type)                      \
  RQ_SOLVERS(T, rq_##type##_grey, LS_GREY)     \
  RQ_SOLVERS(T, rq_##type##_rgb, LS_RGB)       \
  RQ_SOLVERS(T, rq_##type##_channels, LS_CHANNELS)

// A run needs one type of samples; each is compiled by itself, because compiling takes seconds.
#if !defined(RB_BYTES) || RB_BYTES == 1
RQ_MODES(unsigned char, u8)
#endif
#if !defined(RB_BYTES) || RB_BYTES == 2
RQ_MODES(unsigned short, u16)
#endif
#if !defined(RB_BYTES) || RB_BYTES == 4
RQ_MODES(float, f32)
#endif
