// Weights of a pixel's lights: all alike, by a loss of the residuals (Holland and Welsch 1977), or
// by a window of ranks. A Source is that of robust.cuh.
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
constexpr float smallest2 = 1e-30f;             // squared lengths below count as this
constexpr float counts = 0.01f;                 // a light with less than this weight does not

// What g leaves of a light's values, and its mean square over the channels.
template <int C, class F>
LS_FN void left_by(const Vector<F> (&g)[C], const float* l, const F (&v)[C], F (&e)[C]) {
  for (int c = 0; c < C; ++c) e[c] = v[c] - g[c].x * l[0] - g[c].y * l[1] - g[c].z * l[2];
}

template <int C, class F>
LS_FN F mean_square(const F (&e)[C]) {
  F sum = e[0] * e[0];
  for (int c = 1; c < C; ++c) sum += e[c] * e[c];
  return C == 1 ? sum : sum * (1.0f / C);
}

template <int C, class F>
LS_FN F squared_error(const F (&v)[C], const float* l, const Vector<F> (&g)[C]) {
  F e[C];
  left_by<C>(g, l, v, e);
  return mean_square<C>(e);
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
  F scale2, inverse2;  // s^2 and 1 / s^2

  LS_METHOD F operator()(F usable, const F (&v)[C], const float* l,
                         const Vector<F> (&g)[C]) const {
    return usable * loss_weight<loss>(squared_error<C>(v, l, g) * inverse2);
  }

  // The same up to a factor of the pixel's own, which a fit does not feel, from e^2 and the light's
  // part. Cauchy's is 1 / (s^2 + e^2), with an endless s^2 for what is not usable.
  LS_METHOD F part(F usable) const {
    return loss == RB_CAUCHY ? select(usable > F{}, scale2, endless(scale2)) : usable;
  }
  LS_METHOD F relative(F part, F e2) const {
    if constexpr (loss == RB_CAUCHY) return rough_reciprocal(part + e2);
    return part * loss_weight<loss>(e2 * inverse2);
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
    F e2 = squared_error<C>(v, row_of<F>(directions, k), g);
    return select(usable > F{}, e2, splat<F>(1e30f));
  };
  F median2 = median<room, F>(error2, lights);
  F norm2{};
  for (int c = 0; c < C; ++c) norm2 += dot(g[c], g[c]);
  norm2 = norm2 * (settings.epsilon * settings.epsilon / C);
  F scale2 = greater(median2 * (deviation_of_median * deviation_of_median), norm2);
  scale2 = greater(scale2, splat<F>(floor2)) * (settings.tuning * settings.tuning);
  return {scale2, reciprocal(scale2)};
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

}  // namespace ls
