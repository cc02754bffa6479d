// CPU entry points of quality.cuh: every solver, and with each pixel how far it can be trusted.
// mvps_rq_<u8|u16|f32>_<grey|rgb|channels>_<LS_VARIANT>; arguments as in quality.cu, table,
// settings and model by address.
#include "blocks.h"
#include "variant.h"

namespace {

struct Request {
  ls::Task task;
  const float* pinv;
  QualityModel model;
};

template <RbSolver solver, int C, int room>
struct Kernel {
  static __attribute__((noinline)) void solve(Block<C> (&blocks)[turns], const Request& wanted,
                                              const Vec (&inside)[turns], Solved& solved) {
    const float tuning = wanted.task.settings.tuning;
    ls::Examine<Vec> examine[turns];
    for (int i = 0; i < turns; ++i) examine[i] = {&wanted.model, tuning, &solved.quality[i]};
    ls::solved_and_examined<solver, C, Vec, room, abreast<C>>(blocks, wanted.pinv, wanted.task,
                                                              inside, examine, solved.robust);
  }
};

template <LsMode mode, class T>
LS_FN void run(const Stack<mode, T>& stack, int64_t n, const Request& wanted, const Results& to) {
  constexpr int C = ls::columns(mode);
  using Raw = typename Stack<mode, T>::Raw;
  const ls::Task& task = wanted.task;
  auto solve = task.settings.solver == RB_PLAIN ? Kernel<RB_PLAIN, C, 0>::solve
                                                : chosen<Kernel, C>(task.settings, task.lights);
  stack.run(n, task.directions, task.lights, to,
            [&](Block<C>(&blocks)[turns], const Raw(&raw)[turns], const Vec(&inside)[turns],
                Solved& solved) {
              solve(blocks, wanted, inside, solved);
              for (int i = 0; i < turns; ++i)
                ls::count_extremes<mode>(raw[i], stack.table, task.lights, stack.clamp,
                                         wanted.model, stack.low, solved.robust[i].pixel,
                                         solved.quality[i]);
            });
}

}  // namespace

#define RQ_ENTRY(T, name, MODE)                                                                 \
  LS_EXPORT void LS_NAMED(name)(RB_ARGUMENTS(T), float* condition, float* deviation,            \
                                uint8_t* saturated, uint8_t* shadowed, const float* pinv,       \
                                const QualityModel* model) {                                    \
    const Rows rows(directions, K);                                                             \
    const Request wanted{{rows.at, K, *settings, floor2}, pinv, *model};                        \
    const Stack<MODE, T> stack{img, plane, *table, clamp, low, high, mask};                     \
    run(stack, n, wanted,                                                                       \
        {normals, albedo, valid, residual, used, fallback, condition, deviation, saturated,     \
         shadowed, false});                                                                     \
  }

#define RQ_MODES(T, type)                        \
  RQ_ENTRY(T, mvps_rq_##type##_grey, LS_GREY)    \
  RQ_ENTRY(T, mvps_rq_##type##_rgb, LS_RGB)      \
  RQ_ENTRY(T, mvps_rq_##type##_channels, LS_CHANNELS)

RQ_MODES(uint8_t, u8)
RQ_MODES(uint16_t, u16)
RQ_MODES(float, f32)
