// Sums over blocks of pixels, fed with rows from the top: down each column first, then across, so
// that no split of the rows over calls changes a bit. mvps_block_sums_<LS_VARIANT>.
#include <stdint.h>
#include <string.h>

#include "variant.h"

namespace {

void add_row(const float* row, const uint8_t* valid, int64_t width, int64_t channels, float* down) {
  if (!valid || !memchr(valid, 0, static_cast<size_t>(width))) {
    for (int64_t i = 0; i < width * channels; ++i) down[i] += row[i];
    return;
  }
  for (int64_t p = 0; p < width; ++p)
    for (int64_t c = 0; valid[p] && c < channels; ++c) down[p * channels + c] += row[p * channels + c];
}

void add_across(float* down, int64_t width, int64_t channels, int64_t factor, float* sums) {
  for (int64_t p = 0; p < width; sums += channels)
    for (int64_t end = p + factor < width ? p + factor : width; p < end; ++p)
      for (int64_t c = 0; c < channels; ++c) sums[c] += down[p * channels + c];
  memset(down, 0, static_cast<size_t>(width * channels) * sizeof(float));
}

}  // namespace

// `count` rows, `apart` floats from one to the next in `rows` and `valid_apart` bytes in `valid`
// (null: all count). `inside` rows of the block under way are in `down` (width * channels) already;
// `sums` lies at that block. `last`: the block under way ends with these rows.
LS_EXPORT void LS_NAMED(mvps_block_sums)(const float* rows, int64_t apart, const uint8_t* valid,
                                         int64_t valid_apart, int64_t count, int64_t width,
                                         int64_t channels, int64_t factor, int64_t tall,
                                         int64_t inside, int last, float* down, float* sums) {
  int64_t columns = (width + factor - 1) / factor;
  for (int64_t y = 0; y < count; ++y) {
    add_row(rows + y * apart, valid ? valid + y * valid_apart : nullptr, width, channels, down);
    if (++inside < tall && !(last && y + 1 == count)) continue;
    add_across(down, width, channels, factor, sums);
    sums += columns * channels;
    inside = 0;
  }
}
