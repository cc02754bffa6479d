// Photometric stereo by least squares, one pixel at a time:
// g = (L'L)^-1 L'v, n = g/|g|, albedo = |g| (Woodham 1980).
// F is the value type: float for a CUDA thread, a SIMD vector for a block of CPU lanes.
// No branch depends on a pixel; a value that does not apply is computed and not selected.
#pragma once

#ifdef __CUDACC__
#define LS_METHOD __device__ __forceinline__
#else
#include <math.h>
#define LS_METHOD inline __attribute__((always_inline))
#endif
#define LS_FN static LS_METHOD

enum LsLimits { LS_MAX_LIGHTS = 128 };

// How samples become values v. LS_GREY: one sample a light; its gain is folded into pinv, so that
// raw samples are multiplied as they are. LS_RGB: v = min(clamp, gain . rgb), one value a light.
// LS_CHANNELS: v = gain * sample in each of three channels, one normal shared by all.
enum LsMode { LS_GREY, LS_RGB, LS_CHANNELS };

struct LsTable {
  float pinv[3 * LS_MAX_LIGHTS];  // (L'L)^-1 L', row i starts at i * LS_MAX_LIGHTS
  float gain[3 * LS_MAX_LIGHTS];  // light k, channel c of C at k * C + c
  float normal_matrix[6];         // L'L: xx xy xz yy yz zz
};

namespace ls {

// |g|^2 from here on is no albedo; far below float's overflow.
constexpr float ceiling2 = 1e30f;
// Usable lights whose smallest pivot of L'L is below this share of its trace lie in a plane.
constexpr float smallest_pivot = 1e-5f;
// S^(2^squarings): a second eigenvalue at 0.9 of the first is damped to 2e-12.
constexpr int squarings = 8;

LS_FN constexpr int samples_per_light(LsMode mode) { return mode == LS_GREY ? 1 : 3; }
LS_FN constexpr int columns(LsMode mode) { return mode == LS_CHANNELS ? 3 : 1; }

template <class Condition, class F>
LS_FN F select(Condition condition, F yes, F no) {
  return condition ? yes : no;
}

LS_FN float lesser(float a, float b) { return a < b ? a : b; }
LS_FN float greater(float a, float b) { return a > b ? a : b; }
LS_FN bool any(float x) { return x != 0.0f; }
LS_FN float root(float x) { return sqrtf(x); }
LS_FN float inverse_root(float x) { return 1.0f / sqrtf(x); }
LS_FN float reciprocal(float x) { return 1.0f / x; }
// Right to 12 bits or more; that of endless, and of more, is 0.
LS_FN float rough_reciprocal(float x) { return 1.0f / x; }
LS_FN float endless(float) {
  float most = 3e38f;
  return most * most;
}

// A sample of 2^50 or more (infinite, or a "no data" of FLT_MAX) counts as missing: it becomes NaN
// here, by overflow, so that no minimum and no limit can hide it later.
template <class F>
LS_FN F missing_if_absurd(F x) {
  return x + x * 0x1p78f * 0.0f;
}

template <class F>
LS_FN F splat(float x) {
  return F{} + x;
}

template <class F>
struct Vector {
  F x, y, z;
};

template <class F>
struct Symmetric {
  F xx, xy, xz, yy, yz, zz;
};

template <class F>
struct Pixel {
  Vector<F> normal;
  F albedo[3];
  F valid;  // 1 or 0
  F residual;
  F used;
};

template <class F>
LS_FN F dot(const Vector<F>& a, const Vector<F>& b) {
  return a.x * b.x + a.y * b.y + a.z * b.z;
}

template <class F>
LS_FN Vector<F> scaled(const Vector<F>& a, F factor) {
  return {a.x * factor, a.y * factor, a.z * factor};
}

template <class F>
LS_FN Vector<F> product(const Symmetric<F>& m, const Vector<F>& a) {
  return {m.xx * a.x + m.xy * a.y + m.xz * a.z, m.xy * a.x + m.yy * a.y + m.yz * a.z,
          m.xz * a.x + m.yz * a.y + m.zz * a.z};
}

template <class F>
LS_FN Symmetric<F> spread(const float (&m)[6]) {
  return {splat<F>(m[0]), splat<F>(m[1]), splat<F>(m[2]),
          splat<F>(m[3]), splat<F>(m[4]), splat<F>(m[5])};
}

template <class F, class Condition>
LS_FN Vector<F> select(Condition condition, Vector<F> yes, Vector<F> no) {
  return {select(condition, yes.x, no.x), select(condition, yes.y, no.y),
          select(condition, yes.z, no.z)};
}

template <class F, class Condition>
LS_FN Symmetric<F> select(Condition condition, Symmetric<F> yes, Symmetric<F> no) {
  return {select(condition, yes.xx, no.xx), select(condition, yes.xy, no.xy),
          select(condition, yes.xz, no.xz), select(condition, yes.yy, no.yy),
          select(condition, yes.yz, no.yz), select(condition, yes.zz, no.zz)};
}

// What pinv multiplies, from the raw samples of one light; gain points at that light's entry.
template <LsMode mode, class F>
LS_FN void signals(const F (&raw)[samples_per_light(mode)], const float* gain, float clamp,
                   F (&signal)[columns(mode)]) {
  if constexpr (mode == LS_GREY) {
    signal[0] = raw[0];
  } else if constexpr (mode == LS_RGB) {
    F sum = raw[0] * gain[0] + raw[1] * gain[1] + raw[2] * gain[2];
    F limit = splat<F>(clamp);
    signal[0] = select(limit < sum, limit, sum);  // in this order NaN stays NaN
  } else {
    for (int c = 0; c < 3; ++c) signal[c] = raw[c] * gain[c];
  }
}

template <class F>
LS_FN void add_projection(const LsTable& table, int k, F signal, Vector<F>& g) {
  g.x += signal * table.pinv[k];
  g.y += signal * table.pinv[LS_MAX_LIGHTS + k];
  g.z += signal * table.pinv[2 * LS_MAX_LIGHTS + k];
}

// 1 where the pixel counts: inside the mask, above the noise floor, every sample finite.
template <class F>
LS_FN F judged(F norm2, float floor2, F inside) {
  F ok = select(norm2 > splat<F>(floor2), inside, F{});
  return select(norm2 < splat<F>(ceiling2), ok, F{});
}

template <class F>
LS_FN Pixel<F> one_albedo(const Vector<F>& g, float floor2, F inside) {
  F norm2 = dot(g, g);
  F inverse = inverse_root(norm2);
  F none{};
  Pixel<F> pixel;
  pixel.albedo[1] = pixel.albedo[2] = pixel.residual = pixel.used = none;
  pixel.valid = judged(norm2, floor2, inside);
  auto ok = pixel.valid > F{};
  pixel.normal = select(ok, scaled(g, inverse), Vector<F>{none, none, none});
  pixel.albedo[0] = select(ok, norm2 * inverse, F{});
  return pixel;
}

template <class F>
LS_FN Symmetric<F> squared(const Symmetric<F>& s) {
  F inverse = splat<F>(1.0f) / (s.xx + s.yy + s.zz);
  F xx = s.xx * inverse, xy = s.xy * inverse, xz = s.xz * inverse;
  F yy = s.yy * inverse, yz = s.yz * inverse, zz = s.zz * inverse;
  return {xx * xx + xy * xy + xz * xz, xx * xy + xy * yy + xz * yz, xx * xz + xy * yz + xz * zz,
          xy * xy + yy * yy + yz * yz, xy * xz + yy * yz + yz * zz, xz * xz + yz * yz + zz * zz};
}

// Eigenvector of the largest eigenvalue, to a scale; its sum is not negative.
template <class F>
LS_FN Vector<F> top_direction(Symmetric<F> s) {
  for (int i = 0; i < squarings; ++i) s = squared(s);
  // Every column is now that vector times one of its components: take the largest.
  auto second = s.yy > s.xx;
  F top = select(second, s.yy, s.xx);
  Vector<F> u = select(second, Vector<F>{s.xy, s.yy, s.yz}, Vector<F>{s.xx, s.xy, s.xz});
  u = select(s.zz > top, Vector<F>{s.xz, s.yz, s.zz}, u);
  return select(u.x + u.y + u.z < F{}, scaled(u, splat<F>(-1.0f)), u);
}

// min over n, rho of sum_c |v_c - rho_c L n|^2: with A = L'L and G = [g_0 g_1 g_2], rho points
// along the top eigenvector of G'AG, n along G rho, and rho_c = g_c'An / n'An.
template <class F>
LS_FN Pixel<F> three_albedos(const Vector<F> (&g)[3], const Symmetric<F>& a, float floor2,
                             F inside) {
  Vector<F> a0 = product(a, g[0]), a1 = product(a, g[1]), a2 = product(a, g[2]);
  Vector<F> u = top_direction(Symmetric<F>{dot(g[0], a0), dot(g[0], a1), dot(g[0], a2),
                                           dot(g[1], a1), dot(g[1], a2), dot(g[2], a2)});
  Vector<F> n = {g[0].x * u.x + g[1].x * u.y + g[2].x * u.z,
                 g[0].y * u.x + g[1].y * u.y + g[2].y * u.z,
                 g[0].z * u.x + g[1].z * u.y + g[2].z * u.z};
  n = scaled(n, inverse_root(dot(n, n)));
  Vector<F> an = product(a, n);
  F inverse = splat<F>(1.0f) / dot(n, an);
  Pixel<F> pixel{};
  pixel.valid = judged(dot(g[0], g[0]) + dot(g[1], g[1]) + dot(g[2], g[2]), floor2, inside);
  auto ok = pixel.valid > F{};
  pixel.normal = select(ok, n, Vector<F>{});
  for (int c = 0; c < 3; ++c) pixel.albedo[c] = select(ok, dot(g[c], an) * inverse, F{});
  return pixel;
}

template <LsMode mode, class F>
LS_FN Pixel<F> finished(const Vector<F> (&g)[columns(mode)], const Symmetric<F>& a, float floor2,
                        F inside) {
  if constexpr (mode == LS_CHANNELS)
    return three_albedos(g, a, floor2, inside);
  else
    return one_albedo(g[0], floor2, inside);
}

// All lights count. source.load(k, raw) gives the raw samples of light k; inside is the mask,
// 1 or 0.
template <LsMode mode, class F, class Source>
LS_FN Pixel<F> solved(const Source& source, const LsTable& table, int lights, float clamp,
                      float floor2, F inside) {
  Vector<F> g[columns(mode)] = {};
  for (int k = 0; k < lights; ++k) {
    F raw[samples_per_light(mode)], signal[columns(mode)];
    source.load(k, raw);
    signals<mode>(raw, table.gain + k * samples_per_light(mode), clamp, signal);
    for (int c = 0; c < columns(mode); ++c) add_projection(table, k, signal[c], g[c]);
  }
  return finished<mode>(g, spread<F>(table.normal_matrix), floor2, inside);
}

// LDL' of the normal matrix of the usable lights; determined is 1 where they span three dimensions.
template <class F>
struct Factors {
  F inverse0, inverse1, inverse2, l1, l2, l3, determined;
};

template <class F>
LS_FN Factors<F> factored(const Symmetric<F>& a, float smallest = smallest_pivot) {
  F tiny = (a.xx + a.yy + a.zz) * smallest, one = splat<F>(1.0f);
  Factors<F> f;
  f.inverse0 = reciprocal(a.xx);
  f.l1 = a.xy * f.inverse0;
  f.l2 = a.xz * f.inverse0;
  F pivot1 = a.yy - f.l1 * a.xy;
  f.inverse1 = reciprocal(pivot1);
  F rest = a.yz - f.l1 * a.xz;
  f.l3 = rest * f.inverse1;
  F pivot2 = a.zz - f.l2 * a.xz - f.l3 * rest;
  f.inverse2 = reciprocal(pivot2);
  f.determined = select(a.xx > tiny, one, F{});
  f.determined = select(pivot1 > tiny, f.determined, F{});
  f.determined = select(pivot2 > tiny, f.determined, F{});
  return f;
}

template <class F>
LS_FN Vector<F> substituted(const Factors<F>& f, const Vector<F>& b) {
  F y = b.y - f.l1 * b.x;
  F z = (b.z - f.l2 * b.x - f.l3 * y) * f.inverse2;
  y = y * f.inverse1 - f.l3 * z;
  return {b.x * f.inverse0 - f.l1 * y - f.l2 * z, y, z};
}

// Brings a signal to the units of v: grey signals are raw samples.
template <LsMode mode>
LS_FN float unit_of(const LsTable& table, int k) {
  return mode == LS_GREY ? table.gain[k] : 1.0f;
}

// 1 where the largest raw sample of a light lies between low and high.
template <class F, int samples>
LS_FN F usable(const F (&raw)[samples], float low, float high) {
  F top = raw[0];
  for (int c = 1; c < samples; ++c) top = select(raw[c] > top, raw[c], top);
  F weight = select(top > splat<F>(low), splat<F>(1.0f), F{});
  return select(top < splat<F>(high), weight, F{});
}

// Root of the mean over usable lights and channels of (v - albedo l.n)^2.
template <LsMode mode, class F, class Source>
LS_FN F residual_of(const Pixel<F>& pixel, const Source& source, const LsTable& table, int lights,
                    float clamp, const float* directions, float low, float high) {
  F sum{};
  for (int k = 0; k < lights; ++k) {
    F raw[samples_per_light(mode)], signal[columns(mode)];
    source.load(k, raw);
    signals<mode>(raw, table.gain + k * samples_per_light(mode), clamp, signal);
    F weight = usable(raw, low, high);
    const float* l = directions + 3 * k;
    F shading = pixel.normal.x * l[0] + pixel.normal.y * l[1] + pixel.normal.z * l[2];
    for (int c = 0; c < columns(mode); ++c) {
      F error = signal[c] * unit_of<mode>(table, k) - shading * pixel.albedo[c];
      sum += weight * error * error;
    }
  }
  F mean = sum / (pixel.used * static_cast<float>(columns(mode)));
  return select(pixel.valid > F{}, root(mean), F{});
}

// As solved, with a light left out at a pixel where its largest raw sample is not between low and
// high. A pixel with every light usable takes the table's pseudo-inverse, as in solved.
template <LsMode mode, class F, class Source>
LS_FN Pixel<F> solved_full(const Source& source, const LsTable& table, int lights, float clamp,
                           float floor2, F inside, const float* directions, float low, float high,
                           bool with_residual) {
  constexpr int samples = samples_per_light(mode);
  Vector<F> g[columns(mode)] = {}, b[columns(mode)] = {};
  Symmetric<F> a{};
  F used{}, one = splat<F>(1.0f);
  for (int k = 0; k < lights; ++k) {
    F raw[samples], signal[columns(mode)];
    source.load(k, raw);
    F w = usable(raw, low, high);
    used += w;
    signals<mode>(raw, table.gain + k * samples, clamp, signal);
    const float* l = directions + 3 * k;
    Vector<F> wl = {w * l[0], w * l[1], w * l[2]};
    a.xx += wl.x * l[0];
    a.xy += wl.x * l[1];
    a.xz += wl.x * l[2];
    a.yy += wl.y * l[1];
    a.yz += wl.y * l[2];
    a.zz += wl.z * l[2];
    for (int c = 0; c < columns(mode); ++c) {
      add_projection(table, k, signal[c], g[c]);
      F v = signal[c] * unit_of<mode>(table, k);
      b[c].x += wl.x * v;  // a missing sample stays missing: 0 times NaN is NaN
      b[c].y += wl.y * v;
      b[c].z += wl.z * v;
    }
  }
  auto complete = used > splat<F>(static_cast<float>(lights) - 0.5f);
  Factors<F> f = factored(a);
  for (int c = 0; c < columns(mode); ++c) g[c] = select(complete, g[c], substituted(f, b[c]));
  F enough = select(used > splat<F>(2.5f), f.determined, F{});
  a = select(complete, spread<F>(table.normal_matrix), a);
  Pixel<F> pixel = finished<mode>(g, a, floor2, inside * select(complete, one, enough));
  pixel.used = used * pixel.valid;
  if (with_residual)
    pixel.residual = residual_of<mode>(pixel, source, table, lights, clamp, directions, low, high);
  return pixel;
}

}  // namespace ls
