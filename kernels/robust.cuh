// Photometric stereo that outliers do not bend, one pixel at a time: without shadows (gated), in a
// window of ranks (trimmed least squares), or by iteratively reweighted least squares (Holland and Welsch 1977), on the types of
// least_squares.cuh.
//
// A Source says what a pixel has to say, by
//   load(k, v)          the values of light k; returns whether they are usable (1 or 0)
//   fit_all(L, lights)  least squares over what is usable
//   shade(d, lights)    takes note of what is not above d and so in shadow,
//   lit(d)              and the source without it, which has, beside load,
//   weighed(w, L, lights, g)   a source whose load returns the weights w that follow from g
// Values computes all of it at every load, for a GPU thread; Block of blocks.h keeps it in memory.
#pragma once

#include "ranks.cuh"
#include "weighted_fit.cuh"

// RB_PLAIN, all usable samples alike, is asked for only where the quality is wanted (quality.cuh).
enum RbSolver { RB_GATED, RB_TRIMMED, RB_CAUCHY, RB_HUBER, RB_TUKEY, RB_PLAIN };

struct RbSettings {
  int solver;        // an RbSolver
  int lower, upper;  // trimmed: samples left out at either end of the ranks
  int iterations;    // reweighted solves after the plain one
  float tuning;      // residuals are measured in this many robust standard deviations
  float epsilon;     // least robust standard deviation, as a share of |g|
  float shadow;      // samples at or below this share of a lit one are in shadow
};

namespace ls {

constexpr float deviation_of_median = 1.4826f;  // of |e|, for a normal distribution
constexpr float farthest2 = 1e12f;              // squared residuals beyond count as this
constexpr float counts = 0.01f;                 // a light with less than this weight does not
// A source's lights with weights, computed at every load.
template <int C, class F, class Source, class Weights>
struct Weighed {
  const Source& source;
  const Weights& weights;
  const float* directions;
  const Vector<F> (&g)[C];

  LS_METHOD F load(int k, F (&v)[C]) const {
    F usable = source.load(k, v);
    return weights(usable, v, directions + 3 * k, g);
  }
};

// A source whose samples in shadow are not usable, found at every load.
template <int C, class F, class Source>
struct Lit {
  const Source& source;
  F darkest;

  LS_METHOD F load(int k, F (&v)[C]) const {
    F usable = source.load(k, v);
    return select(sum_of(v) > darkest, usable, F{});
  }

  template <class Weights>
  LS_METHOD Weighed<C, F, Lit, Weights> weighed(const Weights& weights, const float* directions,
                                                int, const Vector<F> (&g)[C]) const {
    return {*this, weights, directions, g};
  }
};

template <int C, class F>
LS_FN F squared_error(const F (&v)[C], const float* l, const Vector<F> (&g)[C]) {
  F sum{};
  for (int c = 0; c < C; ++c) {
    F e = v[c] - g[c].x * l[0] - g[c].y * l[1] - g[c].z * l[2];
    sum += e * e;
  }
  return C == 1 ? sum : sum * (1.0f / C);
}

// Right to 12 bits or more: an error of a weight moves g by its share of a residual only.
template <class F>
LS_FN F rough_reciprocal(F x) {
  return reciprocal(lesser(x, splat<F>(farthest2)));  // Newton's step cannot take infinity
}

template <RbSolver loss, class F>
LS_FN F loss_weight(F u2) {
  F one = splat<F>(1.0f);
  if constexpr (loss == RB_CAUCHY) return rough_reciprocal(one + u2);
  u2 = lesser(u2, splat<F>(farthest2));
  if constexpr (loss == RB_HUBER) {
    return select(u2 > one, inverse_root(u2), one);
  } else {
    F rest = greater(one - u2, F{});
    return rest * rest;
  }
}

template <int C, class F>
struct EvenWeights {
  LS_METHOD F operator()(F usable, const F (&)[C], const float*, const Vector<F> (&)[C]) const {
    return usable;
  }
};

// w = usable * loss((e / s)^2) with one scale s a pixel, from the residuals of the plain fit.
template <RbSolver loss, int C, class F>
struct LossWeights {
  F inverse2;  // 1 / s^2

  LS_METHOD F operator()(F usable, const F (&v)[C], const float* l,
                         const Vector<F> (&g)[C]) const {
    return usable * loss_weight<loss>(squared_error<C>(v, l, g) * inverse2);
  }
};

template <RbSolver loss, int C, class F, int room, class Source>
LS_FN LossWeights<loss, C, F> scaled_weights(const Source& source, const float* directions,
                                             int lights, const RbSettings& settings,
                                             float floor2, const Vector<F> (&g)[C]) {
  auto error2 = [&](int k) {
    F v[C];
    F usable = source.load(k, v);
    // An unusable sample is farther off than any other.
    F e2 = squared_error<C>(v, directions + 3 * k, g);
    return select(usable > F{}, e2, splat<F>(1e30f));
  };
  F median2 = median<room, F>(error2, lights);
  F norm2{};
  for (int c = 0; c < C; ++c) norm2 += dot(g[c], g[c]);
  norm2 = norm2 * (settings.epsilon * settings.epsilon / C);
  F scale2 = greater(median2 * (deviation_of_median * deviation_of_median), norm2);
  scale2 = greater(scale2, splat<F>(floor2)) * (settings.tuning * settings.tuning);
  return {reciprocal(scale2)};
}

// One weighted solve after another; going turns 0 where one is refused.
template <RbSolver loss, int C, class F, class Source>
LS_FN void reweight(const Source& source, const float* directions, int lights,
                    const LossWeights<loss, C, F>& weights, F& going, Fit<C, F>& fit) {
  System<C, F> s = no_lights<C, F>();
  auto weighed = source.weighed(weights, directions, lights, fit.g);
  for (int k = 0; k < lights; ++k) {
    F v[C];
    F w = weighed.load(k, v);
    add_light(s, directions + 3 * k, w, v);
  }
  going = accept(s, going, trusted_pivot, fit);
}

// Where the kept ranks begin and end. Samples that tie across an end share its places, each with
// the same part of a weight, so that the order of the lights is of no consequence.
template <int C, class F>
struct RankWeights {
  F first, last;              // the largest key left out below, the smallest left out above
  F darkest;                  // keys up to here are in shadow
  F share_first, share_last;  // weight of keys equal to these

  LS_METHOD F operator()(F usable, const F (&v)[C], const float*, const Vector<F> (&)[C]) const {
    F x = sum_of(v), one = splat<F>(1.0f);
    F lower = select(x < first, F{}, select(x > first, one, share_first));
    F upper = select(x > last, F{}, select(x < last, one, share_last));
    return select(x > darkest, usable * (lower + upper - one), F{});
  }
};

template <int C, class F, int room, class Source>
LS_FN RankWeights<C, F> rank_weights(const Source& source, int lights,
                                     const RbSettings& settings) {
  auto key = [&](int k) {
    F v[C];
    source.load(k, v);
    return sum_of(v);
  };
  int lower = settings.lower, upper = settings.upper;
  auto negative = [&](int k) { return F{} - key(k); };
  F one = splat<F>(1.0f), end = splat<F>(beyond);
  RankWeights<C, F> weights = {F{} - end, end, F{}, one, one};
  if (lower > 0) weights.first = ranked<room, F>(key, lights, lower);
  if (upper > 0) weights.last = F{} - ranked<room, F>(negative, lights, upper);
  F below{}, above{}, at_first{}, at_last{}, brightest = weights.first;
  for (int k = 0; k < lights; ++k) {
    F x = key(k);
    brightest = greater(brightest, x);
    below += select(x < weights.first, one, F{});
    above += select(x > weights.last, one, F{});
    at_first += select(x == weights.first, one, F{});
    at_last += select(x == weights.last, one, F{});
  }
  if (lower > 0)
    weights.share_first = one - (splat<F>(static_cast<float>(lower)) - below) / at_first;
  if (upper > 0)
    weights.share_last = one - (splat<F>(static_cast<float>(upper)) - above) / at_last;
  weights.darkest = lesser(brightest, weights.last) * settings.shadow;
  return weights;
}

// Least squares over the window; where its lights do not span three dimensions, over all usable.
template <int C, class F, class Source>
LS_FN Fit<C, F> fit_window(const Source& source, const float* directions, int lights,
                           const RankWeights<C, F>& weights) {
  System<C, F> s = no_lights<C, F>();
  Vector<F> g[C];  // which these weights do not ask for
  F one = splat<F>(1.0f);
  for (int k = 0; k < lights; ++k) {
    F v[C];
    F usable = source.load(k, v);
    F w = weights(usable, v, nullptr, g);
    s.used += select(w > splat<F>(counts), one, F{});
    add_light(s, directions + 3 * k, w, v);
  }
  Fit<C, F> fit = fitted(s, trusted_pivot);
  if (any(one - fit.determined)) fall_back(source.fit_all(directions, lights), fit);
  return fit;
}

template <class F>
struct RobustPixel {
  Pixel<F> pixel;
  F fallback;
};

// Lights that count at the final normal and the weighted root mean square of what it leaves. Where
// a guard took over, every usable light counts alike.
template <int C, class F, class Source, class Weights>
LS_FN void judge(const Source& source, const float* directions, int lights,
                 const Weights& weights, const Fit<C, F>& fit, Pixel<F>& pixel) {
  F sum{}, total{}, one = splat<F>(1.0f);
  for (int k = 0; k < lights; ++k) {
    F v[C];
    F usable = source.load(k, v);
    const float* l = directions + 3 * k;
    F w = select(fit.fallback > F{}, usable, weights(usable, v, l, fit.g));
    pixel.used += select(w > splat<F>(counts), one, F{});
    total += w;
    F shading = pixel.normal.x * l[0] + pixel.normal.y * l[1] + pixel.normal.z * l[2];
    for (int c = 0; c < C; ++c) {
      F e = v[c] - shading * pixel.albedo[c];
      sum += w * e * e;
    }
  }
  auto ok = pixel.valid > F{};
  pixel.residual = select(ok, root(sum / (total * static_cast<float>(C))), F{});
  pixel.used = select(ok, pixel.used, F{});
}

// Looks at a solution where that is wanted.
struct Judge {
  bool wanted;

  template <int C, class F, class Source, class Weights>
  LS_METHOD void operator()(const Source& source, const float* directions, int lights,
                            const Weights& weights, const Fit<C, F>& fit,
                            Pixel<F>& pixel) const {
    if (wanted) judge(source, directions, lights, weights, fit, pixel);
  }
};

template <int C, class F, class Source, class Weights, class Examiner>
LS_FN RobustPixel<F> concluded(const Source& source, const float* directions, int lights,
                               const Weights& weights, const Fit<C, F>& fit, float floor2,
                               F inside, const Examiner& examine) {
  RobustPixel<F> result;
  if constexpr (C == 3)
    result.pixel = three_albedos(fit.g, fit.a, floor2, inside * fit.determined);
  else
    result.pixel = one_albedo(fit.g[0], floor2, inside * fit.determined);
  result.fallback = fit.fallback * result.pixel.valid;
  examine(source, directions, lights, weights, fit, result.pixel);
  return result;
}

template <RbSolver solver, int C, class F>
struct WeightsOf {
  typedef LossWeights<solver, C, F> type;
};
template <int C, class F>
struct WeightsOf<RB_GATED, C, F> {
  typedef EvenWeights<C, F> type;
};
template <int C, class F>
struct WeightsOf<RB_TRIMMED, C, F> {
  typedef RankWeights<C, F> type;
};

// What is asked of every pixel.
struct Task {
  const float* directions;
  int lights;
  RbSettings settings;
  float floor2;
};

// The steps to a pixel's solution. Apart, so that a processor can take them for several vectors in
// turn: while the solve of one waits for its divisions, the sums of another go on.
template <RbSolver solver, int C, class F, int room, class Source>
struct Steps {
  static constexpr bool windowed = solver == RB_TRIMMED;
  static constexpr bool reweighted = !windowed && solver != RB_GATED;

  Source* source;
  typename WeightsOf<solver, C, F>::type weights;
  Fit<C, F> plain, fit;
  F darkest, going;

  LS_METHOD Steps() {}  // leaves its members as they are

  // What shows in the window, or in shadow: all that is below a share of the plain fit's |g|.
  LS_METHOD void look(const Task& task) {
    if constexpr (windowed) {
      weights = rank_weights<C, F, room>(*source, task.lights, task.settings);
    } else {
      plain = source->fit_all(task.directions, task.lights);
      darkest = F{};
      for (int c = 0; c < C; ++c) darkest += root(dot(plain.g[c], plain.g[c]));
      darkest = darkest * task.settings.shadow;
      source->shade(darkest, task.lights);
    }
  }

  // Least squares in the window or without shadows; these are let in again where that is refused.
  LS_METHOD void start(const Task& task) {
    if constexpr (windowed) {
      fit = fit_window<C, F>(*source, task.directions, task.lights, weights);
    } else {
      auto lit = source->lit(darkest);
      fit = fit_usable<C, F>(lit, task.directions, task.lights, trusted_pivot);
      if (!any(splat<F>(1.0f) - fit.determined)) return;
      fall_back(plain, fit);
      darkest = select(fit.fallback > F{}, splat<F>(-beyond), darkest);
      source->shade(darkest, task.lights);
    }
  }

  LS_METHOD void measure(const Task& task) {
    weights = scaled_weights<solver, C, F, room>(source->lit(darkest), task.directions,
                                                 task.lights, task.settings, task.floor2, fit.g);
    going = fit.determined * (splat<F>(1.0f) - fit.fallback);
  }

  LS_METHOD void again(const Task& task) {
    reweight(source->lit(darkest), task.directions, task.lights, weights, going, fit);
  }

  template <class Examiner>
  LS_METHOD RobustPixel<F> end(const Task& task, F inside, const Examiner& examine) {
    if constexpr (reweighted) fit.fallback = fit.determined * (splat<F>(1.0f) - going);
    if constexpr (windowed)
      return concluded<C, F>(*source, task.directions, task.lights, weights, fit, task.floor2,
                             inside, examine);
    else
      return concluded<C, F>(source->lit(darkest), task.directions, task.lights, weights, fit,
                             task.floor2, inside, examine);
  }
};

// Solves the pixels of `turns` sources.
template <RbSolver solver, int C, class F, int room, int turns, class Source, class Examiner>
LS_FN void solved_robustly(Source (&sources)[turns], const Task& task, const F (&inside)[turns],
                           const Examiner (&examine)[turns], RobustPixel<F> (&results)[turns]) {
  typedef Steps<solver, C, F, room, Source> Each;
  Each each[turns];
  for (int i = 0; i < turns; ++i) each[i].source = &sources[i];
  for (int i = 0; i < turns; ++i) each[i].look(task);
  for (int i = 0; i < turns; ++i) each[i].start(task);
  if constexpr (Each::reweighted) {
    for (int i = 0; i < turns; ++i) each[i].measure(task);
    for (int n = 0; n < task.settings.iterations; ++n)
      for (int i = 0; i < turns; ++i) each[i].again(task);
  }
  for (int i = 0; i < turns; ++i) results[i] = each[i].end(task, inside[i], examine[i]);
}

// Deepest rank that a solver asks for.
LS_FN int deepest_rank(const RbSettings& settings, int lights) {
  if (settings.solver == RB_GATED || settings.solver == RB_PLAIN) return 0;
  if (settings.solver != RB_TRIMMED) return (lights + 1) / 2;
  return settings.lower > settings.upper ? settings.lower : settings.upper;
}

// Values from raw samples, computed at every load: raw.load(k, samples) reads those of light k.
template <LsMode mode, class F, class Raw>
struct Values {
  const Raw& raw;
  const LsTable& table;
  float clamp, low, high;

  LS_METHOD F load(int k, F (&v)[columns(mode)]) const {
    constexpr int samples = samples_per_light(mode);
    F read[samples];
    raw.load(k, read);
    signals<mode>(read, table.gain + k * samples, clamp, v);
    if constexpr (mode == LS_GREY) v[0] = v[0] * table.gain[k];
    return usable(read, low, high);
  }

  LS_METHOD Fit<columns(mode), F> fit_all(const float* directions, int lights) const {
    return fit_usable<columns(mode), F>(*this, directions, lights, smallest_pivot);
  }
  LS_METHOD void shade(F, int) const {}
  LS_METHOD Lit<columns(mode), F, Values> lit(F darkest) const { return {*this, darkest}; }
};

}  // namespace ls
