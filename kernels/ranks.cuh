// Order statistics of a pixel's keys, exactly and without a sort: key(k) gives that of light k, as
// often as it is asked for.
#pragma once

#include "least_squares.cuh"

#ifdef __CUDACC__
#define RB_UNROLL _Pragma("unroll")  // so that a run of keys stays in registers
#else
#define RB_UNROLL _Pragma("GCC unroll 32")
#endif

namespace ls {

constexpr float beyond = 3e38f;  // every key
// Ranks up to this are found by insertion into registers, deeper ones by halving.
constexpr int deepest_insertion = 16;

// The rank-th smallest key, 1 <= rank <= room: a sorted run of the smallest so far. The slots that
// the rank leaves over hold less than any key, so that the answer always stands in the last.
template <int room, class F, class Key>
LS_FN F ranked_by_insertion(const Key& key, int lights, int rank) {
  F run[room];
  RB_UNROLL
  for (int j = 0; j < room; ++j) run[j] = splat<F>(j < room - rank ? -beyond : beyond);
  for (int k = 0; k < lights; ++k) {
    F moved = key(k);
    RB_UNROLL
    for (int j = 0; j < room; ++j) {
      F kept = lesser(run[j], moved);
      moved = greater(run[j], moved);
      run[j] = kept;
    }
  }
  return run[room - 1];
}

// The same without room: the answer lies in [low, high], two keys of the pixel. Each pass counts
// the keys up to the middle and moves one end to the nearest key, until the ends meet.
template <class F, class Key>
LS_FN F ranked_by_halving(const Key& key, int lights, int rank) {
  F low = key(0), high = low, one = splat<F>(1.0f);
  for (int k = 1; k < lights; ++k) {
    low = lesser(low, key(k));
    high = greater(high, key(k));
  }
  // A key that is missing meets nothing; such a pixel is invalid and must not keep the loop alive.
  for (int pass = 0; pass < lights && any(select(low < high, one, F{})); ++pass) {
    F middle = low + (high - low) * 0.5f;
    middle = select(middle < high, middle, low);
    F count{}, below = low, above = high;
    for (int k = 0; k < lights; ++k) {
      F x = key(k);
      auto inside = x <= middle;
      count += select(inside, one, F{});
      below = greater(below, select(inside, x, below));
      above = lesser(above, select(inside, above, x));
    }
    auto enough = count > splat<F>(static_cast<float>(rank) - 0.5f);
    auto open = low < high;
    high = select(open, select(enough, below, high), high);
    low = select(open, select(enough, low, above), low);
  }
  return high;
}

// room 0 stands for halving.
template <int room, class F, class Key>
LS_FN F ranked(const Key& key, int lights, int rank) {
  if constexpr (room > 0)
    return ranked_by_insertion<room, F>(key, lights, rank);
  else
    return ranked_by_halving<F>(key, lights, rank);
}

template <class F>
LS_FN void sort_pair(F& a, F& b) {
  F smaller = lesser(a, b);
  b = greater(a, b);
  a = smaller;
}

// Eight keys by a network of 19 comparisons (Knuth 1998, section 5.3.4).
template <class F>
LS_FN void sort_eight(F (&x)[8]) {
  constexpr int pairs[19][2] = {{0, 2}, {1, 3}, {4, 6}, {5, 7}, {0, 4}, {1, 5}, {2, 6},
                                {3, 7}, {0, 1}, {2, 3}, {4, 5}, {6, 7}, {2, 4}, {3, 5},
                                {1, 4}, {3, 6}, {1, 2}, {3, 4}, {5, 6}};
  RB_UNROLL
  for (int i = 0; i < 19; ++i) sort_pair(x[pairs[i][0]], x[pairs[i][1]]);
}

// The (lights + 1) / 2-th smallest of up to 16 keys. Filled up on both sides to 16, of which it is
// the eighth: two sorted halves hold the eight smallest between them, and this is their largest.
template <class F, class Key>
LS_FN F median_of_few(const Key& key, int lights) {
  F half[2][8];
  int low = 8 - (lights + 1) / 2;
  RB_UNROLL
  for (int k = 0; k < 16; ++k) {
    F x = splat<F>(k < lights + low ? -beyond : beyond);
    if (k < lights) x = key(k);
    half[k / 8][k % 8] = x;
  }
  sort_eight(half[0]);
  sort_eight(half[1]);
  F found = lesser(half[0][0], half[1][7]);
  RB_UNROLL
  for (int j = 1; j < 8; ++j) found = greater(found, lesser(half[0][j], half[1][7 - j]));
  return found;
}

// room as that of ranked, for the rank (lights + 1) / 2.
template <int room, class F, class Key>
LS_FN F median(const Key& key, int lights) {
  if constexpr (room == 8)
    return median_of_few<F>(key, lights);
  else
    return ranked<room, F>(key, lights, (lights + 1) / 2);
}

}  // namespace ls
