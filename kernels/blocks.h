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
constexpr int turns = 4;  // blocks solved in turn
// Blocks whose sums are taken abreast, if the registers hold them: 32 of AVX-512, else 16.
#if defined(__AVX512F__)
constexpr int most_abreast = 2;
#else
constexpr int most_abreast = 1;
#endif
template <int C>
constexpr int abreast = C == 1 ? most_abreast : 1;

// Keeps x in a register. GCC reads a value of memory again at every use, and of loads a processor
// does no more at a time than of multiply-adds.
LS_FN Vec held(Vec x) {
#if defined(__SSE2__)
  asm("" : "+v"(x));
#endif
  return x;
}

// Least squares over every light, solved once for all pixels.
struct Whole {
  ls::Symmetric<Vec> a;
  ls::Factors<Vec> factors;
  Vec inexact;
};

LS_FN Whole whole_of(const float* directions, int lights) {
  const Vec values[1] = {}, one = ls::splat<Vec>(1.0f);
  auto s = ls::no_lights<1, Vec>();
  for (int k = 0; k < lights; ++k) {
    ls::add_light(s, ls::row_of<Vec>(directions, k), one, values);
    s.used += one;
  }
  return {s.a, ls::factored(s.a), ls::fitted(s, ls::smallest_pivot).inexact};
}

// What one block of pixels holds of a light.
template <int C>
struct Light {
  Vec values[C];
  Vec given;   // usable, 1 or 0
  Vec usable;  // and not in shadow
  Vec part;    // in its weight

  LS_METHOD Vec load(const Vec& part, Vec (&v)[C]) const {
    for (int c = 0; c < C; ++c) v[c] = held(values[c]);
    return held(part);
  }
};

// A block of pixels as a Source of robust.cuh.
template <int C>
struct Block {
  Light<C> lights[LS_MAX_LIGHTS];
  const Whole* whole;
  Vec complete;  // 1 where every light is usable, else 0

  struct Weighed {
    const Block& block;

    LS_METHOD Vec load(int k, Vec (&v)[C]) const {
      return block.lights[k].load(block.lights[k].part, v);
    }
  };

  struct Lit {
    Block& block;

    LS_METHOD Vec load(int k, Vec (&v)[C]) const {
      return block.lights[k].load(block.lights[k].usable, v);
    }

    template <class Weights>
    LS_METHOD Weighed weighed(const Weights&) const {
      return {block};
    }
  };

  LS_METHOD Vec load(int k, Vec (&v)[C]) const { return lights[k].load(lights[k].given, v); }

  // Where every light is usable the system is the same everywhere. No pixel may depend on its
  // neighbours in the block: both ways do the same sums in the same order.
  LS_METHOD ls::Fit<C, Vec> fit_all(const float* directions, int count) const {
    if (ls::any(ls::splat<Vec>(1.0f) - complete))
      return ls::fit_usable<C, Vec>(*this, directions, count, ls::smallest_pivot);
    return fit_whole(directions, count);
  }

  LS_METHOD ls::Fit<C, Vec> fit_whole(const float* directions, int count) const {
    const Vec none{};
    ls::Fit<C, Vec> fit;
    for (int c = 0; c < C; ++c) fit.g[c] = {none, none, none};
    for (int k = 0; k < count; ++k) {
      const float* l = ls::row_of<Vec>(directions, k);
      for (int c = 0; c < C; ++c) {
        Vec v = held(lights[k].values[c]);
        fit.g[c].x += v * l[0];
        fit.g[c].y += v * l[1];
        fit.g[c].z += v * l[2];
      }
    }
    for (int c = 0; c < C; ++c) fit.g[c] = ls::substituted(whole->factors, fit.g[c]);
    fit.a = whole->a;
    fit.determined = whole->factors.determined;
    fit.inexact = whole->inexact;
    fit.fallback = none;
    return fit;
  }

  LS_METHOD void shade(Vec darkest, int count) {
    for (int k = 0; k < count; ++k) {
      Light<C>& light = lights[k];
      light.usable = ls::select(ls::sum_of(light.values) > darkest, light.given, Vec{});
    }
  }

  template <class Weights>
  LS_METHOD void apportion(const Weights& weights, int count) {
    for (int k = 0; k < count; ++k) lights[k].part = weights.part(lights[k].usable);
  }

  LS_METHOD Lit lit(Vec) { return {*this}; }
};

// The directions of a call as rows of weighted_fit.cuh.
struct Rows {
  float at[ls::row_length<Vec> * LS_MAX_LIGHTS];

  Rows(const float* directions, int lights) {
    for (int k = 0; k < lights; ++k) {
      const float* l = directions + 3 * k;
      float* row = at + ls::row_length<Vec> * k;
      memcpy(row, l, 3 * sizeof(float));
      if constexpr (ls::row_length<Vec> == 9) {
        const float products[6] = {l[0] * l[0], l[0] * l[1], l[0] * l[2],
                                   l[1] * l[1], l[1] * l[2], l[2] * l[2]};
        memcpy(row + 3, products, sizeof products);
      }
    }
  }
};

// What is known of blocks at the end; the quality only where it is asked for.
struct Solved {
  ls::RobustPixel<Vec> robust[turns];
  ls::Quality<Vec> quality[turns];
};

// Where the results of a call go; those from the residual on may be missing. `streaming` sends
// normals and albedo past the caches.
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
  bool streaming;
};

constexpr int64_t streamed_bytes = 16 << 20;  // of results that no cache holds to the end

LS_FN bool aligned(const void* address) {
  return reinterpret_cast<uintptr_t>(address) % sizeof(Vec) == 0;
}

template <int C, bool streaming>
LS_FN void write_pixels(const ls::Pixel<Vec>& pixel, int64_t p, const Results& to) {
  ls::store3_floats<streaming>(to.normals + 3 * p, pixel.normal.x, pixel.normal.y, pixel.normal.z);
  if constexpr (C == 3)
    ls::store3_floats<streaming>(to.albedo + 3 * p, pixel.albedo[0], pixel.albedo[1],
                                 pixel.albedo[2]);
  else
    ls::store_floats<streaming>(to.albedo + p, pixel.albedo[0]);
}

template <int C>
LS_FN void write(const ls::RobustPixel<Vec>& robust, const ls::Quality<Vec>& quality, int64_t p,
                 const Results& to) {
  const ls::Pixel<Vec>& pixel = robust.pixel;
  if (to.streaming)
    write_pixels<C, true>(pixel, p, to);
  else
    write_pixels<C, false>(pixel, p, to);
  Lanes<Vec>::store(to.valid + p, pixel.valid);
  if (to.residual) Lanes<Vec>::store(to.residual + p, pixel.residual);
  if (to.used) Lanes<Vec>::store(to.used + p, pixel.used);
  if (to.fallback) Lanes<Vec>::store(to.fallback + p, robust.fallback);
  if (!to.condition) return;
  Lanes<Vec>::store(to.condition + p, quality.condition);
  Lanes<Vec>::store(to.deviation + p, quality.deviation);
  Lanes<Vec>::store(to.saturated + p, quality.saturated);
  Lanes<Vec>::store(to.shadowed + p, quality.shadowed);
}

// The pixels of the last step, of which some are beyond the end.
template <int C>
struct Tail {
  static constexpr int size = turns * width;
  float normals[3 * size], albedo[C * size], residual[size], condition[size], deviation[size];
  uint8_t valid[size], used[size], fallback[size], saturated[size], shadowed[size];

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
            shadowed,
            false};
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
    block.complete = ls::splat<Vec>(1.0f);
    for (int k = 0; k < lights; ++k) {
      Light<C>& light = block.lights[k];
      light.given = source.load(k, light.values);
      block.complete = ls::lesser(block.complete, light.given);
    }
  }

  // One step: pixels from `at` on, which lie `stride` apart from light to light, to place p.
  template <class Solve>
  LS_METHOD void step(const T* at, int64_t stride, const uint8_t* inside, int lights,
                      Block<C> (&blocks)[turns], const Solve& solve, int64_t p,
                      const Results& to) const {
    Raw raw[turns];
    Vec within[turns];
    for (int i = 0; i < turns; ++i) {
      raw[i] = {at + i * width * samples, stride};
      within[i] = mask_value<Vec>(inside, i * width);
      stage(raw[i], lights, blocks[i]);
    }
    Solved solved;
    solve(blocks, raw, within, solved);
    for (int i = 0; i < turns; ++i)
      write<C>(solved.robust[i], solved.quality[i], p + i * width, to);
  }

  // solve(blocks, raw, inside, solved) does the blocks of a step.
  template <class Solve>
  LS_METHOD void run(int64_t n, const float* directions, int lights, Results to,
                     const Solve& solve) const {
    to.streaming = n * (3 + C) * int64_t(sizeof(float)) >= streamed_bytes && aligned(to.normals) &&
                   aligned(to.albedo);
    const Whole whole = whole_of(directions, lights);
    Block<C> blocks[turns];
    for (Block<C>& block : blocks) block.whole = &whole;
    constexpr int64_t together = turns * width;
    int64_t p = 0;
    for (; p + together <= n; p += together)
      step(img + p * samples, plane, mask ? mask + p : nullptr, lights, blocks, solve, p, to);
    if (to.streaming) Lanes<Vec>::fence();
    if (p == n) return;
    int64_t count = n - p, size = together * samples;
    T copies[LS_MAX_LIGHTS * size_t(together * samples)];
    uint8_t inside[together] = {};
    memset(inside, 1, count);
    if (mask) memcpy(inside, mask + p, count);
    for (int k = 0; k < lights; ++k) {
      memset(copies + k * size, 0, size * sizeof(T));
      memcpy(copies + k * size, img + k * plane + p * samples, count * samples * sizeof(T));
    }
    Tail<C> tail;
    step(copies, size, inside, lights, blocks, solve, 0, tail.results(to));
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
