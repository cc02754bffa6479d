// CPU entry points of quality.cuh: every solver, and with each pixel how far it can be trusted.
// mvps_rq_<u8|u16|f32>_<grey|rgb|channels>_<LS_VARIANT>; arguments as in quality.cu, table,
// settings and model by address.
#include "blocks.h"
#include "variant.h"

namespace {

struct Request {
  const float* directions;
  const float* pinv;
  int lights;
  RbSettings settings;
  QualityModel model;
  float floor2;
};

template <RbSolver solver, int C, int room>
struct Kernel {
  static __attribute__((noinline)) void solve(const Block<C>& block, const Request& wanted,
                                              Vec inside, Solved& solved) {
    solved.robust = ls::solved_and_examined<solver, C, Vec, room>(
        block, wanted.directions, wanted.pinv, wanted.lights, wanted.settings, wanted.model,
        wanted.floor2, inside, solved.quality);
  }
};

template <LsMode mode, class T>
LS_FN void run(const Stack<mode, T>& stack, int64_t n, const Request& wanted, const Results& to) {
  constexpr int C = ls::columns(mode);
  using Raw = typename Stack<mode, T>::Raw;
  auto solve = wanted.settings.solver == RB_PLAIN ? Kernel<RB_PLAIN, C, 0>::solve
                                                  : chosen<Kernel, C>(wanted.settings, wanted.lights);
  stack.run(n, wanted.lights, to,
            [&](const Block<C>& block, const Raw& raw, Vec inside, Solved& solved) {
              solve(block, wanted, inside, solved);
              ls::count_extremes<mode>(raw, stack.table, wanted.lights, stack.clamp, wanted.model,
                                       stack.low, solved.robust.pixel, solved.quality);
            });
}

}  // namespace

#define RQ_ENTRY(T, name, MODE)                                                                 \
  LS_EXPORT void LS_NAMED(name)(RB_ARGUMENTS(T), float* condition, float* deviation,            \
                                uint8_t* saturated, uint8_t* shadowed, const float* pinv,       \
                                const QualityModel* model) {                                    \
    const Request wanted{directions, pinv, K, *settings, *model, floor2};                       \
    const Stack<MODE, T> stack{img, plane, *table, clamp, low, high, mask};                     \
    run(stack, n, wanted,                                                                       \
        {normals, albedo, valid, residual, used, fallback, condition, deviation, saturated,     \
         shadowed});                                                                            \
  }

#define RQ_MODES(T, type)                        \
  RQ_ENTRY(T, mvps_rq_##type##_grey, LS_GREY)    \
  RQ_ENTRY(T, mvps_rq_##type##_rgb, LS_RGB)      \
  RQ_ENTRY(T, mvps_rq_##type##_channels, LS_CHANNELS)

RQ_MODES(uint8_t, u8)
RQ_MODES(uint16_t, u16)
RQ_MODES(float, f32)
