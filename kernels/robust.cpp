// CPU entry points of robust.cuh: a block of pixels a step. The samples of a block are turned into
// values once, in memory that stays in the first cache, because a robust solver reads them often.
// mvps_rb_<u8|u16|f32>_<grey|rgb|channels>_<LS_VARIANT>; arguments as in robust.cu, table and
// settings by address.
#include "simd.h"

#include "robust.cuh"
#include "samples.h"
#include "variant.h"

namespace {

using ls::Lanes;
using ls::Vec;

constexpr int width = Lanes<Vec>::width;

// What one block of pixels holds: values and whether they are usable.
template <int C>
struct Block {
  Vec values[LS_MAX_LIGHTS * C];
  Vec usable[LS_MAX_LIGHTS];

  LS_METHOD Vec load(int k, Vec (&v)[C]) const {
    for (int c = 0; c < C; ++c) v[c] = values[k * C + c];
    return usable[k];
  }
};

struct Request {
  const float* directions;
  int lights;
  RbSettings settings;
  float floor2;
  bool quality;
};

template <RbSolver solver, int C, int room>
__attribute__((noinline)) void solve_as(const Block<C>& block, const Request& wanted, Vec inside,
                                        ls::RobustPixel<Vec>& result) {
  result = ls::solved_robustly<solver, C, Vec, room>(block, wanted.directions, wanted.lights,
                                                     wanted.settings, wanted.floor2, inside,
                                                     wanted.quality);
}

template <int C>
using Solve = void (*)(const Block<C>&, const Request&, Vec, ls::RobustPixel<Vec>&);

template <RbSolver solver, int C>
Solve<C> with_room(int deepest) {
  if (deepest <= ls::deepest_insertion / 2) return solve_as<solver, C, ls::deepest_insertion / 2>;
  if (deepest <= ls::deepest_insertion) return solve_as<solver, C, ls::deepest_insertion>;
  return solve_as<solver, C, 0>;
}

template <int C>
Solve<C> chosen(const Request& wanted) {
  int deepest = ls::deepest_rank(wanted.settings, wanted.lights);
  switch (wanted.settings.solver) {
    case RB_GATED: return solve_as<RB_GATED, C, 0>;
    case RB_TRIMMED: return with_room<RB_TRIMMED, C>(deepest);
    case RB_CAUCHY: return with_room<RB_CAUCHY, C>(deepest);
    case RB_HUBER: return with_room<RB_HUBER, C>(deepest);
    default: return with_room<RB_TUKEY, C>(deepest);
  }
}

// Where the results of a call go; the last three may be missing.
struct Results {
  float* normals;
  float* albedo;
  uint8_t* valid;
  float* residual;
  uint8_t* used;
  uint8_t* fallback;
};

template <int C>
LS_FN void write(const ls::RobustPixel<Vec>& solved, int64_t p, const Results& to) {
  const ls::Pixel<Vec>& pixel = solved.pixel;
  ls::store3_floats<false>(to.normals + 3 * p, pixel.normal.x, pixel.normal.y, pixel.normal.z);
  if constexpr (C == 3)
    ls::store3_floats<false>(to.albedo + 3 * p, pixel.albedo[0], pixel.albedo[1],
                             pixel.albedo[2]);
  else
    Lanes<Vec>::store(to.albedo + p, pixel.albedo[0]);
  Lanes<Vec>::store(to.valid + p, pixel.valid);
  if (to.residual) Lanes<Vec>::store(to.residual + p, pixel.residual);
  if (to.used) Lanes<Vec>::store(to.used + p, pixel.used);
  if (to.fallback) Lanes<Vec>::store(to.fallback + p, solved.fallback);
}

// The pixels of one step, copied into whole vectors where fewer than a vector are left.
template <int C>
struct Tail {
  float normals[3 * width], albedo[C * width], residual[width];
  uint8_t valid[width], used[width], fallback[width];

  LS_METHOD Results results(const Results& wanted) {
    return {normals, albedo, valid, wanted.residual ? residual : nullptr,
            wanted.used ? used : nullptr, wanted.fallback ? fallback : nullptr};
  }

  LS_METHOD void copy(int64_t p, int64_t count, const Results& to) const {
    memcpy(to.normals + 3 * p, normals, 3 * count * sizeof(float));
    memcpy(to.albedo + C * p, albedo, C * count * sizeof(float));
    memcpy(to.valid + p, valid, count);
    if (to.residual) memcpy(to.residual + p, residual, count * sizeof(float));
    if (to.used) memcpy(to.used + p, used, count);
    if (to.fallback) memcpy(to.fallback + p, fallback, count);
  }
};

template <LsMode mode, class T>
struct Stack {
  static constexpr int samples = ls::samples_per_light(mode), C = ls::columns(mode);
  const T* img;
  int64_t plane;
  const LsTable& table;
  float clamp, low, high;
  const uint8_t* mask;

  LS_METHOD void stage(const T* pixel, int64_t apart, int lights, Block<C>& block) const {
    LaneSamples<Vec, T, samples> raw{pixel, apart};
    ls::Values<mode, Vec, LaneSamples<Vec, T, samples>> source{raw, table, clamp, low, high};
    for (int k = 0; k < lights; ++k) {
      Vec v[C];
      block.usable[k] = source.load(k, v);
      for (int c = 0; c < C; ++c) block.values[k * C + c] = v[c];
    }
  }

  void run(int64_t n, const Request& wanted, const Results& to) const {
    Solve<C> solve = chosen<C>(wanted);
    Block<C> block;
    ls::RobustPixel<Vec> solved;
    int64_t p = 0;
    for (; p + width <= n; p += width) {
      stage(img + p * samples, plane, wanted.lights, block);
      solve(block, wanted, mask_value<Vec>(mask, p), solved);
      write<C>(solved, p, to);
    }
    if (p == n) return;
    int64_t count = n - p, size = width * samples;
    T copies[LS_MAX_LIGHTS * size_t(width * samples)];
    uint8_t inside[width] = {};
    memset(inside, 1, count);
    if (mask) memcpy(inside, mask + p, count);
    for (int k = 0; k < wanted.lights; ++k) {
      memset(copies + k * size, 0, size * sizeof(T));
      memcpy(copies + k * size, img + k * plane + p * samples, count * samples * sizeof(T));
    }
    Tail<C> tail;
    stage(copies, size, wanted.lights, block);
    solve(block, wanted, mask_value<Vec>(inside, 0), solved);
    write<C>(solved, 0, tail.results(to));
    tail.copy(p, count, to);
  }
};

}  // namespace

#define RB_ENTRY(T, name, MODE)                                                                 \
  LS_EXPORT void LS_NAMED(name)(                                                                \
      const T* img, int64_t plane, int64_t n, int K, const LsTable* table, float clamp,         \
      float floor2, const uint8_t* mask, float* normals, float* albedo, uint8_t* valid,         \
      const float* directions, float low, float high, float* residual, uint8_t* used,           \
      uint8_t* fallback, const RbSettings* settings) {                                          \
    const Request wanted{directions, K, *settings, floor2, residual || used};                   \
    const Stack<MODE, T> stack{img, plane, *table, clamp, low, high, mask};                     \
    stack.run(n, wanted, {normals, albedo, valid, residual, used, fallback});                   \
  }

#define RB_MODES(T, type)                        \
  RB_ENTRY(T, mvps_rb_##type##_grey, LS_GREY)    \
  RB_ENTRY(T, mvps_rb_##type##_rgb, LS_RGB)      \
  RB_ENTRY(T, mvps_rb_##type##_channels, LS_CHANNELS)

RB_MODES(uint8_t, u8)
RB_MODES(uint16_t, u16)
RB_MODES(float, f32)
