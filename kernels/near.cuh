// Photometric stereo under near lamps, one pixel at a time: with s_k = strength_k (-l_k.axis)^mu
// / d_k^2 l_k at the point of the pixel, g minimises sum (v_k - s_k.g)^2 (Queau et al., JMIV 2018).
// On the types of least_squares.cuh; ls::power(x, y) is that of the value type and comes first.
// Lengths are mm relative to the reference point, so that single precision is enough.
#pragma once

#include "quality.cuh"

struct NearTable {
  float position[3 * LS_MAX_LIGHTS];  // from the reference; row i starts at i * LS_MAX_LIGHTS
  float strength[LS_MAX_LIGHTS];      // mm^2
  float gain[LS_MAX_LIGHTS];
};

// Where a pixel looks. Its point is (a, b, 0) + t (a per_mm + slope_x, b per_mm + slope_y, -1): a
// and b at the reference depth, t the depth beyond it. Parallel lines of sight have per_mm 0.
struct NearSight {
  float affine[6];  // a = affine[0] x + affine[1] y + affine[2], b with the other three
  float slope_x, slope_y, per_mm;
  float plane[4];  // normal and offset of the assumed plane
};

namespace ls {

struct NearLimits {
  float low, high;  // of raw samples that count
  float shadow;     // samples at or below this share of a lit one are in shadow; 0: none is
};

template <class F>
struct NearPixel {
  Pixel<F> pixel;
  F fallback;  // 1 where samples in shadow had to be kept
};

// `lobes` has an axis and mu for every lamp, or is null where all shine evenly.
template <class F>
struct Lamps {
  const NearTable& table;
  const float* lobes;
  Vector<F> at;

  LS_METHOD Vector<F> row(int k) const {
    Vector<F> apart = {table.position[k] - at.x, table.position[LS_MAX_LIGHTS + k] - at.y,
                       table.position[2 * LS_MAX_LIGHTS + k] - at.z};
    F inverse = inverse_root(dot(apart, apart));
    F effect = inverse * inverse * inverse * table.strength[k];
    if (lobes != nullptr && lobes[4 * k + 3] > 0.0f) {
      const float* axis = lobes + 4 * k;
      F cosine = (apart.x * axis[0] + apart.y * axis[1] + apart.z * axis[2]) * inverse * -1.0f;
      F lobe = axis[3] == 1.0f ? cosine : power(cosine, axis[3]);
      effect = effect * select(cosine > F{}, lobe, F{});
    }
    return scaled(apart, effect);
  }
};

// a and b at the reference depth to a point; `inside` is left where it lies before the camera.
template <class F>
LS_FN Vector<F> point_of(const NearSight& sight, F a, F b, F t, F& inside) {
  inside = select(t * sight.per_mm > splat<F>(-1.0f), inside, F{});
  return {a + t * (a * sight.per_mm + sight.slope_x), b + t * (b * sight.per_mm + sight.slope_y),
          t * -1.0f};
}

// Depth beyond the reference at which a line of sight meets the assumed plane.
template <class F>
LS_FN F plane_depth(const NearSight& sight, F a, F b) {
  const float* n = sight.plane;
  F along = n[0] * (a * sight.per_mm + sight.slope_x) + n[1] * (b * sight.per_mm + sight.slope_y);
  return (n[3] - a * n[0] - b * n[1]) / (along - n[2]);
}

template <class F, class Source>
LS_FN F near_value(const Source& source, const NearTable& table, int k, const NearLimits& limits,
                   F& weight) {
  F raw[1];
  source.load(k, raw);
  weight = usable(raw, limits.low, limits.high);
  return raw[0] * table.gain[k];
}

template <class F>
LS_FN void add_row(System<1, F>& s, const Vector<F>& row, F weight, F value) {
  Vector<F> weighted = scaled(row, weight);
  s.a.xx += weighted.x * row.x;
  s.a.xy += weighted.x * row.y;
  s.a.xz += weighted.x * row.z;
  s.a.yy += weighted.y * row.y;
  s.a.yz += weighted.y * row.z;
  s.a.zz += weighted.z * row.z;
  s.b[0].x += weighted.x * value;  // a missing sample stays missing: 0 times NaN is NaN
  s.b[0].y += weighted.y * value;
  s.b[0].z += weighted.z * value;
  s.used += weight;
}

// 1 where a sample counts: a lamp that does not reach the point says nothing, nor does a shadow.
template <class F>
LS_FN F telling(F weight, F value, const Vector<F>& row, F shadow2) {
  F size2 = dot(row, row);
  weight = select(size2 > F{}, weight, F{});
  return select(value * greater(value, F{}) > size2 * shadow2, weight, F{});
}

// Normal equations over the samples brighter than a share of |s_k| |g|; its square is shadow2.
template <class F, class Source>
LS_FN System<1, F> near_system(const Source& source, const Lamps<F>& lamps, int lights,
                               const NearLimits& limits, F shadow2) {
  System<1, F> s{};
  for (int k = 0; k < lights; ++k) {
    F weight, value = near_value(source, lamps.table, k, limits, weight);
    Vector<F> row = lamps.row(k);
    add_row(s, row, telling(weight, value, row, shadow2), value);
  }
  return s;
}

template <class F>
LS_FN F enough(const System<1, F>& s) {
  return select(s.used > splat<F>(2.5f), splat<F>(1.0f), F{});
}

// What the lamps of a pixel, whose normal equations are `a`, add up to at g; `once` and `twice` are
// alike, because weights are 0 or 1.
template <class F, class Source>
LS_FN Sums<F> near_sums(const Source& source, const Lamps<F>& lamps, int lights,
                        const NearLimits& limits, F shadow2, const Symmetric<F>& a,
                        const Vector<F>& g, F used) {
  Sums<F> sums{a, a, used, used, {}, {}, used};
  for (int k = 0; k < lights; ++k) {
    F weight, value = near_value(source, lamps.table, k, limits, weight);
    Vector<F> row = lamps.row(k);
    F error = value - dot(row, g);
    weight = telling(weight, value, row, shadow2);
    sums.psi2 += weight * error * error;
    sums.light += weight * value;
  }
  return sums;
}

// Saturated samples of a valid pixel, and samples in shadow or below their limit.
template <class F, class Source>
LS_FN void count_near(const Source& source, const Lamps<F>& lamps, int lights,
                      const NearLimits& limits, const QualityModel& model, const Pixel<F>& pixel,
                      Quality<F>& quality) {
  F one = splat<F>(1.0f), none{}, saturated{}, shadowed{};
  F darkest = pixel.albedo[0] * pixel.albedo[0] * (model.shadow * model.shadow);
  for (int k = 0; k < lights; ++k) {
    F raw[1];
    source.load(k, raw);
    Vector<F> row = lamps.row(k);
    F value = raw[0] * lamps.table.gain[k];
    saturated += select(raw[0] < splat<F>(model.saturated), none, one);
    F lit = select(value * greater(value, none) > dot(row, row) * darkest, one, none);
    F dark = select(raw[0] > splat<F>(limits.low), one - lit, one);
    dark = select(raw[0] > splat<F>(model.marked), dark, none);
    shadowed += select(raw[0] < splat<F>(limits.high), dark, none);
  }
  auto ok = pixel.valid > none;
  quality.saturated = select(ok, saturated, none);
  quality.shadowed = select(ok, shadowed, none);
}

// What is wanted beside normal and albedo; the model is null where only the residual is.
template <class F>
struct NearWish {
  bool residual;
  const QualityModel* model;
  Quality<F>* quality;
};

// source.load(k, raw) gives the raw sample of light k; inside is the mask, 1 or 0.
template <class F, class Source>
LS_FN NearPixel<F> solved_near(const Source& source, const Lamps<F>& lamps, int lights,
                               const NearLimits& limits, float floor2, F inside,
                               const NearWish<F>& wish) {
  const F none = splat<F>(-1.0f);  // no share: every sample counts
  System<1, F> s = near_system(source, lamps, lights, limits, none);
  Fit<1, F> fit{};
  fit.determined = accept(s, enough(s), smallest_pivot, fit);
  F used = s.used, shadow2 = none;
  Symmetric<F> a = s.a;
  if (limits.shadow > 0.0f) {
    F darkest = dot(fit.g[0], fit.g[0]) * (limits.shadow * limits.shadow);
    s = near_system(source, lamps, lights, limits, darkest);
    F lit = accept(s, enough(s), trusted_pivot, fit);
    auto without = lit > F{};
    fit.fallback = select(without, F{}, fit.determined);
    used = select(without, s.used, used);
    a = select(without, s.a, a);
    shadow2 = select(without, darkest, none);
  }
  NearPixel<F> solved{one_albedo(fit.g[0], floor2, inside * fit.determined), {}};
  Pixel<F>& pixel = solved.pixel;
  pixel.used = used * pixel.valid;
  solved.fallback = fit.fallback * pixel.valid;
  if (wish.residual) {
    Sums<F> sums = near_sums(source, lamps, lights, limits, shadow2, a, fit.g[0], used);
    pixel.residual = select(pixel.valid > F{}, root(sums.psi2 / used), F{});
    if (wish.model != nullptr) {
      conclude<1>(sums, *wish.model, pixel, *wish.quality);
      count_near(source, lamps, lights, limits, *wish.model, pixel, *wish.quality);
    }
  }
  return solved;
}

}  // namespace ls
