// Scores counted by the upper bits of their order-preserving integers; mvps_score_counts_<LS_VARIANT>.
// mvps/metrics/bins.py says what a bin is.
#include <stdint.h>
#include <string.h>

#include "variant.h"

namespace {

constexpr int64_t kBlock = 1024;
constexpr int kPrefixBits = 18, kRestBits = 32 - kPrefixBits;
constexpr uint32_t kSign = 0x80000000u, kRest = (1u << kRestBits) - 1;

// Integers that compare as the floats do; adding zero makes one of the two zeros.
inline void keys_of(const float* scores, int64_t n, uint32_t* keys) {
  for (int64_t i = 0; i < n; ++i) {
    float score = scores[i] + 0.0f;
    uint32_t bits;
    memcpy(&bits, &score, sizeof bits);
    keys[i] = bits ^ (uint32_t(int32_t(bits) >> 31) | kSign);
  }
}

}  // namespace

// starts, bits: first bin of each prefix and how many more bits it resolves; null: prefixes are bins.
LS_EXPORT void LS_NAMED(mvps_score_counts)(const float* scores, int64_t n, const int32_t* starts,
                                           const uint8_t* bits, int64_t* counts) {
  uint32_t keys[kBlock];
  for (int64_t at = 0; at < n; at += kBlock) {
    int64_t count = n - at < kBlock ? n - at : kBlock;
    keys_of(scores + at, count, keys);
    if (!starts) {
      for (int64_t i = 0; i < count; ++i) ++counts[keys[i] >> kRestBits];
      continue;
    }
    for (int64_t i = 0; i < count; ++i) {
      uint32_t prefix = keys[i] >> kRestBits;
      ++counts[starts[prefix] + ((keys[i] & kRest) >> (kRestBits - bits[prefix]))];
    }
  }
}
