// Photometric stereo that outliers do not bend, one pixel at a time: without shadows (gated), in a
// window of ranks (trimmed least squares), or by iteratively reweighted least squares (Holland and
// Welsch 1977), on the types of least_squares.cuh.
//
// A Source says what a pixel has to say, by
//   load(k, v)            the values of light k; returns whether they are usable (1 or 0)
//   fit_all(L, lights)    least squares over what is usable
//   shade(d, lights)      takes note of what is not above d and so in shadow,
//   lit(d)                and the source without it, which has, beside load,
//   weighed(w)            a source whose load returns each light's part in the weights w, of which
//   apportion(w, lights)  takes note before
// Values computes all of it at every load, for a GPU thread; Block of blocks.h keeps it in memory.
#pragma once

#include "weights.cuh"

namespace ls {

// A source whose load returns each light's part in its weight, found at every load.
template <int C, class F, class Source, class Weights>
struct Weighed {
  const Source& source;
  const Weights& weights;

  LS_METHOD F load(int k, F (&v)[C]) const { return weights.part(source.load(k, v)); }
};

template <class F>
LS_FN F length(const Vector<F>& a) {
  F norm2 = greater(dot(a, a), splat<F>(smallest2));
  return norm2 * inverse_root(norm2);
}

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
  LS_METHOD Weighed<C, F, Lit, Weights> weighed(const Weights& weights) const {
    return {*this, weights};
  }
};

// What a fit to lights that nearly share a plane leaves is fitted in turn (iterative refinement,
// Wilkinson 1963): rounding is then multiplied by the condition of the lights, not by its square.
template <int C, class F, class Source, class Weights>
LS_FN void refine(const Source& source, const float* directions, int lights,
                  const Weights& weights, Fit<C, F>& fit) {
  if (!any(fit.inexact)) return;
  System<C, F> s = no_lights<C, F>();
  for (int k = 0; k < lights; ++k) {
    F v[C], e[C];
    F usable = source.load(k, v);
    const float* l = row_of<F>(directions, k);
    left_by<C>(fit.g, l, v, e);
    add_light(s, l, select(fit.fallback > F{}, usable, weights(usable, v, l, fit.g)), e);
  }
  improve(s, fit.inexact, 0.0f, fit);
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
    add_light(s, row_of<F>(directions, k), w, v);
  }
  Fit<C, F> fit = fitted(s, trusted_pivot);
  if (any(one - fit.determined)) fall_back(source.fit_all(directions, lights), fit);
  refine(source, directions, lights, weights, fit);
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
    const float* l = row_of<F>(directions, k);
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
      for (int c = 0; c < C; ++c) darkest += length(plain.g[c]);
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
      if (any(splat<F>(1.0f) - fit.determined)) {
        fall_back(plain, fit);
        darkest = select(fit.fallback > F{}, splat<F>(-beyond), darkest);
        source->shade(darkest, task.lights);
      }
      refine(source->lit(darkest), task.directions, task.lights, EvenWeights<C, F>{}, fit);
    }
  }

  LS_METHOD void measure(const Task& task) {
    weights = scaled_weights<solver, C, F, room>(source->lit(darkest), task.directions,
                                                 task.lights, task.settings, task.floor2, fit.g);
    source->apportion(weights, task.lights);
    going = fit.determined * (splat<F>(1.0f) - fit.fallback);
  }

  // What g leaves of a light's values; returns the weight that follows from it.
  LS_METHOD F weigh(const Task& task, int k, F (&e)[C]) const {
    F v[C];
    F part = source->lit(darkest).weighed(weights).load(k, v);
    left_by<C>(fit.g, row_of<F>(task.directions, k), v, e);
    return weights.relative(part, mean_square<C>(e));
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

// Systems of what is left of every light. Sources abreast share what is read of a light; one alone
// takes all its weights before the sums, which would wait for their reciprocals.
template <int C, class F, int abreast, class Each>
LS_FN void sum_left(const Each* each, const Task& task, System<C, F> (&s)[abreast]) {
  constexpr bool alone = abreast == 1 && row_length<F> == 9;
  constexpr int kept = alone ? LS_MAX_LIGHTS : 1;
  F w[kept], e[kept][C];
  for (int k = 0; alone && k < task.lights; ++k) w[k] = each->weigh(task, k, e[k]);
  for (int k = 0; k < task.lights; ++k)
    for (int i = 0; i < abreast; ++i) {
      int at = alone ? k : 0;
      if constexpr (!alone) w[0] = each[i].weigh(task, k, e[0]);
      add_light(s[i], row_of<F>(task.directions, k), w[at], e[at]);
    }
}

// One weighted solve more, of what the last has left: so rounding is multiplied by the condition of
// the lights and not by its square. going turns 0 where a solve is refused.
template <int C, class F, int abreast, class Each>
LS_FN void reweight(Each* each, const Task& task) {
  System<C, F> s[abreast];
  for (int i = 0; i < abreast; ++i) s[i] = no_lights<C, F>();
  sum_left(each, task, s);
  for (int i = 0; i < abreast; ++i)
    each[i].going = improve(s[i], each[i].going, trusted_pivot, each[i].fit);
}

// Solves the pixels of `turns` sources.
template <RbSolver solver, int C, class F, int room, int abreast = 1, int turns, class Source,
          class Examiner>
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
      for (int i = 0; i < turns; i += abreast) reweight<C, F, abreast>(each + i, task);
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
  template <class Weights>
  LS_METHOD void apportion(const Weights&, int) const {}
  LS_METHOD Lit<columns(mode), F, Values> lit(F darkest) const { return {*this, darkest}; }
};

}  // namespace ls
