// PNG rows: filters undone into the samples of the caller, and filter Up for writing.
// After the PNG specification (third edition), clause 9; mvps_png_<unfilter|filter_up>_<LS_VARIANT>.
#include <stdint.h>
#include <string.h>

#include "variant.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "samples are swapped, vectors unpacked");

#ifdef __clang__
#define LS_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define LS_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, Bytes{__VA_ARGS__})
#endif

namespace {

typedef uint8_t Bytes __attribute__((vector_size(16)));
typedef int16_t Words __attribute__((vector_size(16)));
typedef uint64_t Halves __attribute__((vector_size(16)));
typedef uint16_t LooseWord __attribute__((aligned(1), may_alias));

enum Filter : uint8_t { kNone, kSub, kUp, kAverage, kPaeth };

// Bytes behind each line of the workspace: pixels of 3 and 6 bytes are stored as 4 and 8.
constexpr int64_t kSlack = 8;

inline Bytes load16(const uint8_t* at) {
  Bytes v;
  memcpy(&v, at, sizeof v);
  return v;
}

inline void store16(uint8_t* at, Bytes v) { memcpy(at, &v, sizeof v); }

template <int N>
inline Bytes load_bytes(const uint8_t* at) {
  uint64_t low = 0;
  memcpy(&low, at, N);
  return reinterpret_cast<Bytes>(Halves{low, 0});
}

// A pixel of N bytes in the low half of a vector, touching `wide` bytes of memory.
template <int N>
struct Pixel {
  static constexpr int wide = N <= 4 ? 4 : 8;
  static Bytes load(const uint8_t* at) { return load_bytes<wide>(at); }
  static Bytes load_exact(const uint8_t* at) { return load_bytes<N>(at); }
  static void store(uint8_t* at, Bytes v) {
    uint64_t low = reinterpret_cast<Halves>(v)[0];
    memcpy(at, &low, wide);
  }
};

inline Words widen(Bytes v) {
  return reinterpret_cast<Words>(
      LS_SHUFFLE(v, Bytes{}, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
}

inline Bytes narrow(Words v) {
  return LS_SHUFFLE(reinterpret_cast<Bytes>(v), Bytes{}, 0, 2, 4, 6, 8, 10, 12, 14, 16, 16, 16, 16,
                    16, 16, 16, 16);
}

// Nearest to a + b - c among a, b and c, written as comparisons with 3c - a - b: lo and hi enclose
// c where c itself is nearest. Int is a number or a vector of them.
template <class Int>
inline Int paeth(Int a, Int b, Int c) {
  Int lo = a < b ? a : b, hi = a < b ? b : a, turn = c + c + c - a - b;
  Int nearest = turn <= lo ? hi : c;
  return turn >= hi ? lo : nearest;
}

inline Bytes average(Bytes a, Bytes b) { return (a & b) + (((a ^ b) & 0xfe) >> 1); }

// Carries a predictor along a row of pixels that fit a vector: next(filtered, above) is a pixel.
template <int N, class Next>
inline void along_row(const uint8_t* from, const uint8_t* above, uint8_t* to, int64_t count,
                      Next next) {
  int64_t i = 0;
  // The last pixel of `from` may be the last of its memory.
  for (; i + N < count; i += N)
    Pixel<N>::store(to + i, next(Pixel<N>::load(from + i), Pixel<N>::load(above + i)));
  Pixel<N>::store(to + i, next(Pixel<N>::load_exact(from + i), Pixel<N>::load(above + i)));
}

template <int N>
inline Bytes moved_up(Bytes v) {
  return LS_SHUFFLE(Bytes{}, v, 16 - N, 17 - N, 18 - N, 19 - N, 20 - N, 21 - N, 22 - N, 23 - N,
                    24 - N, 25 - N, 26 - N, 27 - N, 28 - N, 29 - N, 30 - N, 31 - N);
}

template <int N>
inline Bytes spread_last(Bytes v) {
  if constexpr (N == 1) return Bytes{} + v[15];
  return reinterpret_cast<Bytes>(Words{} + reinterpret_cast<Words>(v)[7]);
}

// Pixels of 1 or 2 bytes: sums of a vector in log steps, plus the sum so far.
template <int N>
inline void sum_row(const uint8_t* from, uint8_t* to, int64_t count) {
  Bytes sum{};
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    Bytes v = load16(from + i);
    if constexpr (N == 1) v += moved_up<1>(v);
    v += moved_up<2>(v);
    v += moved_up<4>(v);
    v += moved_up<8>(v);
    v += sum;
    store16(to + i, v);
    sum = spread_last<N>(v);
  }
  for (; i < count; ++i) to[i] = from[i] + (i < N ? 0 : to[i - N]);
}

template <int N>
inline void undo_sub(const uint8_t* from, const uint8_t* above, uint8_t* to, int64_t count) {
  if constexpr (N <= 2) {
    sum_row<N>(from, to, count);
  } else {
    Bytes left{};
    along_row<N>(from, above, to, count, [&](Bytes v, Bytes) { return left += v; });
  }
}

template <int N>
inline void undo_average(const uint8_t* from, const uint8_t* above, uint8_t* to, int64_t count) {
  if constexpr (N <= 2) {
    int left[N] = {};
    for (int64_t i = 0; i < count; i += N)
      for (int c = 0; c < N; ++c)
        to[i + c] = left[c] = (from[i + c] + ((left[c] + above[i + c]) >> 1)) & 255;
  } else {
    Bytes left{};
    along_row<N>(from, above, to, count,
                 [&](Bytes v, Bytes up) { return left = v + average(left, up); });
  }
}

template <int N>
inline void undo_paeth(const uint8_t* from, const uint8_t* above, uint8_t* to, int64_t count) {
  if constexpr (N == 1) {
    for (int64_t i = 0, a = 0, c = 0; i < count; ++i, c = above[i - 1])
      to[i] = a = (from[i] + paeth<int>(a, above[i], c)) & 255;
  } else {
    Words a{}, c{};
    along_row<N>(from, above, to, count, [&](Bytes v, Bytes up) {
      Words b = widen(up);
      a = (widen(v) + paeth(a, b, c)) & 255;
      c = b;
      return narrow(a);
    });
  }
}

template <int N>
inline void undo(uint8_t filter, const uint8_t* __restrict from, const uint8_t* __restrict above,
                 uint8_t* __restrict to, int64_t count) {
  switch (filter) {
    case kSub: return undo_sub<N>(from, above, to, count);
    case kAverage: return undo_average<N>(from, above, to, count);
    case kPaeth: return undo_paeth<N>(from, above, to, count);
    case kUp:
      for (int64_t i = 0; i < count; ++i) to[i] = from[i] + above[i];
      return;
    default: memcpy(to, from, count);
  }
}

inline uint8_t native(const uint8_t* at, uint8_t) { return *at; }
inline uint16_t native(const uint8_t* at, uint16_t) {
  return __builtin_bswap16(*reinterpret_cast<const LooseWord*>(at));
}

// Four samples a pixel to three, 16 bytes to 12 a step; returns the first pixel left.
template <class Sample>
inline int64_t drop_alpha(const uint8_t* line, int64_t width, Sample* out) {
  constexpr int step = 4 / sizeof(Sample);
  uint8_t* to = reinterpret_cast<uint8_t*>(out);
  int64_t i = 0;
  // 16 bytes are stored: two pixels more must lie ahead.
  for (; i + step + 2 <= width; i += step, to += 12) {
    Bytes v = load16(line + i * 4 * sizeof(Sample));
    if constexpr (sizeof(Sample) == 1)
      v = LS_SHUFFLE(v, v, 0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 3, 7, 11, 15);
    else
      v = LS_SHUFFLE(v, v, 1, 0, 3, 2, 5, 4, 9, 8, 11, 10, 13, 12, 6, 7, 14, 15);
    store16(to, v);
  }
  return i;
}

// A line of the file to samples of the caller: native byte order, alpha (sample 2 or 4) dropped.
template <class Sample, int samples>
inline void emit(const uint8_t* __restrict line, int64_t width, Sample* __restrict out) {
  constexpr int kept = samples - (samples % 2 == 0);
  int64_t i = 0;
  if constexpr (samples == 4) i = drop_alpha(line, width, out);
  for (; i < width; ++i)
    for (int c = 0; c < kept; ++c)
      out[i * kept + c] = native(line + (i * samples + c) * sizeof(Sample), Sample{});
}

template <class Sample, int samples>
inline int64_t unfilter(const uint8_t* filtered, int64_t rows, int64_t width, uint8_t* lines,
                        uint8_t* out) {
  constexpr int pixel = samples * sizeof(Sample);
  constexpr int kept = samples - (samples % 2 == 0);
  int64_t count = width * pixel;
  uint8_t *above = lines, *line = lines + count + kSlack;
  int64_t y = 0;
  for (; y < rows && filtered[0] <= kPaeth; ++y, filtered += count + 1) {
    undo<pixel>(filtered[0], filtered + 1, above, line, count);
    if (out) emit<Sample, samples>(line, width, reinterpret_cast<Sample*>(out) + y * width * kept);
    uint8_t* done = line;
    line = above, above = done;
  }
  if (above != lines) memcpy(lines, above, count);
  return y;
}

template <class Sample>
inline int64_t unfilter_samples(int samples, const uint8_t* filtered, int64_t rows, int64_t width,
                                uint8_t* lines, uint8_t* out) {
  switch (samples) {
    case 1: return unfilter<Sample, 1>(filtered, rows, width, lines, out);
    case 2: return unfilter<Sample, 2>(filtered, rows, width, lines, out);
    case 3: return unfilter<Sample, 3>(filtered, rows, width, lines, out);
    case 4: return unfilter<Sample, 4>(filtered, rows, width, lines, out);
    default: return 0;
  }
}

// Bytes of a row minus those of the row above, most significant byte of a sample first.
template <class Sample>
inline void subtract(const uint8_t* __restrict row, const uint8_t* __restrict above,
                     uint8_t* __restrict to, int64_t count) {
  if constexpr (sizeof(Sample) == 1) {
    for (int64_t i = 0; i < count; ++i) to[i] = row[i] - above[i];
  } else {
    for (int64_t i = 0; i < count; i += 2) {
      uint16_t a = *reinterpret_cast<const LooseWord*>(row + i);
      uint16_t b = *reinterpret_cast<const LooseWord*>(above + i);
      uint16_t low = a - b, high = (a & 0xff00) - (b & 0xff00);
      *reinterpret_cast<LooseWord*>(to + i) = high >> 8 | low << 8;
    }
  }
}

template <class Sample>
inline void filter_up(const uint8_t* rows, int64_t count, int64_t row_bytes, uint8_t* above,
                      uint8_t* filtered) {
  const uint8_t* before = above;
  for (int64_t y = 0; y < count; ++y, rows += row_bytes, filtered += row_bytes + 1) {
    filtered[0] = kUp;
    subtract<Sample>(rows, before, filtered + 1, row_bytes);
    before = rows;
  }
  if (count > 0) memcpy(above, before, row_bytes);
}

}  // namespace

// `rows` rows of 1 + width * samples * sample_bytes bytes to samples (rows, width, 1 or 3) in `out`,
// or to nowhere where `out` is null. `lines` holds two lines of kSlack more bytes than a row has;
// the first is the line above, 0 at the top, and on return the last line done. Returns the rows
// done: fewer than asked for where a filter is unknown.
LS_EXPORT int64_t LS_NAMED(mvps_png_unfilter)(const uint8_t* filtered, int64_t rows, int64_t width,
                                              int samples, int sample_bytes, uint8_t* lines,
                                              uint8_t* out) {
  if (width <= 0) return 0;
  if (sample_bytes == 1)
    return unfilter_samples<uint8_t>(samples, filtered, rows, width, lines, out);
  return unfilter_samples<uint16_t>(samples, filtered, rows, width, lines, out);
}

// `count` rows of `row_bytes` bytes, native byte order, to rows with their filter byte in front.
// `above` is the row before the first, 0 at the top, and on return the last row.
LS_EXPORT void LS_NAMED(mvps_png_filter_up)(const uint8_t* rows, int64_t count, int64_t row_bytes,
                                            int sample_bytes, uint8_t* above, uint8_t* filtered) {
  if (sample_bytes == 1)
    filter_up<uint8_t>(rows, count, row_bytes, above, filtered);
  else
    filter_up<uint16_t>(rows, count, row_bytes, above, filtered);
}
