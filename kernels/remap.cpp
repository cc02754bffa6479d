// CPU entry points of remap.cuh, in blocks of pixels: positions, neighbours, samples, blend.
// Each step is a plain loop over a block, which the compiler turns into the vectors of its target;
// only the neighbours are fetched one by one.
//   mvps_remap_<u8|u16|f32>_<1|3>_<LS_VARIANT>, mvps_remap_normals_*, mvps_remap_positions_*
// Output pixels are columns x rows from (u0, v0) on, contiguous. Where map is given its x y pairs,
// one a pixel, are the positions and the model is not looked at.
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "remap.cuh"
#include "variant.h"

#define RM_METHOD inline __attribute__((always_inline))

namespace {

constexpr int block = 256;

// Output pixels of a call.
struct Region {
  int u0, v0, columns, rows;
};

struct Positions {
  double x[block], y[block];
};

struct Block {
  int32_t row[block], column[block];
  float right[block], below[block], valid[block];
};

template <bool projective, bool rational, bool prism>
RM_FN void place(const RemapModel& model, int u0, double v, int n, Positions& to) {
  for (int i = 0; i < n; ++i) {
    rm::Position p = rm::position<projective, rational, prism>(model, u0 + i, v);
    to.x[i] = p.x;
    to.y[i] = p.y;
  }
}

RM_FN bool any(const double* values, int count) {
  bool found = false;
  for (int i = 0; i < count; ++i) found |= values[i] != 0.0;
  return found;
}

// Which terms the model has; front is looked at where the matrix is projective.
struct Terms {
  bool projective, rational, prism;
};

RM_FN Terms terms_of(const RemapModel& m) {
  bool affine = !any(m.matrix + 6, 2) && m.matrix[8] == 1.0 && !any(m.front, 2) && m.front[2] > 0;
  return {!affine, any(m.distortion + 5, 3), any(m.distortion + 8, 4)};
}

static __attribute__((noinline)) void place_model(const RemapModel& given, Terms terms, int u0,
                                                  int v, int n, Positions& to) {
  const RemapModel model = given;  // so that no store can change it
  if (!terms.rational && !terms.prism) {
    if (terms.projective)
      place<true, false, false>(model, u0, v, n, to);
    else
      place<false, false, false>(model, u0, v, n, to);
  } else {
    place<true, true, true>(model, u0, v, n, to);
  }
}

RM_FN void place_map(const float* map, int n, Positions& to) {
  for (int i = 0; i < n; ++i) {
    to.x[i] = map[2 * i];
    to.y[i] = map[2 * i + 1];
  }
}

template <bool nearest>
RM_FN void surround(const RemapWindow& window, const Positions& at, int n, Block& to) {
  for (int i = 0; i < n; ++i) {
    rm::Footprint f = rm::footprint<nearest>(window, at.x[i], at.y[i]);
    to.row[i] = f.row;
    to.column[i] = f.column;
    to.right[i] = f.right;
    to.below[i] = f.below;
    to.valid[i] = f.inside;
  }
}

// The four neighbours of every pixel, as V: exact for every sample type.
template <class V>
struct Neighbours {
  V a[block], b[block], c[block], d[block];
};

template <class T>
RM_FN const T* neighbour(const T* source, int64_t stride, int channels, const Block& at, int i) {
  return source + at.row[i] * stride + static_cast<int64_t>(at.column[i]) * channels;
}

template <int channels, class T, class V>
RM_FN void fetch_singly(const RemapWindow& window, const T* source, int64_t stride,
                        const Block& at, int n, Neighbours<V> (&to)[channels]) {
  const int64_t right = window.width > 1 ? channels : 0, below = window.rows > 1 ? stride : 0;
  for (int i = 0; i < n; ++i) {
    const T* p = neighbour(source, stride, channels, at, i);
    for (int c = 0; c < channels; ++c) {
      to[c].a[i] = p[c];
      to[c].b[i] = p[right + c];
      to[c].c[i] = p[below + c];
      to[c].d[i] = p[below + right + c];
    }
  }
}

// A pixel and the one to its right are `pair` samples in a row. They are fetched as words, which
// takes a third of the loads, and taken apart for many pixels at a time. The last word may begin
// inside the one before it, so that nothing beyond the pair is read.
template <int channels, class T>
struct Pair {
  static constexpr int samples = 2 * channels, bytes = samples * static_cast<int>(sizeof(T));
  static constexpr int words = (bytes + 3) / 4, bits = 8 * static_cast<int>(sizeof(T));
  static constexpr int word_bytes = bytes < 4 ? bytes : 4;

  static constexpr int start(int word) {
    return 4 * word + word_bytes > bytes ? bytes - word_bytes : 4 * word;
  }
  static constexpr int word_of(int sample) { return sample * static_cast<int>(sizeof(T)) / 4; }
  static constexpr int shift(int sample) {
    return 8 * (sample * static_cast<int>(sizeof(T)) - start(word_of(sample)));
  }

  uint32_t word[words][block];

  RM_METHOD void load(const T* p, int i) {
    for (int w = 0; w < words; ++w) {
      uint32_t value = 0;
      memcpy(&value, reinterpret_cast<const char*>(p) + start(w), word_bytes);
      word[w][i] = value;
    }
  }
  RM_METHOD int32_t sample(int s, int i) const {
    return static_cast<int32_t>(word[word_of(s)][i] >> shift(s) & ((1u << bits) - 1));
  }
};

template <int channels, class T>
RM_FN void fetch_pairs(const RemapWindow& window, const T* source, int64_t stride, const Block& at,
                       int n, Neighbours<int32_t> (&to)[channels]) {
  Pair<channels, T> top, bottom;
  const int64_t below = window.rows > 1 ? stride : 0;
  for (int i = 0; i < n; ++i) {
    const T* p = neighbour(source, stride, channels, at, i);
    top.load(p, i);
    bottom.load(p + below, i);
  }
  for (int c = 0; c < channels; ++c)
    for (int i = 0; i < n; ++i) {
      to[c].a[i] = top.sample(c, i);
      to[c].b[i] = top.sample(channels + c, i);
      to[c].c[i] = bottom.sample(c, i);
      to[c].d[i] = bottom.sample(channels + c, i);
    }
}

constexpr bool little_endian = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;

template <int channels, class T, class V>
RM_FN void fetch(const RemapWindow& window, const T* source, int64_t stride, const Block& at,
                 int n, Neighbours<V> (&to)[channels]) {
  if constexpr (T(0.5f) == T(0)) {
    if (little_endian && window.width > 1) {
      fetch_pairs<channels>(window, source, stride, at, n, to);
      return;
    }
  }
  fetch_singly<channels>(window, source, stride, at, n, to);
}

RM_FN void cover(const RemapWindow& window, const uint8_t* mask, int n, Block& at) {
  Neighbours<int32_t> marks[1];
  fetch<1>(window, mask, window.mask_stride, at, n, marks);
  const Neighbours<int32_t>& m = marks[0];
  for (int i = 0; i < n; ++i)
    at.valid[i] *= rm::covered(at.right[i], at.below[i], m.a[i] != 0, m.b[i] != 0, m.c[i] != 0,
                               m.d[i] != 0);
}

template <class T>
struct Staged {
  using type = int32_t;
};
template <>
struct Staged<float> {
  using type = float;
};

template <class V>
RM_FN void blend(const Block& at, const Neighbours<V>& s, int n, float* to) {
  for (int i = 0; i < n; ++i)
    to[i] = rm::blended(at.right[i], at.below[i], s.a[i], s.b[i], s.c[i], s.d[i]);
}

// Three floats are a vector of their own: four lanes, of which the last is not looked at.
typedef float Four __attribute__((vector_size(16)));

RM_FN Four four(const float* at) {
  Four value;
  memcpy(&value, at, sizeof value);
  return value;
}

// The pixel to the right, three samples on, without a look beyond it.
RM_FN Four right_of(const float* at) {
  Four value = four(at + 2);
#ifdef __clang__
  return __builtin_shufflevector(value, value, 1, 2, 3, 3);
#else
  typedef int32_t Lanes __attribute__((vector_size(16)));
  return __builtin_shuffle(value, Lanes{1, 2, 3, 3});
#endif
}

RM_FN void interpolate_three(const RemapWindow& window, const float* source, const Block& at,
                             int n, float (&to)[3][block]) {
  const int64_t below = window.rows > 1 ? window.stride : 0;
  Four mixed[block];
  for (int i = 0; i < n; ++i) {
    const float* p = neighbour(source, window.stride, 3, at, i);
    float right = at.right[i], left = 1.0f - right;
    Four top = left * four(p) + right * right_of(p);
    Four bottom = left * four(p + below) + right * right_of(p + below);
    mixed[i] = (1.0f - at.below[i]) * top + at.below[i] * bottom;
  }
  for (int i = 0; i < n; ++i)
    for (int c = 0; c < 3; ++c) to[c][i] = mixed[i][c];
}

template <int channels, class T>
RM_FN void interpolate(const RemapWindow& window, const T* source, const Block& at, int n,
                       float (&to)[channels][block]) {
  if constexpr (channels == 3 && T(0.5f) != T(0)) {
    if (window.width > 1) return interpolate_three(window, source, at, n, to);
  }
  Neighbours<typename Staged<T>::type> samples[channels];
  fetch<channels>(window, source, window.stride, at, n, samples);
  for (int c = 0; c < channels; ++c) blend(at, samples[c], n, to[c]);
}

// Rounded where T is an integer; what is not finite is not valid.
template <int channels, class T>
RM_FN void store(Block& at, const float (&values)[channels][block], int n, T* out) {
  if constexpr (T(0.5f) != T(0)) {
    for (int c = 0; c < channels; ++c)
      for (int i = 0; i < n; ++i)
        at.valid[i] = fabsf(values[c][i]) < INFINITY ? at.valid[i] : 0.0f;
    for (int i = 0; i < n; ++i)
      for (int c = 0; c < channels; ++c)
        out[channels * i + c] = at.valid[i] > 0.0f ? values[c][i] : 0.0f;
  } else {
    int32_t whole[channels][block];
    for (int c = 0; c < channels; ++c)
      for (int i = 0; i < n; ++i)
        whole[c][i] = at.valid[i] > 0.0f ? static_cast<int32_t>(values[c][i] + 0.5f) : 0;
    for (int i = 0; i < n; ++i)
      for (int c = 0; c < channels; ++c) out[channels * i + c] = static_cast<T>(whole[c][i]);
  }
}

RM_FN void store_valid(const Block& at, int n, uint8_t* valid) {
  for (int i = 0; i < n; ++i) valid[i] = static_cast<uint8_t>(static_cast<int32_t>(at.valid[i]));
}

// One sample a pixel, copied as it is.
template <int channels, class T>
RM_FN void copy_nearest(const T* source, int64_t stride, const Block& at, int n, T* out) {
  for (int i = 0; i < n; ++i) {
    const T* p = neighbour(source, stride, channels, at, i);
    p += (at.right[i] > 0.0f ? channels : 0) + (at.below[i] > 0.0f ? stride : 0);
    for (int c = 0; c < channels; ++c) out[channels * i + c] = at.valid[i] > 0.0f ? p[c] : T(0);
  }
}

// Calls step(positions, first output pixel, count) for every block of the region.
template <class Step>
RM_FN void over_blocks(const RemapModel* model, const float* map, const Region& region,
                       const Step& step) {
  Positions at;
  const Terms terms = map ? Terms{} : terms_of(*model);
  for (int row = 0; row < region.rows; ++row)
    for (int column = 0; column < region.columns; column += block) {
      int left = region.columns - column, n = left < block ? left : block;
      int64_t p = static_cast<int64_t>(row) * region.columns + column;
      if (map)
        place_map(map + 2 * p, n, at);
      else
        place_model(*model, terms, region.u0 + column, region.v0 + row, n, at);
      step(at, p, n);
    }
}

template <int channels, class T>
RM_FN void remap(const T* source, const uint8_t* mask, const RemapWindow& window,
                 const RemapModel* model, const float* map, const Region& region, bool nearest,
                 T* out, uint8_t* valid) {
  over_blocks(model, map, region, [&](const Positions& at, int64_t p, int n) {
    Block b;
    if (nearest) {
      surround<true>(window, at, n, b);
      if (mask) cover(window, mask, n, b);
      copy_nearest<channels>(source, window.stride, b, n, out + p * channels);
    } else {
      float values[channels][block];
      surround<false>(window, at, n, b);
      if (mask) cover(window, mask, n, b);
      interpolate<channels>(window, source, b, n, values);
      store<channels>(b, values, n, out + p * channels);
    }
    store_valid(b, n, valid + p);
  });
}

RM_FN void remap_normals(const float* source, const uint8_t* mask, const RemapWindow& window,
                         const RemapModel* model, const float* map, const Region& region,
                         const RemapRotation& given, float* out, uint8_t* valid) {
  const RemapRotation rotation = given;
  over_blocks(model, map, region, [&](const Positions& at, int64_t p, int n) {
    Block b;
    float values[3][block];
    surround<false>(window, at, n, b);
    cover(window, mask, n, b);
    interpolate<3>(window, source, b, n, values);
    for (int i = 0; i < n; ++i) {
      rm::Normal normal =
          rm::rotated(rotation, values[0][i], values[1][i], values[2][i], b.valid[i]);
      values[0][i] = normal.x;
      values[1][i] = normal.y;
      values[2][i] = normal.z;
      b.valid[i] = normal.valid;
    }
    for (int i = 0; i < n; ++i)
      for (int c = 0; c < 3; ++c) out[3 * (p + i) + c] = values[c][i];
    store_valid(b, n, valid + p);
  });
}

}  // namespace

#define RM_ARGUMENTS(T)                                                                       \
  const T *source, const uint8_t *mask, const RemapWindow *window, const RemapModel *model,   \
      const float *map, int u0, int v0, int columns, int rows

#define RM_ENTRY(T, type, channels)                                                           \
  LS_EXPORT void LS_NAMED(mvps_remap_##type##_##channels)(RM_ARGUMENTS(T), int nearest,       \
                                                          T* out, uint8_t* valid) {           \
    remap<channels>(source, mask, *window, model, map, {u0, v0, columns, rows}, nearest != 0, \
                    out, valid);                                                              \
  }

RM_ENTRY(uint8_t, u8, 1)
RM_ENTRY(uint8_t, u8, 3)
RM_ENTRY(uint16_t, u16, 1)
RM_ENTRY(uint16_t, u16, 3)
RM_ENTRY(float, f32, 1)
RM_ENTRY(float, f32, 3)

LS_EXPORT void LS_NAMED(mvps_remap_normals)(RM_ARGUMENTS(float), const RemapRotation* rotation,
                                            float* out, uint8_t* valid) {
  remap_normals(source, mask, *window, model, map, {u0, v0, columns, rows}, *rotation, out, valid);
}

// The positions as a map. range: smallest and largest y of those inside a source of width x height,
// +inf and -inf where none is.
LS_EXPORT void LS_NAMED(mvps_remap_positions)(const RemapModel* model, int u0, int v0, int columns,
                                              int rows, int width, int height, float* map,
                                              double* range) {
  double low[block], high[block];  // one a lane, since a running least would not be a vector
  for (int i = 0; i < block; ++i) low[i] = INFINITY, high[i] = -INFINITY;
  over_blocks(model, nullptr, {u0, v0, columns, rows}, [&](const Positions& at, int64_t p, int n) {
    for (int i = 0; i < n; ++i) {
      float x = static_cast<float>(at.x[i]), y = static_cast<float>(at.y[i]);
      map[2 * (p + i)] = x;
      map[2 * (p + i) + 1] = y;
    }
    for (int i = 0; i < n; ++i) {
      double inside = rm::within(at.x[i], width - 1) * rm::within(at.y[i], height - 1);
      double bottom = inside > 0.0 ? at.y[i] : INFINITY, top = inside > 0.0 ? at.y[i] : -INFINITY;
      low[i] = bottom < low[i] ? bottom : low[i];
      high[i] = top > high[i] ? top : high[i];
    }
  });
  range[0] = INFINITY, range[1] = -INFINITY;
  for (int i = 0; i < block; ++i) {
    range[0] = low[i] < range[0] ? low[i] : range[0];
    range[1] = high[i] > range[1] ? high[i] : range[1];
  }
}
