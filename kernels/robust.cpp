// CPU entry points of robust.cuh. mvps_rb_<u8|u16|f32>_<grey|rgb|channels>_<LS_VARIANT>; arguments
// as in robust.cu, table and settings by address.
#include "blocks.h"
#include "variant.h"

namespace {

struct Request {
  const float* directions;
  int lights;
  RbSettings settings;
  float floor2;
  bool quality;
};

template <RbSolver solver, int C, int room>
struct Kernel {
  static __attribute__((noinline)) void solve(const Block<C>& block, const Request& wanted,
                                              Vec inside, Solved& solved) {
    solved.robust = ls::solved_robustly<solver, C, Vec, room>(
        block, wanted.directions, wanted.lights, wanted.settings, wanted.floor2, inside,
        ls::Judge{wanted.quality});
  }
};

}  // namespace

#define RB_ENTRY(T, name, MODE)                                                                 \
  LS_EXPORT void LS_NAMED(name)(RB_ARGUMENTS(T)) {                                              \
    const Request wanted{directions, K, *settings, floor2, residual || used};                   \
    constexpr int C = ls::columns(MODE);                                                        \
    using Samples = Stack<MODE, T>;                                                             \
    auto solve = chosen<Kernel, C>(*settings, K);                                               \
    const Samples stack{img, plane, *table, clamp, low, high, mask};                            \
    const Results to{normals, albedo,  valid,   residual, used,                                 \
                     fallback, nullptr, nullptr, nullptr,  nullptr};                            \
    stack.run(n, K, to,                                                                         \
              [&](const Block<C>& block, const Samples::Raw&, Vec inside, Solved& solved) {     \
                solve(block, wanted, inside, solved);                                           \
              });                                                                               \
  }

#define RB_MODES(T, type)                        \
  RB_ENTRY(T, mvps_rb_##type##_grey, LS_GREY)    \
  RB_ENTRY(T, mvps_rb_##type##_rgb, LS_RGB)      \
  RB_ENTRY(T, mvps_rb_##type##_channels, LS_CHANNELS)

RB_MODES(uint8_t, u8)
RB_MODES(uint16_t, u16)
RB_MODES(float, f32)
