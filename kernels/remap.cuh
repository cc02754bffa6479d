// Image warping, one output pixel at a time: where it lies in the source, what the source shows.
// Ray by a 3x3 matrix, OpenCV's polynomial (Brown 1966, rational and thin-prism terms), source px.
// Positions are doubles: a float has steps of 5e-4 px at column 5000, and the polynomials of tele
// lenses (k3 of -116) multiply what was lost before. Samples and weights are floats.
// No branch depends on a pixel; a value that does not apply is computed and not selected.
#pragma once

#ifdef __CUDACC__
#define RM_FN static __device__ __forceinline__
#else
#include <math.h>
#define RM_FN static inline __attribute__((always_inline))
#endif

// Where the output pixel (u, v) lies: ray = matrix (u v 1)', x = ray.x / ray.w, y = ray.y / ray.w,
// then the polynomial, then the camera. Nothing is seen where ray.w or front . (u v 1) is not
// positive, nor beyond the squared radius at which the polynomial folds over.
struct RemapModel {
  double matrix[9];
  double front[3];
  double distortion[12];  // k1 k2 p1 p2 k3 k4 k5 k6 s1 s2 s3 s4
  double camera[5];       // fx s cx fy cy
  double limit2;
};

// Rows first_row to first_row + rows - 1 of a source as wide as the whole. Strides count samples
// of the image and bytes of the mask.
struct RemapWindow {
  long long stride, mask_stride;
  int width, first_row, rows, unused;
};

struct RemapRotation {
  float rows[9];
};

namespace rm {

// A neighbour with less weight than this is not needed.
constexpr float negligible = 1e-6f;
// Neighbours that point apart give a sum this short, which is no direction.
constexpr float shortest2 = 1e-6f;

struct Position {
  double x, y;
};

// The four neighbours and their weights: row and column of the first in the window, share of the
// second. inside is 1 where the position lies within the window, else 0.
struct Footprint {
  int row, column;
  float right, below, inside;
};

struct Normal {
  float x, y, z, valid;
};

// The terms that a model has; the general form gives the same numbers.
template <bool projective, bool rational, bool prism>
RM_FN Position position(const RemapModel& m, double u, double v) {
  const double* k = m.distortion;
  double x = m.matrix[0] * u + (m.matrix[1] * v + m.matrix[2]);
  double y = m.matrix[3] * u + (m.matrix[4] * v + m.matrix[5]);
  double seen = 1.0;
  if constexpr (projective) {
    double w = m.matrix[6] * u + (m.matrix[7] * v + m.matrix[8]);
    double front = m.front[0] * u + (m.front[1] * v + m.front[2]);
    seen = w < front ? w : front;
    double inverse = 1.0 / w;
    x *= inverse;
    y *= inverse;
  }
  double x2 = x * x, y2 = y * y, r2 = x2 + y2, xy = 2.0 * x * y;
  double radial = 1.0 + r2 * (k[0] + r2 * (k[1] + r2 * k[4]));
  if constexpr (rational) radial /= 1.0 + r2 * (k[5] + r2 * (k[6] + r2 * k[7]));
  double xd = x * radial + (k[2] * xy + k[3] * (r2 + 2.0 * x2));
  double yd = y * radial + (k[2] * (r2 + 2.0 * y2) + k[3] * xy);
  if constexpr (prism) {
    xd += r2 * (k[8] + r2 * k[9]);
    yd += r2 * (k[10] + r2 * k[11]);
  }
  const double nowhere = -1e300;
  seen = r2 <= m.limit2 ? seen : 0.0;
  xd = m.camera[0] * xd + (m.camera[1] * yd + m.camera[2]);
  yd = m.camera[3] * yd + m.camera[4];
  return {seen > 0.0 ? xd : nowhere, seen > 0.0 ? yd : nowhere};
}

RM_FN double within(double x, double last) { return x >= 0.0 ? (x <= last ? 1.0 : 0.0) : 0.0; }

RM_FN int lesser(int a, int b) { return a < b ? a : b; }
RM_FN int greater(int a, int b) { return a > b ? a : b; }

// For `nearest` the neighbour that is closest has all the weight.
template <bool nearest>
RM_FN Footprint footprint(const RemapWindow& window, double x, double y) {
  const double last_x = window.width - 1, last_y = window.rows - 1;
  y -= window.first_row;
  double inside = within(x, last_x) * within(y, last_y);
  x = inside > 0.0 ? x : 0.0;
  y = inside > 0.0 ? y : 0.0;
  Footprint f;
  f.inside = static_cast<float>(inside);
  f.column = greater(lesser(static_cast<int>(x), window.width - 2), 0);
  f.row = greater(lesser(static_cast<int>(y), window.rows - 2), 0);
  double right = x - f.column, below = y - f.row;
  if constexpr (nearest) {
    right = right >= 0.5 ? 1.0 : 0.0;
    below = below >= 0.5 ? 1.0 : 0.0;
  }
  f.right = static_cast<float>(right);
  f.below = static_cast<float>(below);
  return f;
}

// Weights that are exactly 0 or 1 give a neighbour back to the last bit.
RM_FN float blended(float right, float below, float a, float b, float c, float d) {
  float left = 1.0f - right;
  return (1.0f - below) * (left * a + right * b) + below * (left * c + right * d);
}

// 1 where every needed neighbour is marked; the marks are 0 or 1.
RM_FN float covered(float right, float below, float a, float b, float c, float d) {
  return blended(right, below, a, b, c, d) >= 1.0f - negligible ? 1.0f : 0.0f;
}

// Rotated and made a unit vector again, zero where it is not valid.
RM_FN Normal rotated(const RemapRotation& r, float x, float y, float z, float valid) {
  float nx = r.rows[0] * x + r.rows[1] * y + r.rows[2] * z;
  float ny = r.rows[3] * x + r.rows[4] * y + r.rows[5] * z;
  float nz = r.rows[6] * x + r.rows[7] * y + r.rows[8] * z;
  float norm2 = nx * nx + ny * ny + nz * nz;
  // Written so that a norm that is not a number is not valid.
  valid = norm2 > shortest2 ? (norm2 < 1e30f ? valid : 0.0f) : 0.0f;
  float inverse = 1.0f / sqrtf(norm2 > shortest2 ? norm2 : 1.0f);
  bool ok = valid > 0.0f;
  return {ok ? nx * inverse : 0.0f, ok ? ny * inverse : 0.0f, ok ? nz * inverse : 0.0f, valid};
}

}  // namespace rm
