// CPU entry points of robust.cuh. mvps_rb_<u8|u16|f32>_<grey|rgb|channels>_<LS_VARIANT>; arguments
// as in robust.cu, table and settings by address.
#include "blocks.h"
#include "variant.h"

namespace {

struct Request {
  ls::Task task;
  bool quality;
};

template <RbSolver solver, int C, int room>
struct Kernel {
  static __attribute__((noinline)) void solve(Block<C> (&blocks)[turns], const Request& wanted,
                                              const Vec (&inside)[turns], Solved& solved) {
    ls::Judge judges[turns];
    for (ls::Judge& judge : judges) judge.wanted = wanted.quality;
    ls::solved_robustly<solver, C, Vec, room, abreast<C>>(blocks, wanted.task, inside, judges,
                                                          solved.robust);
  }
};

}  // namespace

#define RB_ENTRY(T, name, MODE)                                                                 \
  LS_EXPORT void LS_NAMED(name)(RB_ARGUMENTS(T)) {                                              \
    const Rows rows(directions, K);                                                             \
    const Request wanted{{rows.at, K, *settings, floor2}, residual || used};                    \
    constexpr int C = ls::columns(MODE);                                                        \
    using Samples = Stack<MODE, T>;                                                             \
    auto solve = chosen<Kernel, C>(*settings, K);                                               \
    const Samples stack{img, plane, *table, clamp, low, high, mask};                            \
    const Results to{normals, albedo,  valid,   residual, used,                                 \
                     fallback, nullptr, nullptr, nullptr,  nullptr, false};                     \
    stack.run(n, rows.at, K, to,                                                                \
              [&](Block<C>(&blocks)[turns], const Samples::Raw(&)[turns],                       \
                  const Vec(&inside)[turns],                                                    \
                  Solved& solved) { solve(blocks, wanted, inside, solved); });                  \
  }

#define RB_MODES(T, type)                        \
  RB_ENTRY(T, mvps_rb_##type##_grey, LS_GREY)    \
  RB_ENTRY(T, mvps_rb_##type##_rgb, LS_RGB)      \
  RB_ENTRY(T, mvps_rb_##type##_channels, LS_CHANNELS)

RB_MODES(uint8_t, u8)
RB_MODES(uint16_t, u16)
RB_MODES(float, f32)
