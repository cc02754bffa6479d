// How far a normal can be trusted, one pixel at a time: condition of its system, and its standard
// deviation by the covariance of weighted least squares, corrected as Huber (1981) does where the
// weights follow the residuals. Defined in mvps/stereo/quality.py; on the types of robust.cuh.
#pragma once

#include "robust.cuh"

struct QualityModel {
  float read, shot;  // a value v has the variance read + shot v, as the whole stack says
  float prior;       // degrees of freedom that this counts for beside the pixel's own
  float saturated;   // raw samples from here on are saturated
  float marked;      // raw samples up to here stand for unusable ones and say nothing
  float shadow;      // values at or below this share of the albedo are in shadow
};

namespace ls {

constexpr float least_slope = 0.25f;  // mean slope of psi below which a correction is no more one
constexpr float degrees = 57.29577951f;
constexpr float farthest_off = 90.0f;  // degrees; beyond, a deviation of directions means nothing

template <class F>
struct Quality {
  F condition, deviation, saturated, shadowed;
};

// Plain least squares: the table's pseudo-inverse where every light is usable.
template <int C, class F, class Source>
LS_FN Fit<C, F> fit_plain(const Source& source, const float* directions, const float* pinv,
                          int lights) {
  Fit<C, F> fit = fit_usable<C, F>(source, directions, lights, smallest_pivot);
  Vector<F> g[C] = {};
  F used{};
  for (int k = 0; k < lights; ++k) {
    F v[C];
    used += source.load(k, v);
    for (int c = 0; c < C; ++c) {
      g[c].x += v[c] * pinv[k];
      g[c].y += v[c] * pinv[LS_MAX_LIGHTS + k];
      g[c].z += v[c] * pinv[2 * LS_MAX_LIGHTS + k];
    }
  }
  auto complete = used > splat<F>(static_cast<float>(lights) - 0.5f);
  for (int c = 0; c < C; ++c) fit.g[c] = select(complete, g[c], fit.g[c]);
  fit.determined = select(complete, splat<F>(1.0f), fit.determined);
  return fit;
}

constexpr float huber_corner = 1.345f;  // robust deviations

// A light's part in the covariance, in the estimate of the noise, and the slope of its influence.
template <class F>
struct Parts {
  F weight, judged, slope;
};

template <int C, class F>
LS_FN Parts<F> parts(const EvenWeights<C, F>&, F w, F, const F (&)[C], const float*,
                     const Vector<F> (&)[C], float) {
  return {w, w, w};
}

template <int C, class F>
LS_FN Parts<F> parts(const RankWeights<C, F>&, F w, F, const F (&)[C], const float*,
                     const Vector<F> (&)[C], float) {
  return {w, w, w};
}

// Where weights follow the residuals, these are judged by Huber's weights. Those of L1 grow without
// end towards a residual of zero and give way to Huber's in the covariance as well.
template <RbSolver loss, int C, class F>
LS_FN Parts<F> parts(const LossWeights<loss, C, F>& weights, F w, F usable, const F (&v)[C],
                     const float* l, const Vector<F> (&g)[C], float tuning) {
  F corners2 = weights.inverse2 * (tuning * tuning / (huber_corner * huber_corner));
  F judged = usable * loss_weight<RB_HUBER>(squared_error<C>(v, l, g) * corners2);
  F flat = select(judged < splat<F>(1.0f), F{}, judged);
  return {loss == RB_HUBER ? judged : w, judged, flat};
}

template <class F>
LS_FN void add_outer(Symmetric<F>& s, const float* l, F w) {
  Vector<F> wl = {w * l[0], w * l[1], w * l[2]};
  s.xx += wl.x * l[0];
  s.xy += wl.x * l[1];
  s.xz += wl.x * l[2];
  s.yy += wl.y * l[1];
  s.yz += wl.y * l[2];
  s.zz += wl.z * l[2];
}

template <class F>
LS_FN F quadratic(const Symmetric<F>& s, const Vector<F>& x) {
  return dot(x, product(s, x));
}

template <class F>
LS_FN F largest_eigenvalue(const Symmetric<F>& s) {
  Vector<F> u = top_direction(s);
  return quadratic(s, u) / dot(u, u);
}

// What the lights of a pixel add up to.
template <class F>
struct Sums {
  Symmetric<F> once, twice;  // L'WL, L'W^2L
  // With the weights h that judge the noise: h, h^2, (h e)^2 and h v (means over the channels), and
  // the slope of h e.
  F weight, weight2, psi2, light, slope;
};

template <int C, class F, class Source, class Weights>
LS_FN Sums<F> summed(const Source& source, const float* directions, int lights,
                     const Weights& weights, float tuning, const Fit<C, F>& fit,
                     const Pixel<F>& pixel) {
  Sums<F> sums{};
  auto plain = fit.fallback > F{};
  for (int k = 0; k < lights; ++k) {
    F v[C];
    F usable = source.load(k, v);
    const float* l = row_of<F>(directions, k);
    Parts<F> part = parts(weights, weights(usable, v, l, fit.g), usable, v, l, fit.g, tuning);
    F w = select(plain, usable, part.weight), h = select(plain, usable, part.judged);
    add_outer(sums.once, l, w);
    add_outer(sums.twice, l, w * w);
    F shading = pixel.normal.x * l[0] + pixel.normal.y * l[1] + pixel.normal.z * l[2];
    F e2{};
    for (int c = 0; c < C; ++c) {
      F e = v[c] - shading * pixel.albedo[c];
      e2 += e * e;
    }
    sums.weight += h;
    sums.weight2 += h * h;
    sums.psi2 += h * h * e2 * (1.0f / C);
    sums.light += h * sum_of(v) * (1.0f / C);
    sums.slope += select(plain, usable, part.slope);
  }
  return sums;
}

// Condition of W^(1/2) L, and degrees of the standard deviation across the normal.
template <int C, class F>
LS_FN void conclude(const Sums<F>& sums, const QualityModel& model, const Pixel<F>& pixel,
                    Quality<F>& quality) {
  F one = splat<F>(1.0f), none{};
  Factors<F> f = factored(sums.once, 0.0f);
  Vector<F> x = substituted(f, {one, none, none}), y = substituted(f, {none, one, none}),
            z = substituted(f, {none, none, one}), n = substituted(f, pixel.normal);
  Symmetric<F> inverse = {x.x, x.y, x.z, y.y, y.z, z.z};
  F across = quadratic(sums.twice, x) + quadratic(sums.twice, y) + quadratic(sums.twice, z) -
             quadratic(sums.twice, n);
  F lights = sums.weight * sums.weight / sums.weight2;  // effective number (Kish 1965)
  F own = greater(lights * static_cast<float>(C) - (C == 3 ? 5.0f : 3.0f), none);
  F value = greater(sums.light / sums.weight, none);
  F squares = (value * model.shot + model.read) * model.prior +
              sums.psi2 / sums.weight2 * lights * static_cast<float>(C);
  F albedo2{};
  for (int c = 0; c < C; ++c) albedo2 += pixel.albedo[c] * pixel.albedo[c];
  F variance = squares / (own + model.prior) * greater(across, none) / albedo2;
  F correction = greater(sums.slope / sums.weight, splat<F>(least_slope));
  F deviation = lesser(root(variance) / correction * degrees, splat<F>(farthest_off));
  auto ok = pixel.valid > none;
  quality.deviation = select(ok, deviation, none);
  F condition = root(largest_eigenvalue(sums.once) * largest_eigenvalue(inverse));
  quality.condition = select(ok, condition, none);
}

// Looks at a solution for all that is known of it; stands where Judge does.
template <class F>
struct Examine {
  const QualityModel* model;
  float tuning;
  Quality<F>* quality;

  template <int C, class Source, class Weights>
  LS_METHOD void operator()(const Source& source, const float* directions, int lights,
                            const Weights& weights, const Fit<C, F>& fit,
                            Pixel<F>& pixel) const {
    judge(source, directions, lights, weights, fit, pixel);
    conclude<C>(summed(source, directions, lights, weights, tuning, fit, pixel), *model, pixel,
                *quality);
  }
};

template <RbSolver solver, int C, class F, int room, int abreast = 1, int turns, class Source>
LS_FN void solved_and_examined(Source (&sources)[turns], const float* pinv, const Task& task,
                               const F (&inside)[turns], const Examine<F> (&examine)[turns],
                               RobustPixel<F> (&results)[turns]) {
  if constexpr (solver == RB_PLAIN) {
    for (int i = 0; i < turns; ++i) {
      Fit<C, F> fit = fit_plain<C, F>(sources[i], task.directions, pinv, task.lights);
      results[i] = concluded<C, F>(sources[i], task.directions, task.lights, EvenWeights<C, F>{},
                                   fit, task.floor2, inside[i], examine[i]);
    }
  } else {
    solved_robustly<solver, C, F, room, abreast>(sources, task, inside, examine, results);
  }
}

// Saturated samples and samples in shadow of a valid pixel; raw gives those of light k.
template <LsMode mode, class F, class Raw>
LS_FN void count_extremes(const Raw& raw, const LsTable& table, int lights, float clamp,
                          const QualityModel& model, float low, const Pixel<F>& pixel,
                          Quality<F>& quality) {
  constexpr int samples = samples_per_light(mode);
  F darkest = pixel.albedo[0], one = splat<F>(1.0f), saturated{}, shadowed{};
  for (int c = 1; c < columns(mode); ++c) darkest += pixel.albedo[c];
  darkest = darkest * model.shadow;
  for (int k = 0; k < lights; ++k) {
    F read[samples], v[columns(mode)];
    raw.load(k, read);
    signals<mode>(read, table.gain + k * samples, clamp, v);
    F value = sum_of(v) * unit_of<mode>(table, k), top = read[0];
    for (int c = 1; c < samples; ++c) top = greater(read[c], top);
    saturated += select(top < splat<F>(model.saturated), F{}, one);
    F dark = select(value > darkest, select(top > splat<F>(low), F{}, one), one);
    shadowed += select(top > splat<F>(model.marked), dark, F{});
  }
  auto ok = pixel.valid > F{};
  quality.saturated = select(ok, saturated, F{});
  quality.shadowed = select(ok, shadowed, F{});
}

}  // namespace ls
