// Least squares of one pixel over weighted lights: the normal equations, their solution, and what
// speaks against it. Values are those of a Source (robust.cuh).
#pragma once

#include "least_squares.cuh"

namespace ls {

// Weighted lights whose smallest pivot is below this share of the trace are not trusted: a few
// degrees from one plane they would multiply noise and rounding.
constexpr float trusted_pivot = 1e-3f;

// Below this share the sums cost too many digits of single precision, and the solution is refined.
constexpr float exact_pivot = 0.02f;

// A row of the directions is l and, where memory is nearer than multiplications, xx xy xz yy yz zz
// of ll' behind it: for vectors.
template <class F>
constexpr int row_length = 9;
template <>
constexpr int row_length<float> = 3;

template <class F>
LS_FN const float* row_of(const float* directions, int k) {
  return directions + row_length<F> * k;
}

template <int C, class F>
LS_FN F sum_of(const F (&v)[C]) {
  F sum = v[0];
  for (int c = 1; c < C; ++c) sum += v[c];
  return sum;
}

// Normal equations of weighted lights: a = sum w ll', b_c = sum w v_c l.
template <int C, class F>
struct System {
  Symmetric<F> a;
  Vector<F> b[C];
  F used;  // lights that count
};

// Member by member: for a whole struct GCC calls in a string instruction, which takes longer than
// the sums.
template <int C, class F>
LS_FN System<C, F> no_lights() {
  F none{};
  System<C, F> s;
  s.a = {none, none, none, none, none, none};
  for (int c = 0; c < C; ++c) s.b[c] = {none, none, none};
  s.used = none;
  return s;
}

template <int C, class F>
LS_FN void add_light(System<C, F>& s, const float* l, F w, const F (&v)[C]) {
  if constexpr (row_length<F> == 9) {
    s.a.xx += w * l[3];
    s.a.xy += w * l[4];
    s.a.xz += w * l[5];
    s.a.yy += w * l[6];
    s.a.yz += w * l[7];
    s.a.zz += w * l[8];
    for (int c = 0; c < C; ++c) {
      F wv = w * v[c];  // a missing sample stays missing: 0 times NaN is NaN
      s.b[c].x += wv * l[0];
      s.b[c].y += wv * l[1];
      s.b[c].z += wv * l[2];
    }
  } else {
    Vector<F> wl = {w * l[0], w * l[1], w * l[2]};
    s.a.xx += wl.x * l[0];
    s.a.xy += wl.x * l[1];
    s.a.xz += wl.x * l[2];
    s.a.yy += wl.y * l[1];
    s.a.yz += wl.y * l[2];
    s.a.zz += wl.z * l[2];
    for (int c = 0; c < C; ++c) {
      s.b[c].x += wl.x * v[c];
      s.b[c].y += wl.y * v[c];
      s.b[c].z += wl.z * v[c];
    }
  }
}

// g of every channel, the matrix that gave it, and what speaks against it.
template <int C, class F>
struct Fit {
  Vector<F> g[C];
  Symmetric<F> a;  // read with three channels only
  F determined;    // 1 or 0
  F inexact;       // 1 where single precision loses digits
  F fallback;      // 1 where a guard refused the robust estimate
};

// Takes the solution of a system where `wanted` and where the lights span three dimensions.
template <int C, class F>
LS_FN F accept(const System<C, F>& s, F wanted, float smallest, Fit<C, F>& fit) {
  Factors<F> f = factored(s.a, smallest);
  F ok = wanted * f.determined;
  auto yes = ok > F{};
  for (int c = 0; c < C; ++c) fit.g[c] = select(yes, substituted(f, s.b[c]), fit.g[c]);
  if constexpr (C == 3) fit.a = select(yes, s.a, fit.a);
  F most = greater(f.inverse0, greater(f.inverse1, f.inverse2)) * (s.a.xx + s.a.yy + s.a.zz);
  fit.inexact = select(most > splat<F>(1.0f / exact_pivot), ok, F{});
  return ok;
}

// The same for a system of what fit.g leaves, whose solution is added to it.
template <int C, class F>
LS_FN F improve(const System<C, F>& s, F wanted, float smallest, Fit<C, F>& fit) {
  Factors<F> f = factored(s.a, smallest);
  F ok = wanted * f.determined;
  auto yes = ok > F{};
  for (int c = 0; c < C; ++c) {
    Vector<F> d = substituted(f, s.b[c]);
    fit.g[c].x = select(yes, fit.g[c].x + d.x, fit.g[c].x);
    fit.g[c].y = select(yes, fit.g[c].y + d.y, fit.g[c].y);
    fit.g[c].z = select(yes, fit.g[c].z + d.z, fit.g[c].z);
  }
  if constexpr (C == 3) fit.a = select(yes, s.a, fit.a);
  return ok;
}

// The solution of a system; not determined where fewer than three lights count.
template <int C, class F>
LS_FN Fit<C, F> fitted(const System<C, F>& s, float smallest) {
  Fit<C, F> fit;
  F enough = select(s.used > splat<F>(2.5f), splat<F>(1.0f), F{});
  for (int c = 0; c < C; ++c) fit.g[c] = s.b[c];  // keeps what is missing
  fit.a = s.a;
  fit.fallback = F{};
  fit.determined = accept(s, enough, smallest, fit);
  return fit;
}

// Least squares over the usable lights of a source.
template <int C, class F, class Source>
LS_FN Fit<C, F> fit_usable(const Source& source, const float* directions, int lights,
                           float smallest) {
  System<C, F> s = no_lights<C, F>();
  for (int k = 0; k < lights; ++k) {
    F v[C];
    F w = source.load(k, v);
    s.used += w;
    add_light(s, row_of<F>(directions, k), w, v);
  }
  return fitted(s, smallest);
}

// Where a guard refused a fit, least squares over every usable light takes its place, if it can.
template <int C, class F>
LS_FN void fall_back(const Fit<C, F>& plain, Fit<C, F>& fit) {
  auto refused = fit.determined < splat<F>(0.5f);
  for (int c = 0; c < C; ++c) fit.g[c] = select(refused, plain.g[c], fit.g[c]);
  if constexpr (C == 3) fit.a = select(refused, plain.a, fit.a);
  fit.inexact = select(refused, plain.inexact, fit.inexact);
  fit.fallback = select(refused, plain.determined, F{});
  fit.determined = select(refused, plain.determined, fit.determined);
}

}  // namespace ls
