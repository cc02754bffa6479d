// What the CPU entry points of robust.cpp and quality.cpp share: a block of pixels a step. Its
// samples are turned into values once, in memory that stays in the first cache, because a robust
// solver reads them often; the last pixels are copied into a whole block.
#pragma once

#include "simd.h"

#include "quality.cuh"
#include "samples.h"

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

// What is known of a block at the end; the quality only where it is asked for.
struct Solved {
  ls::RobustPixel<Vec> robust;
  ls::Quality<Vec> quality;
};

// Where the results of a call go; those from the residual on may be missing.
struct Results {
  float* normals;
  float* albedo;
  uint8_t* valid;
  float* residual;
  uint8_t* used;
  uint8_t* fallback;
  float* condition;
  float* deviation;
  uint8_t* saturated;
  uint8_t* shadowed;
};

template <int C>
LS_FN void write(const Solved& solved, int64_t p, const Results& to) {
  const ls::Pixel<Vec>& pixel = solved.robust.pixel;
  ls::store3_floats<false>(to.normals + 3 * p, pixel.normal.x, pixel.normal.y, pixel.normal.z);
  if constexpr (C == 3)
    ls::store3_floats<false>(to.albedo + 3 * p, pixel.albedo[0], pixel.albedo[1],
                             pixel.albedo[2]);
  else
    Lanes<Vec>::store(to.albedo + p, pixel.albedo[0]);
  Lanes<Vec>::store(to.valid + p, pixel.valid);
  if (to.residual) Lanes<Vec>::store(to.residual + p, pixel.residual);
  if (to.used) Lanes<Vec>::store(to.used + p, pixel.used);
  if (to.fallback) Lanes<Vec>::store(to.fallback + p, solved.robust.fallback);
  if (!to.condition) return;
  Lanes<Vec>::store(to.condition + p, solved.quality.condition);
  Lanes<Vec>::store(to.deviation + p, solved.quality.deviation);
  Lanes<Vec>::store(to.saturated + p, solved.quality.saturated);
  Lanes<Vec>::store(to.shadowed + p, solved.quality.shadowed);
}

// The pixels of one step, copied into whole vectors where fewer than a vector are left.
template <int C>
struct Tail {
  float normals[3 * width], albedo[C * width], residual[width], condition[width],
      deviation[width];
  uint8_t valid[width], used[width], fallback[width], saturated[width], shadowed[width];

  LS_METHOD Results results(const Results& wanted) {
    return {normals,
            albedo,
            valid,
            wanted.residual ? residual : nullptr,
            wanted.used ? used : nullptr,
            wanted.fallback ? fallback : nullptr,
            wanted.condition ? condition : nullptr,
            deviation,
            saturated,
            shadowed};
  }

  LS_METHOD void copy(int64_t p, int64_t count, const Results& to) const {
    memcpy(to.normals + 3 * p, normals, 3 * count * sizeof(float));
    memcpy(to.albedo + C * p, albedo, C * count * sizeof(float));
    memcpy(to.valid + p, valid, count);
    if (to.residual) memcpy(to.residual + p, residual, count * sizeof(float));
    if (to.used) memcpy(to.used + p, used, count);
    if (to.fallback) memcpy(to.fallback + p, fallback, count);
    if (!to.condition) return;
    memcpy(to.condition + p, condition, count * sizeof(float));
    memcpy(to.deviation + p, deviation, count * sizeof(float));
    memcpy(to.saturated + p, saturated, count);
    memcpy(to.shadowed + p, shadowed, count);
  }
};

template <LsMode mode, class T>
struct Stack {
  static constexpr int samples = ls::samples_per_light(mode), C = ls::columns(mode);
  using Raw = LaneSamples<Vec, T, samples>;
  const T* img;
  int64_t plane;
  const LsTable& table;
  float clamp, low, high;
  const uint8_t* mask;

  LS_METHOD void stage(const Raw& raw, int lights, Block<C>& block) const {
    ls::Values<mode, Vec, Raw> source{raw, table, clamp, low, high};
    for (int k = 0; k < lights; ++k) {
      Vec v[C];
      block.usable[k] = source.load(k, v);
      for (int c = 0; c < C; ++c) block.values[k * C + c] = v[c];
    }
  }

  // solve(block, raw, inside, solved) does a block.
  template <class Solve>
  LS_METHOD void run(int64_t n, int lights, const Results& to, const Solve& solve) const {
    Block<C> block;
    Solved solved;
    int64_t p = 0;
    for (; p + width <= n; p += width) {
      const Raw raw{img + p * samples, plane};
      stage(raw, lights, block);
      solve(block, raw, mask_value<Vec>(mask, p), solved);
      write<C>(solved, p, to);
    }
    if (p == n) return;
    int64_t count = n - p, size = width * samples;
    T copies[LS_MAX_LIGHTS * size_t(width * samples)];
    uint8_t inside[width] = {};
    memset(inside, 1, count);
    if (mask) memcpy(inside, mask + p, count);
    for (int k = 0; k < lights; ++k) {
      memset(copies + k * size, 0, size * sizeof(T));
      memcpy(copies + k * size, img + k * plane + p * samples, count * samples * sizeof(T));
    }
    Tail<C> tail;
    const Raw raw{copies, size};
    stage(raw, lights, block);
    solve(block, raw, mask_value<Vec>(inside, 0), solved);
    write<C>(solved, 0, tail.results(to));
    tail.copy(p, count, to);
  }
};

// Kernel<solver, C, room>::solve for a solver that is known at run time.
template <template <RbSolver, int, int> class Kernel, RbSolver solver, int C>
auto with_room(int deepest) {
  constexpr int most = ls::deepest_insertion;
  if (deepest <= most / 2) return Kernel<solver, C, most / 2>::solve;
  if (deepest <= most) return Kernel<solver, C, most>::solve;
  return Kernel<solver, C, 0>::solve;
}

template <template <RbSolver, int, int> class Kernel, int C>
auto chosen(const RbSettings& settings, int lights) {
  int deepest = ls::deepest_rank(settings, lights);
  switch (settings.solver) {
    case RB_GATED: return Kernel<RB_GATED, C, 0>::solve;
    case RB_TRIMMED: return with_room<Kernel, RB_TRIMMED, C>(deepest);
    case RB_CAUCHY: return with_room<Kernel, RB_CAUCHY, C>(deepest);
    case RB_HUBER: return with_room<Kernel, RB_HUBER, C>(deepest);
    default: return with_room<Kernel, RB_TUKEY, C>(deepest);
  }
}

}  // namespace

#define RB_ARGUMENTS(T)                                                                         \
  const T *img, int64_t plane, int64_t n, int K, const LsTable *table, float clamp,             \
      float floor2, const uint8_t *mask, float *normals, float *albedo, uint8_t *valid,         \
      const float *directions, float low, float high, float *residual, uint8_t *used,           \
      uint8_t *fallback, const RbSettings *settings
